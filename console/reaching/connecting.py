"""How do we connect to a host that was looked at, and to no other, until a moment and no longer?

The name is looked up once, every address must be allowed, and the connection goes to one of these.
No proxy is asked, whatever the environment names.
"""

import io
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

import httpx

from console.reaching.targets import PLAIN, BadTarget, Reach, Target, addresses
from console.steady import steady

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_LONGEST_NAME_SECONDS = 30.0
# Whatever a library gathers before it gives an answer to us.
READ_AT_MOST = 4_000_000


class Unreached(Exception):
    """No connection was made, and nothing was said to anybody."""

    def __init__(self, sentence: str) -> None:
        """Keep the sentence that a person reads."""
        self.sentence = sentence
        super().__init__(sentence)


def left(until: float) -> float:
    """Return the seconds that are left. Raises: TimeoutError."""
    seconds = until - steady()
    if seconds <= 0:
        raise TimeoutError("The time is over.")
    return seconds


class Wire:
    """A connection on which every wait ends at the same moment, so that dripping gains nothing."""

    def __init__(self, plain: socket.socket, until: float) -> None:
        """Take a connected socket."""
        self._socket, self._until, self._read = plain, until, 0

    def sendall(self, data: "ReadableBuffer") -> None:
        """Send all of it. Raises: OSError, after which nobody knows how much was sent."""
        self._socket.settimeout(left(self._until))
        self._socket.sendall(data)

    def recv_into(self, buffer: "WriteableBuffer") -> int:
        """Read some bytes, none at the end. Raises: OSError."""
        self._socket.settimeout(left(self._until))
        count = self._socket.recv_into(buffer)
        self._read += count
        if self._read > READ_AT_MOST:
            raise ConnectionAbortedError("The other side says too much.")
        return count

    def makefile(self, mode: str = "rb", buffering: int = -1) -> io.BufferedReader:
        """Return the answers as a file, which is how the libraries of protocols read."""
        return _Lines(_Reading(self))

    def start_tls(self, context: ssl.SSLContext, name: str) -> None:
        """Speak TLS from now on, with a host that proves its name. Raises: OSError."""
        self._socket.settimeout(left(self._until))
        # An end that TLS did not announce may be a cut, and is an error to the reader.
        self._socket = context.wrap_socket(
            self._socket, server_hostname=name, suppress_ragged_eofs=False
        )

    def is_quiet(self) -> bool:
        """Tell whether there is time, and a host that is still there and has said nothing yet."""
        if self._until <= steady():
            return False
        self._socket.settimeout(0)
        try:
            self._socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


class _Lines(io.BufferedReader):
    """Reads lines that are whole: half of one, at the end, may be half of what was to be said."""

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(-1 if size is None else size)
        is_cut_by_us = size is not None and 0 <= size <= len(line)
        if not line.endswith(b"\n") and not is_cut_by_us:
            raise ConnectionResetError("The connection ended within a line.")
        return line


class _Reading(io.RawIOBase):
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        return self._wire.recv_into(buffer)


def connect(wanted: Target, allowed: Reach, until: float, *, ca_file: str = "") -> Wire:
    """Connect, with TLS where the target says so. Raises: Unreached."""
    return secured(wanted, _to_any(pinned(wanted, allowed, until), wanted.port, until), ca_file)


def plainly(wanted: Target, allowed: Reach, until: float) -> Wire:
    """Connect without a word, for protocols that begin TLS later. Raises: Unreached."""
    return _to_any(pinned(wanted, allowed, until), wanted.port, until)


def secured(wanted: Target, wire: Wire, ca_file: str = "") -> Wire:
    """Begin TLS on a connection, unless it goes without. Raises: Unreached."""
    if wanted.scheme in PLAIN:
        return wire
    try:
        wire.start_tls(tls(ca_file), wanted.host)
    except OSError as error:
        wire.close()
        raise Unreached(_told(error)) from None
    return wire


def pinned(wanted: Target, allowed: Reach, until: float) -> list[str]:
    """Return the addresses of a host, all of them allowed. Raises: Unreached."""
    try:
        return addresses(wanted, allowed, lambda host, port: look_up(host, port, until))
    except BadTarget as refused:
        raise Unreached(refused.sentence) from None
    except TimeoutError:
        raise Unreached("The host's name was not found in time.") from None
    except (OSError, UnicodeError):
        raise Unreached("The host is not known.") from None


def look_up(host: str, port: int, until: float) -> Sequence[str]:
    """Ask the system where a host is. Raises: OSError, UnicodeError."""
    answer: SimpleQueue[Sequence[str] | Exception] = SimpleQueue()
    # The system's resolver has no deadline; a thread that it holds up is left behind.
    asking = threading.Thread(target=_ask, args=(host, port, answer.put), daemon=True)
    asking.start()
    try:
        found = answer.get(timeout=min(left(until), _LONGEST_NAME_SECONDS))
    except Empty:
        raise TimeoutError from None
    if isinstance(found, Exception):
        raise found
    return found


def _ask(host: str, port: int, say: Callable[[Sequence[str] | Exception], None]) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        say(error)
    else:
        say([str(each[4][0]) for each in found])


def tls(ca_file: str = "") -> ssl.SSLContext:
    """Return how we speak TLS: always verified, never older than 1.2. Raises: OSError."""
    return _tls(ca_file)


@lru_cache(maxsize=32)
def _tls(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file) if ca_file else httpx.create_ssl_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _to_any(pinned_to: Sequence[str], port: int, until: float) -> Wire:
    failed: OSError = OSError("no address")
    for place, address in enumerate(pinned_to):
        try:
            # A share of the time each, so that one address that is silent does not cost the others.
            share = left(until) / (len(pinned_to) - place)
            plain = socket.create_connection((address, port), timeout=share)
        except OSError as error:
            failed = error
        else:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return Wire(plain, until)
    raise Unreached(_told(failed)) from None


def _told(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "The host's certificate is not valid for its name."
    if isinstance(error, ssl.SSLError):
        return "The host does not speak TLS as it should."
    if isinstance(error, TimeoutError):
        return "No connection in time."
    return f"The connection failed: {type(error).__name__}."
