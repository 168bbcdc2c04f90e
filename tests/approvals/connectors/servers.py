"""Those who are called: servers of our own, on this machine only, that behave as badly as asked."""

import datetime
import ipaddress
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from approvals.connectors.protocol import Connector, Order, Receipt
from approvals.connectors.settings import load
from console.steady import steady

KEY = "0123456789abcdef0123456789abcdef"
NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
PAYMENT = {
    "vendor_name": "Nordlicht GmbH",
    "iban": "DE89 3704 0044 0532 0130 00",
    "amount": "48200.00",
    "currency": "EUR",
    "invoice": "INV-17",
}


def order(action: str = "send_payment", key: str = KEY, **params: Any) -> Order:
    """Return an order to pay, or another."""
    return Order(key, action, {**PAYMENT, **params}, NOON)


def loaded(folder: Path, text: str, **environ: str) -> Connector:
    """Return the one connector of some settings."""
    path = folder / "connectors.toml"
    path.write_text(text)
    [connector] = load(str(path), environ).values()
    return connector


def sent(connector: Connector, what: Order, *, seconds: float = 3) -> Receipt:
    """Lead an order through building, reaching and sending."""
    body = connector.build(what)
    line = connector.reach(what, steady() + seconds)
    try:
        return line.send(body)
    finally:
        line.close()


def soon(seconds: float = 3) -> float:
    """Return a moment of the steady clock."""
    return steady() + seconds


@dataclass(slots=True)
class Asked:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return what the body says."""
        return json.loads(self.body)


Behaviour = Callable[[socket.socket, Asked], None]


@dataclass(slots=True)
class Provider:
    """Takes requests, keeps them, and answers as told."""

    port: int = 0
    scheme: str = "http"
    taken: list[Asked] = field(default_factory=list)
    behave: Behaviour = field(default_factory=lambda: answer(201, {"id": "pay_1"}))
    connections: int = 0

    @property
    def url(self) -> str:
        """Return where it listens."""
        host = "127.0.0.1" if self.scheme == "http" else "localhost"
        return f"{self.scheme}://{host}:{self.port}"


def answer(status: int, body: Any = None, **headers: str) -> Behaviour:
    """Answer with JSON, or with bytes as they are."""
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()

    def behave(connection: socket.socket, _asked: Asked) -> None:
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {status} So\r\nContent-Length: {len(raw)}\r\n{more}\r\n"
        connection.sendall(head.encode() + raw)

    return behave


def routes(**by_path: Any) -> Behaviour:
    """Answer by what stands in the target; `other` for the rest."""

    def behave(connection: socket.socket, asked: Asked) -> None:
        for part, behaviour in by_path.items():
            if part != "other" and part in asked.target:
                behaviour(connection, asked)
                return
        by_path.get("other", answer(404))(connection, asked)

    return behave


def hang(connection: socket.socket, _asked: Asked) -> None:
    """Say nothing until the other side goes."""
    connection.settimeout(20)
    with suppress(OSError):
        connection.recv(1)


def reset(connection: socket.socket, _asked: Asked) -> None:
    """Cut the connection off."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def reset_mid_body(connection: socket.socket, asked: Asked) -> None:
    """Begin to say that it was done, and cut off."""
    connection.sendall(b'HTTP/1.1 201 Created\r\nContent-Length: 400\r\n\r\n{"id": "pay_1", "a": "')
    time.sleep(0.05)
    reset(connection, asked)


def close_mid_body(connection: socket.socket, _asked: Asked) -> None:
    """Begin to say that it was done, and end."""
    connection.sendall(b'HTTP/1.1 201 Created\r\nContent-Length: 400\r\n\r\n{"id": "pay_1"}')


def drip(connection: socket.socket, _asked: Asked) -> None:
    """Say one byte now and then."""
    with suppress(OSError):
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 4000\r\n\r\n")
        for _ in range(4_000):
            connection.sendall(b" ")
            time.sleep(0.02)


def huge(connection: socket.socket, _asked: Asked) -> None:
    """Answer with more than anybody should read."""
    with suppress(OSError):
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 900000000\r\n\r\n")
        for _ in range(900):
            connection.sendall(b"x" * 1_000_000)


def gibberish(connection: socket.socket, _asked: Asked) -> None:
    """Answer with what is no HTTP."""
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")


@contextmanager
def provider(tls: ssl.SSLContext | None = None, *, slams: bool = False) -> Iterator[Provider]:
    """Run a provider; one that slams hangs up before it was asked anything."""
    kept = Provider(scheme="https" if tls else "http")
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        kept.port = listener.getsockname()[1]
        listener.settimeout(0.05)

        def serve() -> None:
            while not stop.is_set():
                with suppress(TimeoutError):
                    connection, _ = listener.accept()
                    kept.connections += 1
                    threading.Thread(target=_lead, args=(connection,), daemon=True).start()

        def _lead(plain: socket.socket) -> None:
            with suppress(OSError), plain:
                plain.settimeout(20)
                connection = tls.wrap_socket(plain, server_side=True) if tls else plain
                with connection:
                    if slams:
                        return
                    if asked := _read(connection):
                        kept.taken.append(asked)
                        kept.behave(connection, asked)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield kept
        finally:
            stop.set()
            thread.join(timeout=5)


def _read(connection: socket.socket) -> Asked | None:
    read = b""
    while b"\r\n\r\n" not in read:
        some = connection.recv(65_536)
        if not some:
            return None
        read += some
    head, _, body = read.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.lower(): text for name, text in (line.split(": ", 1) for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65_536)
    return Asked(method, target, headers, body)


def certificate(folder: Path, name: str = "localhost") -> tuple[str, ssl.SSLContext]:
    """Return a file that proves a server of this name, and how the server speaks."""
    key = ec.generate_private_key(ec.SECP256R1())
    whose = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    began = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(whose)
        .issuer_name(whose)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(began)
        .not_valid_after(began + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName(names[: 2 if name == "localhost" else 1]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, secret = folder / f"{name}.pem", folder / f"{name}.key"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, secret)
    return str(chain), context
