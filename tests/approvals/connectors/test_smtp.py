"""SMTP: who may receive, what counts as sent, and what nobody can know afterwards."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from approvals.connectors.protocol import CannotBuild, Connector, NotReached, Order
from approvals.connectors.smtp import _dotted
from tests.approvals.connectors.servers import KEY, NOON, certificate, loaded, order, sent, soon

PASSWORD = "a-long-password"
TEXT = """
[mail]
kind = "smtp"
retry_class = "blind"
host = "HOST"
port = PORT
security = "none"
networks = ["127.0.0.0/8", "::1/128"]
sender = "countersign@acme.example"
domains = ["acme.example", "partner.example"]
[mail.actions.write]
to = "{{/to}}"
cc = "{{/cc?}}"
subject = "Payment {{/invoice}}"
text = '''
Paid {{/amount}} {{/currency}} to {{/vendor_name}}.
.
End.'''
"""


class Box:
    """A mail server's memory; it answers as told."""

    def __init__(self) -> None:
        self.port = 0
        self.mails: list[tuple[list[str], bytes]] = []
        self.users: list[str] = []
        self.at_mail = self.at_rcpt = ""
        self.at_data = "250 OK"

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        envelope.mail_from = address
        return self.at_mail or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.at_rcpt or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content or b""
        raw = content.encode() if isinstance(content, str) else content
        self.mails.append(([str(each) for each in envelope.rcpt_tos], raw))
        return self.at_data

    def let_in(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.users.append(data.login.decode())
        return AuthResult(success=data.password.decode() == PASSWORD, handled=False)


@contextmanager
def mail_server(context: ssl.SSLContext | None = None, **more: Any) -> Iterator[Box]:
    box = Box()
    with socket.create_server(("127.0.0.1", 0)) as free:
        box.port = free.getsockname()[1]
    if context is not None:
        more |= {"tls_context": context, "require_starttls": True, "authenticator": box.let_in}
    controller = Controller(box, hostname="127.0.0.1", port=box.port, **more)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


@pytest.fixture
def box() -> Iterator[Box]:
    with mail_server() as found:
        yield found


def mailer(folder: Path, port: int, host: str = "127.0.0.1", *, more: str = "") -> Connector:
    text = TEXT.replace("HOST", host).replace("PORT", str(port))
    if more:
        text = text.replace('security = "none"', more)
    return loaded(folder, text, PASSWORD=PASSWORD)


def mail(to: Any = "ana@acme.example", **params: Any) -> Order:
    return order("write", to=to, **params)


def test_a_mail_is_the_same_every_time_and_named_by_its_key(tmp_path: Path, box: Box) -> None:
    connector = mailer(tmp_path, box.port)
    built = connector.build(mail(["ana@acme.example", "ben@partner.example"]))
    assert built == connector.build(mail(["ana@acme.example", "ben@partner.example"]))
    found = sent(connector, mail(["ana@acme.example", "ben@partner.example"], vendor_name="Grün"))
    assert (found.outcome, found.status) == ("acknowledged", 250)
    assert found.reference == f"<{KEY}@acme.example>"
    [(people, raw)] = box.mails
    assert people == ["ana@acme.example", "ben@partner.example"]
    said = message_from_bytes(raw, policy=policy.default)
    assert said["Message-ID"] == f"<{KEY}@acme.example>"
    assert said["Date"] == "Mon, 02 Mar 2026 12:00:00 +0000"
    assert said["Subject"] == "Payment INV-17"
    # A dot on a line of its own is text, and no end.
    assert said.get_content().split() == ["Paid", "48200.00", "EUR", "to", "Grün.", ".", "End."]


@pytest.mark.parametrize(
    "to",
    [
        "eve@evil.example",
        "eve@evil.acme.example.",
        "eve@sub.acme.example",
        "ana@acme.example, eve@evil.example",
        "ana@acme.example\r\nBcc: eve@evil.example",
        "ana@acme.example\nRCPT TO:<eve@evil.example>",
        "<ana@acme.example>",
        '"eve@evil.example"@acme.example',
        "eve@evil.example>@acme.example",
        "@evil.example:ana@acme.example",
        "änä@acme.example",
        "@acme.example",
        "",
        [],
        ["ana@acme.example"] * 51,
        [["ana@acme.example"]],
        None,
        7,
    ],
)
def test_only_people_of_declared_domains_receive(tmp_path: Path, box: Box, to: Any) -> None:
    with pytest.raises(CannotBuild):
        mailer(tmp_path, box.port).build(mail(to))


@pytest.mark.parametrize("invoice", ["a\r\nBcc: eve@evil.example", "a\nb", "x" * 300, "\x1b[31m"])
def test_a_subject_is_one_line(tmp_path: Path, box: Box, invoice: str) -> None:
    with pytest.raises(CannotBuild):
        mailer(tmp_path, box.port).build(mail(invoice=invoice))


@pytest.mark.parametrize("step", ["at_mail", "at_rcpt", "at_data"])
def test_a_refusal_for_good_is_a_refusal(tmp_path: Path, box: Box, step: str) -> None:
    setattr(box, step, "550 No such person")
    found = sent(mailer(tmp_path, box.port), mail())
    assert (found.outcome, found.status) == ("refused", 550)
    assert "No such person" in found.says


def test_a_refusal_for_now_is_none_once_the_text_was_handed_over(tmp_path: Path, box: Box) -> None:
    box.at_data = "451 Try later"
    assert sent(mailer(tmp_path, box.port), mail()).outcome == "unknown"
    box.at_rcpt = "451 Try later"
    assert sent(mailer(tmp_path, box.port), mail()).outcome == "refused"


@contextmanager
def scripted(*answers: bytes | None) -> Iterator[int]:
    """Answer line by line as told, and hang up at None."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def lead() -> None:
            connection, _ = listener.accept()
            with suppress(OSError), connection, connection.makefile("rb") as reading:
                for place, says in enumerate(answers):
                    if place and not reading.readline():
                        return
                    if says is None:
                        while reading.readline() not in {b".\r\n", b""}:
                            pass
                        return
                    connection.sendall(says)
                time.sleep(2)

        thread = threading.Thread(target=lead, daemon=True)
        thread.start()
        yield listener.getsockname()[1]


GREETED = (b"220 hello\r\n", b"250 hello\r\n")


def test_a_line_that_drops_after_the_text_is_unknown(tmp_path: Path) -> None:
    with scripted(*GREETED, b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n", None) as port:
        found = sent(mailer(tmp_path, port), mail())
    assert found.outcome == "unknown"


@pytest.mark.parametrize("steps", [2, 3, 4])
def test_a_line_that_drops_before_the_text_sent_nothing(tmp_path: Path, steps: int) -> None:
    answers = (*GREETED, b"250 ok\r\n", b"250 ok\r\n")[:steps]
    with scripted(*answers) as port:
        found = sent(mailer(tmp_path, port), mail(), seconds=0.6)
    assert found.outcome == "refused"
    assert found.says.startswith("Nothing was sent")


@pytest.mark.parametrize(
    "answers", [(), (b"554 go away\r\n",), (b"220-" + b"x" * 9_000,), (b"220-x\r\n" * 700_000,)]
)
def test_a_server_that_does_not_greet_is_not_reached(
    tmp_path: Path, answers: tuple[bytes, ...]
) -> None:
    with scripted(*answers) as port:
        began = time.monotonic()
        with pytest.raises(NotReached):
            mailer(tmp_path, port).reach(mail(), soon(0.6))
        assert time.monotonic() - began < 1.5


def test_starttls_and_login_come_before_anything(tmp_path: Path) -> None:
    chain, context = certificate(tmp_path)
    more = f'security = "starttls"\nuser = "us"\npassword = "env:PASSWORD"\nca_file = "{chain}"'
    with mail_server(context) as box:
        connector = mailer(tmp_path, box.port, "localhost", more=more)
        assert connector.test(soon()) == f"smtp://localhost:{box.port} greets us, and lets us in."
        assert sent(connector, mail()).outcome == "acknowledged"
        assert box.users == ["us", "us"]
        wrong = more.replace("env:PASSWORD", "env:WRONG")
        text = TEXT.replace("HOST", "localhost").replace("PORT", str(box.port))
        text = text.replace('security = "none"', wrong)
        with pytest.raises(NotReached, match="535") as refused:
            loaded(tmp_path, text, WRONG="wrong-password").test(soon())
        assert "wrong-password" not in str(refused.value)
        usual = mailer(tmp_path, box.port, "localhost", more='security = "starttls"')
        with pytest.raises(NotReached, match="certificate is not valid"):
            usual.test(soon())
        assert len(box.mails) == 1


def test_tls_from_the_beginning(tmp_path: Path) -> None:
    chain, context = certificate(tmp_path)
    box = Box()
    with socket.create_server(("127.0.0.1", 0)) as free:
        box.port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=box.port, ssl_context=context)
    controller.start()
    try:
        more = f'security = "tls"\nca_file = "{chain}"'
        connector = mailer(tmp_path, box.port, "localhost", more=more)
        assert connector.public.address == f"smtps://localhost:{box.port}"
        assert sent(connector, mail()).outcome == "acknowledged"
    finally:
        controller.stop()


def test_a_server_without_starttls_is_not_spoken_to(tmp_path: Path, box: Box) -> None:
    connector = mailer(tmp_path, box.port, "localhost", more='security = "starttls"')
    with pytest.raises(NotReached):
        connector.reach(mail(), soon())
    assert box.mails == []


def test_a_dot_is_doubled_so_that_it_ends_nothing() -> None:
    assert _dotted(b".\r\n..a\r\nb.\r\n") == b"..\r\n...a\r\nb.\r\n.\r\n"


def test_there_is_nobody_to_ask(tmp_path: Path, box: Box) -> None:
    connector = mailer(tmp_path, box.port)
    assert connector.public.retry_class == "blind"
    assert connector.ask(mail(), b"", soon()).says == "unclear"
    with pytest.raises(NotReached):
        next(iter(connector.listed(NOON, NOON, soon())))
