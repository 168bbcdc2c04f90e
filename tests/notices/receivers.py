"""Those who receive: a mail server and an HTTP receiver of our own, on this machine only."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from standardwebhooks import Webhook


@dataclass(slots=True)
class Mailbox:
    """What a mail server took, oldest first; it refuses while `answer` says so."""

    url: str = ""
    mails: list[EmailMessage] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    answer: str = "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take a mail."""
        if self.answer.startswith("250"):
            content = envelope.content or b""
            raw = content.encode() if isinstance(content, str) else content
            self.mails.append(message_from_bytes(raw, policy=policy.default))
            self.people.extend(str(each) for each in envelope.rcpt_tos)
        return self.answer

    def text(self, index: int = -1) -> str:
        """Return a mail's text."""
        return str(self.mails[index].get_content())

    def subjects(self) -> list[str]:
        """Return what the mails say first."""
        return [str(mail["Subject"]) for mail in self.mails]


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """Run a mail server."""
    box = Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    box.url = f"smtp://127.0.0.1:{port}"
    try:
        yield box
    finally:
        controller.stop()


@dataclass(slots=True)
class Message:
    """One request as it came."""

    path: str
    body: bytes
    headers: dict[str, str]


@dataclass(slots=True)
class Receiver:
    """Takes POSTs, keeps them, and answers as told; `location` makes it redirect."""

    port: int = 0
    taken: list[Message] = field(default_factory=list)
    status: int = 204
    says: bytes = b""
    location: str = ""

    @property
    def url(self) -> str:
        """Return where it listens."""
        return f"http://127.0.0.1:{self.port}/hook"

    def checked(self, secret: str, index: int = -1) -> Any:
        """Return a message's content, if the signature is right."""
        message = self.taken[index]
        return Webhook(secret).verify(message.body, message.headers)

    def ids(self) -> list[str]:
        """Return the webhook-ids in the order they came."""
        return [message.headers["webhook-id"] for message in self.taken]


@contextmanager
def receiver(tls: Any = None) -> Iterator[Receiver]:
    """Run an HTTP receiver, over TLS with a context."""
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            kept.taken.append(Message(self.path, body, headers))
            self.send_response(kept.status)
            if kept.location:
                self.send_header("Location", kept.location)
            self.send_header("Content-Length", str(len(kept.says)))
            self.end_headers()
            self.wfile.write(kept.says)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (its name)
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    kept.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


@contextmanager
def dripping(line: bytes, pause: float) -> Iterator[int]:
    """Listen on a port and answer one byte now and then, without an end."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                for byte in line * 1_000:
                    if stop.wait(pause):
                        return
                    try:
                        connection.sendall(bytes([byte]))
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stop.set()
            thread.join(timeout=5)
