"""A web process among strangers: nobody's body, silence or hurry costs it more than a little."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

TOP = Path(__file__).parents[2]
RSS_AT_MOST = 20_000_000
HOST = "127.0.0.1"


class Visited:
    """A web process of its own."""

    def __init__(self, socket_seconds: float = 3600) -> None:
        with socket.create_server((HOST, 0), backlog=200) as listener:
            self.port = listener.getsockname()[1]
            command = [sys.executable, "-m", "tests.system.visited"]
            arguments = [str(listener.fileno()), str(socket_seconds)]
            self.process = subprocess.Popen(
                [*command, *arguments], cwd=TOP, pass_fds=[listener.fileno()]
            )
        assert self.said(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").startswith(b"HTTP/1.1 200")

    def rss(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024

    def open(self) -> socket.socket:
        return socket.create_connection((HOST, self.port), timeout=60)

    def said(self, request: bytes) -> bytes:
        with self.open() as connection:
            connection.sendall(request)
            return connection.recv(65_536)

    def listen(self, path: str = "/", **options: Any) -> ClientConnection:
        address = f"ws://{HOST}:{self.port}{path}"
        found: ClientConnection = connect(address, compression=None, **options)
        return found

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def web() -> Iterator[Visited]:
    one = Visited()
    yield one
    one.end()


def everything(connection: socket.socket) -> bytes:
    """Return all that is said until the other side hangs up."""
    said = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65_536):
            said += piece
    return said


def test_a_body_that_says_it_is_too_long_is_refused_before_it_is_read(web: Visited) -> None:
    with web.open() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 300000000\r\n\r\n")
        began = time.monotonic()
        head, _, body = everything(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")
    assert json.loads(body)["code"] == "body_too_large"
    assert time.monotonic() - began < 4


def test_300_megabytes_in_chunks_cost_no_memory(web: Visited) -> None:
    before, chunk = web.rss(), b"f4240\r\n" + b"x" * 1_000_000 + b"\r\n"
    with web.open() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(300):
                connection.sendall(chunk)
    assert web.rss() - before <= RSS_AT_MOST


def test_too_many_chunks_are_told_why(web: Visited) -> None:
    with web.open() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(11):
            connection.sendall(b"186a0\r\n" + b"x" * 100_000 + b"\r\n")
        assert everything(connection).startswith(b"HTTP/1.1 413 ")


def test_a_body_within_the_budget_arrives_whole(web: Visited) -> None:
    body = b"x" * 1_000_000
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n"
    chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nf4240\r\n"
    for request in (head + body, chunked + body + b"\r\n0\r\n\r\n"):
        assert b"1000000 from 127.0.0.1" in web.said(request)


def test_one_connection_carries_many_requests(web: Visited) -> None:
    with web.open() as connection:
        for _ in range(3):
            connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
            assert b"3 from" in connection.recv(65_536)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
        said = b""
        while said.count(b"0 from") < 3:
            said += connection.recv(65_536)


def test_headers_that_trickle_in_run_out_of_time(web: Visited) -> None:
    began = time.monotonic()
    with web.open() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < 8:
                connection.sendall(b"X-More: 1\r\n")
                time.sleep(0.2)
    assert time.monotonic() - began < 5


def test_a_body_that_trickles_in_runs_out_of_time(web: Visited) -> None:
    began, said = time.monotonic(), b""
    with web.open() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n")
        connection.settimeout(0.2)
        while time.monotonic() - began < 8 and not said:
            with contextlib.suppress(TimeoutError):
                connection.sendall(b"x")
                said = connection.recv(1000)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - began < 4


def test_silence_runs_out_of_time(web: Visited) -> None:
    with web.open() as connection:
        assert everything(connection) == b""


@pytest.mark.parametrize("headers", [b"X: 1\r\n" * 200, b"X: " + b"x" * 20_000 + b"\r\n"])
def test_headers_have_a_size(web: Visited, headers: bytes) -> None:
    with web.open() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n" + headers + b"\r\n")
        assert not everything(connection).startswith(b"HTTP/1.1 200")


def test_one_address_holds_only_so_many_connections(web: Visited) -> None:
    with contextlib.ExitStack() as held:
        for _ in range(150):
            held.enter_context(web.open())
        assert web.said(b"").startswith(b"HTTP/1.1 429 ")
    time.sleep(0.3)
    assert web.said(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").startswith(b"HTTP/1.1 200")


def test_nobody_is_believed_about_where_they_come_from(web: Visited) -> None:
    forged = b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n"
    assert b"from 127.0.0.1" in web.said(forged)


def test_50_clients_that_stop_reading_cost_little_and_are_let_go(web: Visited) -> None:
    before = web.rss()
    with contextlib.ExitStack() as held:
        clients = []
        for _ in range(50):
            raw = socket.socket()
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.connect((HOST, web.port))
            held.enter_context(raw)
            raw.sendall(
                b"GET /flood HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            clients.append(raw)
        time.sleep(3)
        assert web.rss() - before <= RSS_AT_MOST
        time.sleep(8)
        assert all(_is_cut(client) for client in clients)
    assert web.rss() - before <= RSS_AT_MOST


def _is_cut(client: socket.socket) -> bool:
    """Say whether the other side is gone, once all that the kernel kept is read."""
    client.settimeout(1)
    try:
        while client.recv(65_536):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


def test_a_client_that_reads_gets_everything(web: Visited) -> None:
    with web.listen("/flood") as client:
        for _ in range(200):
            assert len(client.recv(timeout=5)) == 10_000


def test_a_download_that_nobody_reads_costs_little(web: Visited) -> None:
    before = web.rss()
    with web.open() as connection:
        connection.sendall(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(2)
        assert web.rss() - before <= RSS_AT_MOST
        length = 0
        while length < 300_000_000:
            length += len(connection.recv(1_000_000))
    assert web.rss() - before <= RSS_AT_MOST


def test_a_large_message_ends_a_socket(web: Visited) -> None:
    with web.listen() as client:
        client.send("x" * 16_385)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=5)
    assert closed.value.rcvd is None or closed.value.rcvd.code == 1009


def test_many_messages_end_a_socket(web: Visited) -> None:
    with web.listen() as client:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(100):
                client.send("x")
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=5)
    assert closed.value.rcvd is None or closed.value.rcvd.code == 1008


def test_a_session_holds_only_so_many_sockets(web: Visited) -> None:
    cookie = {"Cookie": "countersign_session=one"}
    with contextlib.ExitStack() as held:
        for _ in range(3):
            held.enter_context(web.listen(additional_headers=cookie))
        with pytest.raises(InvalidStatus) as refused:
            web.listen(additional_headers=cookie)
        assert refused.value.response.status_code == 429
        held.enter_context(web.listen(additional_headers={"Cookie": "countersign_session=two"}))
    time.sleep(0.3)
    with web.listen(additional_headers=cookie) as back:
        back.send("x")


def test_a_socket_that_grew_old_is_asked_to_come_back() -> None:
    web = Visited(socket_seconds=1)
    try:
        with web.listen() as client, pytest.raises(ConnectionClosed) as closed:
            client.recv(timeout=10)
    finally:
        web.end()
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 1012


def test_when_the_server_stops_sockets_are_asked_to_come_back() -> None:
    web = Visited()
    try:
        with web.listen() as client:
            os.kill(web.process.pid, signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(timeout=10)
        assert web.process.wait(timeout=10) == 0
    finally:
        web.end()
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 1012
