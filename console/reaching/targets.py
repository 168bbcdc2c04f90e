"""Which hosts may this console call? Public ones over TLS, unless an operator named a network.

A name is looked up once per try, every address that it has must be allowed, and the connection
goes to an address that was looked at: a name that answers otherwise the second time gains nothing.
Source: RFC 6890 and the IANA special-purpose registries; OWASP ASVS V1.3.6.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

IP = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# Looks a name and a port up and returns addresses as text.
Resolve = Callable[[str, int], Sequence[str]]

URL_AT_MOST = 500
HTTPS, HTTP = 443, 80
PLAIN = frozenset({"http", "plain"})
_LABEL = re.compile(r"^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$")
_NUMBER = re.compile(r"^(0x[0-9a-f]*|[0-9]+)$")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
# They carry an IPv4 address inside, or tunnel to one.
_TUNNELS = tuple(
    ipaddress.IPv6Network(text) for text in ("2001::/23", "2002::/16", "3fff::/20", "2001:db8::/32")
)
# Whoever writes them means an IPv4 address: mapped, compatible, NAT64.
_DISGUISES = tuple(
    ipaddress.IPv6Network(text)
    for text in ("::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48")
)
# The metadata and relay services of clouds answer there, whatever the registry calls them.
_SERVICES = tuple(
    ipaddress.ip_network(text)
    for text in ("168.63.129.16/32", "192.88.99.0/24", "100.100.100.200/32", "fd00:ec2::/32")
)


class BadTarget(Exception):
    """This console does not call there."""

    def __init__(self, sentence: str) -> None:
        """Keep the sentence that a person reads."""
        self.sentence = sentence
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class Reach:
    """What this console may call: ports, and networks that are allowed although not public."""

    ports: frozenset[int] = frozenset({HTTPS})
    networks: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart; `host` is as it is looked up, in ASCII.

    `scheme` is `https` or `http`, or for what is no URL `tls` or `plain`.
    """

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Return the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = HTTPS if self.scheme == "https" else HTTP
        return host if self.port == usual else f"{host}:{self.port}"


def networks_of(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read networks, as in 10.2.0.0/16. Raises: ValueError."""
    return tuple(ipaddress.ip_network(text.strip()) for text in texts if text.strip())


def reach(networks: str, ports: str) -> Reach:
    """Read the operator's settings. Raises: ValueError."""
    numbers = frozenset(int(text) for text in ports.split(",") if text.strip())
    return Reach(numbers, networks_of(networks.split(",")))


def target(url: str, allowed: Reach) -> Target:
    """Take a URL apart, if it could be called at all. Raises: BadTarget."""
    parts = _split(url)
    name = host(parts.hostname or "")
    if parts.scheme not in {"https", "http"}:
        raise BadTarget("An address that is called begins with https://.")
    if parts.scheme == "http" and not is_local(name, allowed):
        raise BadTarget("Only https:// is called, and nothing without TLS.")
    usual = HTTPS if parts.scheme == "https" else HTTP
    port = usual if parts.port is None else parts.port
    if port not in allowed.ports:
        raise BadTarget(f"Port {port} is not one that this console may call.")
    query = f"?{parts.query}" if parts.query else ""
    found = Target(parts.scheme, name, port, f"{parts.path or '/'}{query}")
    if _as_ip(name) is not None and (sentence := objection_to(name, found, allowed)):
        raise BadTarget(sentence)
    return found


def endpoint(name: str, port: int, allowed: Reach, *, tls: bool) -> Target:
    """Return a host and port that speak something else than HTTP. Raises: BadTarget."""
    plainly = host(name)
    if not tls and not is_local(plainly, allowed):
        raise BadTarget("Only this machine is called without TLS.")
    found = Target("tls" if tls else "plain", plainly, port, "")
    if _as_ip(plainly) is not None and (sentence := objection_to(plainly, found, allowed)):
        raise BadTarget(sentence)
    return found


def addresses(wanted: Target, allowed: Reach, resolve: Resolve) -> list[str]:
    """Look a host up and return where to connect to. Raises: BadTarget, OSError."""
    found = list(dict.fromkeys(resolve(wanted.host, wanted.port)))
    if not found:
        raise BadTarget(f"{wanted.host} has no address.")
    for text in found:
        if sentence := objection_to(text, wanted, allowed):
            raise BadTarget(sentence)
    return found


def objection_to(address: str, wanted: Target, allowed: Reach) -> str:
    """Say why this address may not be called, or nothing."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return f"{wanted.host} has an address that cannot be read."
    if wanted.scheme in PLAIN and not (ip.is_loopback and _is_named(ip, allowed)):
        return "Only this machine is called without TLS."
    if _is_public(ip) or _is_named(ip, allowed):
        return ""
    return f"{wanted.host} is at an address that is not public; this console does not call it."


def host(text: str) -> str:
    """Return a host as it is looked up: an address, or a name of letters. Raises: BadTarget."""
    name = text.lower()
    if "%" in name:
        raise BadTarget("A host is written plainly, without %.")
    if _as_ip(name) is not None:
        return name
    labels = name.removesuffix(".").split(".")
    # Resolvers take 0x7f.1, 2130706433 and 017700000001 for addresses; we take nothing of the kind.
    if _NUMBER.match(labels[-1]) or not all(_LABEL.match(label) for label in labels):
        raise BadTarget("This is not the name of a host.")
    return name


def is_local(name: str, allowed: Reach) -> bool:
    """Tell whether a host is this machine, and the operator named it."""
    ip = _as_ip(name)
    if ip is None:
        return name == "localhost" and any(net.is_loopback for net in allowed.networks)
    return ip.is_loopback and _is_named(ip, allowed)


def _split(url: str) -> SplitResult:
    if len(url) > URL_AT_MOST or not url.isascii() or not url.isprintable() or " " in url:
        raise BadTarget(
            f"An address has at most {URL_AT_MOST} characters, plain letters without spaces."
        )
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  (read to be checked)
    except ValueError as error:
        raise BadTarget("This address cannot be read.") from error
    if parts.username is not None or parts.password is not None or "\\" in url or parts.fragment:
        raise BadTarget("An address has no user name, no backslash and no part after #.")
    return parts


def _as_ip(host: str) -> IP | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_named(ip: IP, allowed: Reach) -> bool:
    # Clouds keep their secrets there, and a disguise hides what it names: nobody can name them.
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified or _is_within(ip, _SERVICES):
        return False
    if _is_within(ip, (*_DISGUISES, *_TUNNELS)):
        return False
    return any(ip.version == network.version and ip in network for network in allowed.networks)


def _is_public(ip: IP) -> bool:
    if isinstance(ip, ipaddress.IPv6Address):
        return ip in _GLOBAL_UNICAST and ip.is_global and not _is_within(ip, _TUNNELS)
    special = ip.is_multicast or ip.is_reserved or _is_within(ip, _SERVICES)
    return ip.is_global and not special


def _is_within(ip: IP, networks: Sequence[Network]) -> bool:
    return any(ip.version == network.version and ip in network for network in networks)
