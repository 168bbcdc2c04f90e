"""How does a message reach another host, and come to an end whatever that host does?

One POST: to addresses that were looked at, no proxy, no redirect, no cookie, one deadline for all
of it, and only the beginning of the answer is read.
"""

import socket
import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import httpcore
import httpx
from httpcore import SOCKET_OPTION, NetworkBackend, NetworkStream, SyncBackend

from console.notices.targets import BadTarget, Reach, Target, addresses, target

TIMEOUT_SECONDS = 5.0
ANSWER_CHARACTERS = 500
_ANSWER_BYTES = 2_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a try: a status, or 0 and the reason why there is none."""

    status: int
    says: str = ""
    problem: str = ""

    @property
    def is_taken(self) -> bool:
        """Tell whether the receiver took the message: any 2xx, and nothing else."""
        return httpx.codes.is_success(self.status)


def look_up(host: str, port: int) -> Sequence[str]:
    """Ask the system where a host is."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    allowed: Reach,
    *,
    timeout: float = TIMEOUT_SECONDS,
) -> Answer:
    """Send a message once and return what came of it; it never raises for what a host does."""
    try:
        wanted = target(url, allowed)
        pinned = addresses(wanted, allowed, look_up)
    except BadTarget as refused:
        return Answer(0, problem=refused.sentence)
    except (OSError, UnicodeError):
        return Answer(0, problem="The host is not known.")
    try:
        return _post(wanted, body, headers, _Pinned(pinned, time.monotonic() + timeout))
    except httpcore.TimeoutException:
        return Answer(0, problem=f"No answer within {timeout:g} seconds.")
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
        return Answer(0, problem=_told(error))


def _post(wanted: Target, body: bytes, headers: Mapping[str, str], network: "_Pinned") -> Answer:
    sent = {
        "Host": wanted.authority,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "User-Agent": "Countersign-Webhooks",
        "Connection": "close",
        **headers,
    }
    url = httpcore.URL(
        scheme=wanted.scheme.encode(),
        host=wanted.host.encode(),
        port=wanted.port,
        target=wanted.path.encode(),
    )
    with (
        httpcore.ConnectionPool(ssl_context=_tls(), network_backend=network) as pool,
        pool.stream("POST", url, headers=list(sent.items()), content=body) as answer,
    ):
        return Answer(answer.status, _beginning(answer.iter_stream()), _about(answer.status))


def _about(status: int) -> str:
    if httpx.codes.is_success(status):
        return ""
    if httpx.codes.is_redirect(status):
        return f"Answered {status}: a redirect is not followed."
    return f"Answered {status}."


def _beginning(parts: Iterable[bytes]) -> str:
    read = b""
    for part in parts:
        read += part
        if len(read) >= _ANSWER_BYTES:
            break
    return read[:_ANSWER_BYTES].decode(errors="replace").replace("\x00", "�")[:ANSWER_CHARACTERS]


def _told(error: Exception) -> str:
    if "certificate" in str(error).lower():
        return "The host's certificate is not valid for its name."
    return f"The connection failed: {type(error).__name__}."


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()


class _Pinned(NetworkBackend):
    """Connects to given addresses, whatever the name, and gives up at one moment."""

    def __init__(self, pinned: Sequence[str], until: float) -> None:
        self._pinned, self._until, self._plain = pinned, until, SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> NetworkStream:
        failed: Exception = httpcore.ConnectError("no address")
        for address in self._pinned:
            try:
                stream = self._plain.connect_tcp(address, port, timeout=_left(self._until))
            except httpcore.ConnectError as error:
                failed = error
            else:
                return _Timed(stream, self._until)
        raise failed


class _Timed(NetworkStream):
    """A connection on which every wait ends at the same moment, so that dripping gains nothing."""

    def __init__(self, stream: NetworkStream, until: float) -> None:
        self._stream, self._until = stream, until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._until))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._until))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> NetworkStream:
        within = self._stream.start_tls(ssl_context, server_hostname, _left(self._until))
        return _Timed(within, self._until)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout
    return left
