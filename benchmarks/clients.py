"""Who asks? Some clients at once, each on one connection that stays open."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from threading import Barrier
from urllib.parse import urlsplit

Ask = Callable[[HTTPConnection], int]
PATIENCE_SECONDS = 30.0
FAILED = 0


@dataclass(frozen=True, slots=True)
class Answers:
    """What clients got: how fast together, how long each waited, and what was not as wanted."""

    per_second: float
    milliseconds: list[float]
    wrong: list[int]


def get(path: str, headers: Mapping[str, str] | None = None) -> Ask:
    """Return what asks for a page and returns its status."""
    fixed = dict(headers or {})

    def ask(connection: HTTPConnection) -> int:
        connection.request("GET", path, headers=fixed)
        return _status(connection)

    return ask


def post(path: str, body: Callable[[], bytes], headers: Callable[[], dict[str, str]]) -> Ask:
    """Return what sends a new body with new headers each time."""

    def ask(connection: HTTPConnection) -> int:
        connection.request("POST", path, body=body(), headers=headers())
        return _status(connection)

    return ask


def crowd(address: str, ask: Ask, *, clients: int, requests: int, wanted: int) -> Answers:
    """Let clients ask at the same time, `requests` in all."""
    start = Barrier(clients + 1)
    with ThreadPoolExecutor(clients) as pool:
        each = [
            pool.submit(_ask_often, address, ask, requests // clients, start)
            for _ in range(clients)
        ]
        start.wait()
        began = time.monotonic()
        answers = [answer for client in each for answer in client.result()]
        seconds = time.monotonic() - began
    return Answers(
        per_second=len(answers) / seconds,
        milliseconds=[took for _, took in answers],
        wrong=[status for status, _ in answers if status != wanted],
    )


def _ask_often(address: str, ask: Ask, times: int, start: Barrier) -> list[tuple[int, float]]:
    connection = HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE_SECONDS)
    connection.connect()
    start.wait()
    answers = []
    for _ in range(times):
        began = time.perf_counter()
        status = _asked(connection, ask)
        answers.append((status, (time.perf_counter() - began) * 1000))
    connection.close()
    return answers


def _asked(connection: HTTPConnection, ask: Ask) -> int:
    try:
        return ask(connection)
    except (OSError, HTTPException):
        connection.close()
        return FAILED


def _status(connection: HTTPConnection) -> int:
    answer = connection.getresponse()
    answer.read()
    return answer.status
