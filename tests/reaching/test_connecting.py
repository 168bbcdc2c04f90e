"""Connecting: to an address that was looked at, until a moment, and not a byte too early."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import pytest

from console.reaching import connecting
from console.reaching.connecting import Unreached, Wire, connect, left, look_up
from console.reaching.exchanging import Answered, NoAnswer, NotWritten, Request, exchange
from console.reaching.targets import Reach, endpoint, networks_of
from console.steady import steady

HERE = Reach(networks=networks_of(["127.0.0.0/8"]))
ASKED = Request("GET", "/", "here", {"X": "y"})


@contextmanager
def speaking(*parts: bytes, pause: float = 0, greets: bool = False) -> Iterator[int]:
    """Answer whoever connects, part by part."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def lead() -> None:
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    if not greets:
                        connection.recv(65_536)
                    for part in parts:
                        connection.sendall(part)
                        time.sleep(pause)

        thread = threading.Thread(target=lead, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(timeout=5)


def wire_to(port: int, seconds: float = 2) -> Wire:
    return connect(endpoint("127.0.0.1", port, HERE, tls=False), HERE, steady() + seconds)


def asked_of(port: int, seconds: float = 2, what: Request = ASKED) -> Answered:
    with closing(wire_to(port, seconds)) as wire:
        return exchange(wire, what)


def test_a_time_that_is_over_is_said_to_be() -> None:
    assert 0 < left(steady() + 5) <= 5
    with pytest.raises(TimeoutError):
        left(steady())


def test_one_address_that_is_silent_leaves_time_for_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, speaking(b"x") as port:
        silent = full.getsockname()[1]
        plain = socket.create_connection
        # A queue that is full lets nobody in, and says nothing.
        held = [socket.socket() for _ in range(4)]
        for each in held:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", silent))

        def create(address: tuple[str, int], timeout: float) -> socket.socket:
            return plain(("127.0.0.1", silent if address[0] == "127.0.0.2" else port), timeout)

        monkeypatch.setattr(socket, "create_connection", create)
        monkeypatch.setattr(connecting, "look_up", lambda _h, _p, _u: ["127.0.0.2", "127.0.0.1"])
        began = time.monotonic()
        wire_to(port, 1).close()
        assert 0.3 < time.monotonic() - began < 0.9
        for each in held:
            each.close()


def test_a_name_that_nobody_knows_is_not_reached() -> None:
    wanted = endpoint("nobody.invalid", 443, Reach(), tls=True)
    with pytest.raises(Unreached, match="not known"):
        connect(wanted, Reach(), steady() + 2)
    with pytest.raises((OSError, UnicodeError)):
        look_up("a" * 64 + ".invalid", 443, steady() + 2)


def test_an_answer_is_read_with_its_headers() -> None:
    with speaking(b"HTTP/1.1 200 OK\r\nETag: W/1\r\nContent-Length: 2\r\n\r\nhi") as port:
        found = asked_of(port)
    assert (found.status, found.body, found.headers["etag"]) == (200, b"hi", "W/1")


def test_a_chunked_answer_is_whole_only_with_its_end() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"
    with speaking(head + b"0\r\n\r\n") as port:
        assert asked_of(port).body == b"hi"
    with speaking(head) as port, pytest.raises(NoAnswer) as cut:
        asked_of(port)
    assert cut.value.status == 200


@pytest.mark.parametrize(
    "says",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Len",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/9 no\r\n\r\n",
        b"\x00" * 100,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 200_000,
    ],
)
def test_half_an_answer_is_none(says: bytes) -> None:
    with speaking(says) as port, pytest.raises(NoAnswer):
        asked_of(port)


def test_dripping_gains_nothing() -> None:
    began = time.monotonic()
    with speaking(*[b"H"] * 100, pause=0.05) as port, pytest.raises(NoAnswer, match="in time"):
        asked_of(port, 0.3)
    assert time.monotonic() - began < 6


def test_who_speaks_before_being_asked_is_not_asked() -> None:
    greeting = b"HTTP/1.1 200 OK\r\n\r\n"
    with speaking(greeting, greets=True) as port, closing(wire_to(port)) as wire:
        time.sleep(0.1)
        with pytest.raises(NotWritten):
            exchange(wire, ASKED)


@pytest.mark.parametrize(
    "asked",
    [
        Request("GET", "/ HTTP/1.1\r\nX: y", "here"),
        Request("GET", "/", "here\r\nX: y"),
        Request("GET", "/", "here", {"X": "a\r\nY: b"}),
        Request("GET", "/", "here", {"X": "a\0"}),
        Request("GET", "/ü", "here"),
    ],
)
def test_what_would_end_a_header_is_never_written(asked: Request) -> None:
    with speaking() as port, pytest.raises(NotWritten):
        asked_of(port, what=asked)
