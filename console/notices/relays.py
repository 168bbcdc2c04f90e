"""Which server takes our mail? Read from one address, such as smtp://user:secret@host:587."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

SMTP, SUBMISSION, SMTPS = 25, 587, 465


class BadRelay(ValueError):
    """EMAIL_URL names no mail server."""


@dataclass(frozen=True, slots=True)
class Relay:
    """A mail server, and how we speak with it."""

    host: str
    port: int
    user: str = ""
    password: str = ""
    starttls: bool = False
    tls: bool = False


def relay(url: str) -> Relay | None:
    """Read EMAIL_URL; nothing where no mail is sent. Raises: BadRelay.

    `smtps` speaks TLS from the beginning; `smtp` begins it before anything is said, except with
    this machine itself, or where the address ends in ?starttls=0.
    """
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise BadRelay("EMAIL_URL begins with smtp:// or smtps:// and names a host.")
    tls = parts.scheme == "smtps"
    wanted = parse_qs(parts.query).get("starttls", ["1"])[-1] == "1"
    starttls = not tls and wanted and not _is_here(parts.hostname)
    usual = SMTPS if tls else SUBMISSION if starttls else SMTP
    return Relay(
        host=parts.hostname,
        port=parts.port or usual,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        starttls=starttls,
        tls=tls,
    )


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
