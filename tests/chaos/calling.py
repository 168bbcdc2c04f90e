"""How do clients behave that mean it: they ask again, with the same key, wherever somebody answers.

Every answer is counted by its status; an answer of 500 is somebody's bug.
"""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

NOBODY = 0
AGAIN = {NOBODY, 429, 502, 503, 504}
TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back in the end; status 0 where nobody answered."""

    status: int
    body: Any = None
    milliseconds: float = 0.0
    retry_after: str = ""


@dataclass
class Tally:
    """What all callers got, and the longest time that nobody served any of them."""

    statuses: Counter[str] = field(default_factory=Counter)
    unforeseen: list[str] = field(default_factory=list)
    # Failures that do not say when to ask again.
    rude: Counter[str] = field(default_factory=Counter)
    slowest_milliseconds: float = 0.0
    longest_outage: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _served_at: float = field(default_factory=time.monotonic)

    def note(self, method: str, path: str, answer: Answer) -> None:
        """Count one answer."""
        now = time.monotonic()
        with self._lock:
            self.statuses[f"{method} {answer.status or 'nobody'}"] += 1
            self.slowest_milliseconds = max(self.slowest_milliseconds, answer.milliseconds)
            if answer.status >= 500 and not (answer.status == 503 and answer.retry_after):
                self.rude[f"{method} {path.partition('?')[0]} {answer.status}"] += 1
            if answer.status == 500:
                self.unforeseen.append(f"{method} {path}: {str(answer.body)[:200]}")
            if answer.status not in AGAIN:
                self.longest_outage = max(self.longest_outage, now - self._served_at)
                self._served_at = now


class Caller:
    """A client with one pair of hands, which knows both addresses."""

    def __init__(
        self,
        addresses: list[str],
        headers: Mapping[str, str],
        tally: Tally,
        chance: random.Random,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        """Remember whom to ask, and until when asking again makes sense."""
        self._addresses, self._headers, self._tally = addresses, dict(headers), tally
        self._chance, self._is_over = chance, is_over
        self._connections: dict[str, HTTPConnection] = {}

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        patience: float = 60.0,
    ) -> Answer:
        """Ask until somebody answers for good, or patience ends; return the last answer."""
        until, pause = time.monotonic() + patience, 0.05
        while True:
            answer = self.ask_once(method, path, body, headers=headers)
            if answer.status not in AGAIN or time.monotonic() > until or self._is_over():
                return answer
            time.sleep(pause * (0.5 + self._chance.random()))
            pause = min(pause * 2, 2.0)

    def ask_once(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask one of the addresses once."""
        address = self._chance.choice(self._addresses)
        sent = None if body is None else json.dumps(body).encode()
        began = time.perf_counter()
        try:
            status, said, again = self._exchange(address, method, path, sent, headers or {})
        except (OSError, HTTPException) as error:
            self._forget(address)
            status, said, again = NOBODY, repr(error), ""
        answer = Answer(status, said, (time.perf_counter() - began) * 1000, again)
        self._tally.note(method, path, answer)
        return answer

    def _exchange(
        self, address: str, method: str, path: str, sent: bytes | None, more: Mapping[str, str]
    ) -> tuple[int, Any, str]:
        connection = self._connections.get(address)
        if connection is None:
            connection = HTTPConnection(urlsplit(address).netloc, timeout=TIMEOUT_SECONDS)
            self._connections[address] = connection
        typed = {"Content-Type": "application/json"} if sent is not None else {}
        connection.request(method, path, body=sent, headers={**self._headers, **typed, **more})
        got = connection.getresponse()
        raw = got.read()
        if got.will_close:
            self._forget(address)
        return got.status, _parsed(raw), got.headers.get("Retry-After", "")

    def _forget(self, address: str) -> None:
        if known := self._connections.pop(address, None):
            known.close()


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw[:300].decode(errors="replace")
