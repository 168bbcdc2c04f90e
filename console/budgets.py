"""How much may one visitor ask of a web process: bytes, seconds, connections and sockets?

Counted by address. Where a proxy stands before us, the address is the one that it names; nobody
else's word about where a request came from is believed.
"""

import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """The limits of one process. Seconds are those that may pass, bytes those that may wait."""

    body_bytes: int = 1_065_536
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    idle_seconds: float = 60.0
    connections_per_address: int = 500
    sockets_per_address: int = 500
    sockets_per_session: int = 64
    message_bytes: int = 16_384
    messages_per_second: float = 20.0
    messages_at_once: int = 60
    # One frame may be as large as a region of a page; further ones wait until it has gone.
    frame_bytes: int = 2_097_152
    waiting_bytes: int = 262_144
    socket_stalled_seconds: float = 8.0
    download_stalled_seconds: float = 20.0
    socket_seconds: float = 12 * 3600.0
    trusted: tuple[Network, ...] = ()


def networks(text: str) -> tuple[Network, ...]:
    """Return the networks in a comma-separated list. Raises: ValueError."""
    return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())


def visitor(peer: str, forwarded: Iterable[str], trusted: tuple[Network, ...]) -> str:
    """Return the address of whoever asks: the last one that no trusted proxy added for another."""
    hops = [hop.strip() for line in forwarded for hop in line.split(",")]
    here = peer
    while hops and is_proxy(here, trusted):
        here = hops.pop()
    return here if _parsed(here) else peer


def _is_within(address: str, trusted: tuple[Network, ...]) -> bool:
    parsed = _parsed(address)
    return parsed is not None and any(parsed in network for network in trusted)


def _parsed(address: str) -> Address | None:
    try:
        found = ip_address(address)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def is_proxy(peer: str, trusted: tuple[Network, ...]) -> bool:
    """Say whether a connection from here carries the requests of many."""
    # A Unix socket has no address, and only our own proxy can reach it.
    return not peer or _is_within(peer, trusted)


class Guests:
    """Counts who is here under which names, and lets nobody in twice too often."""

    def __init__(self) -> None:
        """Begin with an empty house."""
        self._names: dict[Hashable, tuple[str, ...]] = {}
        self._here: Counter[str] = Counter()

    def enter(self, key: Hashable, limits: dict[str, int]) -> bool:
        """Let `key` in unless one of its names is here as often as its limit says."""
        if any(self._here[name] >= limit for name, limit in limits.items()):
            return False
        self.leave(key)
        self._names[key] = tuple(limits)
        self._here.update(limits.keys())
        return True

    def leave(self, key: Hashable) -> None:
        """Forget `key`; twice is once."""
        for name in self._names.pop(key, ()):
            self._here[name] -= 1
            if not self._here[name]:
                del self._here[name]

    def __len__(self) -> int:
        """Return how many are here."""
        return len(self._names)


class Allowance:
    """So many at once, and so many per second after that."""

    def __init__(
        self, per_second: float, at_once: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin with all that may come at once."""
        self._per_second, self._at_once, self._clock = per_second, at_once, clock
        self._left, self._at = float(at_once), clock()

    def take(self) -> bool:
        """Take one, and say whether there was one."""
        now = self._clock()
        self._left = min(self._at_once, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
