"""How does an order become a mail, and what does a mail server's answer mean?

A mail can be neither asked for nor taken back, so this is blind. Everything up to the end of DATA
is preparation: only the dot that ends the text makes it an order.

Source: RFC 5321 (SMTP), RFC 5322 (messages), RFC 3207 (STARTTLS).
"""

import re
import smtplib
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import AfterValidator, Field, model_validator

from approvals.connectors import templates
from approvals.connectors.declaring import Declared, Secret, Table, action_of
from approvals.connectors.hiding import Veil
from approvals.connectors.protocol import (
    CannotBuild,
    Finding,
    Listed,
    NotReached,
    Order,
    Public,
    Receipt,
    RetryClass,
)
from console.canonical import Json
from console.reaching.connecting import Unreached, Wire, plainly, secured, tls
from console.reaching.targets import Target, endpoint

PORTS = {"tls": 465, "starttls": 587, "none": 25}
RECIPIENTS_AT_MOST = 50
SUBJECT_AT_MOST = 250
TEXT_AT_MOST = 100_000
_DOMAIN = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$"
# Neither quoted names nor anything else that could end a command of SMTP.
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}", re.ASCII)
_TAKEN = 250
_GO_ON = 354
_PERMANENT = 500
_READY = 220
_POLICY = policy.SMTP.clone(cte_type="7bit", max_line_length=76)


def _template(text: str) -> str:
    if problem := templates.objection_to(text):
        raise ValueError(problem)
    return text


def _line_template(text: str) -> str:
    if not text.isprintable():
        raise ValueError("this is one line")
    return _template(text)


def _address(text: str) -> str:
    if not _MAILBOX.fullmatch(text):
        raise ValueError(f"{text!a} is no address")
    return text


Line = Annotated[str, AfterValidator(_line_template)]
Domain = Annotated[str, Field(pattern=_DOMAIN)]


class Action(Table):
    """One kind of mail; `to` and `cc` are addresses or lists of them in the parameters."""

    to: Line
    cc: Line = ""
    subject: Line
    text: Annotated[str, AfterValidator(_template)]


class Settings(Declared):
    """What is declared of a connector of kind `smtp`."""

    can_keep: ClassVar[frozenset[RetryClass]] = frozenset({"blind"})

    kind: Literal["smtp"]
    host: str
    port: int | None = Field(None, ge=1, le=65_535)
    security: Literal["tls", "starttls", "none"] = "starttls"
    user: str = ""
    password: Secret | None = None
    sender: Annotated[str, AfterValidator(_address)]
    domains: list[Domain] = Field(min_length=1)
    actions: dict[str, Action] = Field(min_length=1)

    @model_validator(mode="after")
    def _says_both_or_none(self) -> "Settings":
        if bool(self.user) != (self.password is not None):
            raise ValueError("password: user and password stand together")
        return self


class Smtp:
    """One mail server."""

    def __init__(self, name: str, settings: Settings) -> None:
        """Take the settings. Raises: BadTarget."""
        self._settings, self._veil = settings, _veil(settings)
        self._name = settings.sender.rpartition("@")[2]
        self._port = settings.port or PORTS[settings.security]
        self._allowed = settings.reach(self._port)
        self._target: Target = endpoint(
            settings.host, self._port, self._allowed, tls=settings.security != "none"
        )
        scheme = "smtps" if settings.security == "tls" else "smtp"
        self._public = settings.public(
            name,
            f"{scheme}://{self._target.host}:{self._port}",
            actions=tuple(sorted(settings.actions)),
            extra={"sender": settings.sender, "domains": ", ".join(settings.domains)},
        )

    @property
    def public(self) -> Public:
        """Return what everybody may know."""
        return self._public

    def build(self, order: Order) -> bytes:
        """Return the whole message, headers and text; only allowed domains receive it."""
        action = action_of(order, self._settings.actions, self._public.name)
        values = templates.values_of(order)
        to = self._people(templates.fill(action.to, values))
        copied = templates.fill(action.cc, values) if action.cc else None
        cc = self._people(copied) if copied is not None else []
        if not to or len(to) + len(cc) > RECIPIENTS_AT_MOST:
            raise CannotBuild(f"A mail goes to 1 to {RECIPIENTS_AT_MOST} people.")
        return _message(self._settings.sender, to, cc, _letter(action, order), order)

    def reach(self, order: Order, until: float) -> "_Line":
        """Connect, begin TLS, greet and log in."""
        return _Line(self._greeted(until), self._veil)

    def ask(self, order: Order, body: bytes, until: float) -> Finding:
        """Say that a mail cannot be asked for."""
        return Finding("unclear", detail="A mail server cannot be asked what became of a mail.")

    def listed(self, since: datetime, until: datetime, deadline: float) -> Iterator[Listed]:
        """Refuse: there is no list."""
        raise NotReached("A mail server has no list.")

    def test(self, until: float) -> str:
        """Greet, log in and say goodbye."""
        _Line(self._greeted(until), self._veil).close()
        login = ", and lets us in" if self._settings.user else ""
        return f"{self._public.address} greets us{login}."

    def _people(self, found: Json) -> list[str]:
        people = found if isinstance(found, list) else [found]
        return [self._allowed_person(each) for each in people]

    def _allowed_person(self, person: Json) -> str:
        try:
            address = _address(person) if isinstance(person, str) else ""
        except ValueError as error:
            raise CannotBuild(str(error)) from None
        if address.rpartition("@")[2].lower() not in self._settings.domains:
            raise CannotBuild(f"{address!a} is in none of the domains that mail may go to.")
        return address

    def _greeted(self, until: float) -> smtplib.SMTP:
        try:
            wire = plainly(self._target, self._allowed, until)
        except Unreached as error:
            raise NotReached(error.sentence) from None
        try:
            return self._opened(wire)
        except (OSError, smtplib.SMTPException, Unreached) as error:
            wire.close()
            raise NotReached(self._veil.over(_told(error))) from None

    def _opened(self, wire: Wire) -> smtplib.SMTP:
        if self._settings.security == "tls":
            secured(self._target, wire, self._settings.ca_file)
        speaking = _over(wire, self._name)
        _expect(_READY, *speaking.getreply())
        speaking.ehlo_or_helo_if_needed()
        if self._settings.security == "starttls":
            speaking = self._encrypted(speaking, wire)
        if self._settings.password is not None:
            speaking.login(self._settings.user, self._settings.password.get_secret_value())
        return speaking

    def _encrypted(self, speaking: smtplib.SMTP, wire: Wire) -> smtplib.SMTP:
        _expect(_READY, *speaking.docmd("STARTTLS"))
        wire.start_tls(tls(self._settings.ca_file), self._target.host)
        # Begun anew: what somebody slipped in before TLS, features or answers, is forgotten.
        fresh = _over(wire, self._name)
        fresh.ehlo_or_helo_if_needed()
        return fresh


class _Line:
    """A session that was greeted, over which one mail goes."""

    def __init__(self, speaking: smtplib.SMTP, veil: Veil) -> None:
        self._speaking, self._veil = speaking, veil

    def send(self, body: bytes) -> Receipt:
        """Hand the mail over; until the dot that ends it, it does not count."""
        message = message_from_bytes(body, policy=_POLICY)
        try:
            if refused := self._prepared(message):
                return refused
        except (OSError, smtplib.SMTPException) as error:
            # No dot was sent, so no server may deliver anything (RFC 5321, 4.1.1.4).
            return Receipt("refused", says=f"Nothing was sent: {self._veil.over(_told(error))}")
        return self._handed_over(message, body)

    def close(self) -> None:
        """Say goodbye, if that is possible, and hang up."""
        try:
            self._speaking.quit()
        except (OSError, smtplib.SMTPException):
            self._speaking.close()

    def _prepared(self, message: EmailMessage) -> Receipt | None:
        sender, people = _envelope(message)
        steps = [("MAIL", f"FROM:<{sender}>", _TAKEN)]
        steps += [("RCPT", f"TO:<{each}>", _TAKEN) for each in people]
        steps.append(("DATA", "", _GO_ON))
        for command, argument, wanted in steps:
            code, says = self._speaking.docmd(command, argument)
            if code != wanted and not (command == "RCPT" and code == _TAKEN + 1):
                return Receipt("refused", status=code, says=self._shown(says))
        return None

    def _handed_over(self, message: EmailMessage, body: bytes) -> Receipt:
        try:
            self._speaking.send(_dotted(body))
            code, says = self._speaking.getreply()
        except (OSError, smtplib.SMTPException) as error:
            return Receipt("unknown", says=self._veil.over(_told(error)))
        if code == _TAKEN:
            reference = self._veil.reference(str(message["Message-ID"]))
            return Receipt("acknowledged", reference, code, self._shown(says))
        return Receipt(
            "refused" if code >= _PERMANENT else "unknown", status=code, says=self._shown(says)
        )

    def _shown(self, says: bytes) -> str:
        return self._veil.shown(says)


def _over(wire: Wire, name: str) -> smtplib.SMTP:
    # The name is given, because the library would otherwise look this machine's own up.
    speaking = smtplib.SMTP(local_hostname=name)
    speaking.sock = cast(Any, wire)
    return speaking


def _expect(wanted: int, code: int, says: bytes) -> None:
    if code != wanted:
        raise smtplib.SMTPResponseException(code, says)


def _letter(action: Action, order: Order) -> tuple[str, str]:
    values = templates.values_of(order)
    subject, text = templates.text(action.subject, values), templates.text(action.text, values)
    if not subject.isprintable() or not subject.strip() or len(subject) > SUBJECT_AT_MOST:
        raise CannotBuild(f"A subject is one line of at most {SUBJECT_AT_MOST} characters.")
    if len(text) > TEXT_AT_MOST:
        raise CannotBuild(f"A mail has at most {TEXT_AT_MOST} characters.")
    return subject, text


def _message(
    sender: str, to: list[str], cc: list[str], letter: tuple[str, str], order: Order
) -> bytes:
    message = EmailMessage(policy=_POLICY)
    message["From"], message["To"] = sender, ", ".join(to)
    if cc:
        message["Cc"] = ", ".join(cc)
    message["Subject"] = letter[0]
    message["Date"] = format_datetime(order.at.astimezone(UTC))
    message["Message-ID"] = f"<{order.key}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    try:
        message.set_content(letter[1], cte="base64")
        return message.as_bytes()
    except (UnicodeEncodeError, ValueError) as error:
        raise CannotBuild(f"The mail cannot be written: {type(error).__name__}.") from None


def _envelope(message: EmailMessage) -> tuple[str, list[str]]:
    sender = message["From"].addresses[0].addr_spec
    headers = [message["To"], message["Cc"]]
    return sender, [each.addr_spec for kept in headers if kept for each in kept.addresses]


def _dotted(body: bytes) -> bytes:
    """Return a text as it is sent: with a dot before dots, and one that ends it."""
    lines = body.removesuffix(b"\r\n").split(b"\r\n")
    return b"\r\n".join(b"." + line if line[:1] == b"." else line for line in lines) + b"\r\n.\r\n"


def _told(error: Exception) -> str:
    if isinstance(error, Unreached):
        return error.sentence
    if isinstance(error, smtplib.SMTPResponseException):
        says = error.smtp_error
        text = says.decode(errors="replace") if isinstance(says, bytes) else says
        return f"{error.smtp_code} {text}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "The host's certificate is not valid for its name."
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return "No answer in time."
    return f"The connection failed: {type(error).__name__}."


def _veil(settings: Settings) -> Veil:
    if settings.password is None:
        return Veil()
    # As AUTH PLAIN writes them together.
    return Veil(
        [*settings.all_secrets(), f"\0{settings.user}\0{settings.password.get_secret_value()}"]
    )
