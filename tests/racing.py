"""Two at the same instant: real threads, each with a database connection of its own."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Barrier
from typing import Any

from django.db import connection

from console.errors import Refused

Act = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Race:
    """Runners that stay at the line between races, so that only the first one is slow."""

    pool: ThreadPoolExecutor
    runners: int

    def run(self, *acts: Act) -> list[Any]:
        """Start all acts at once and return what each returned, or how it was refused."""
        assert len(acts) == self.runners
        line = Barrier(self.runners, timeout=20)
        return [each.result(timeout=30) for each in [self.pool.submit(_go, line, a) for a in acts]]


@contextmanager
def race(runners: int = 2) -> Iterator[Race]:
    """Hold runners ready; their connections are closed at the end."""
    with ThreadPoolExecutor(runners, thread_name_prefix="runner") as pool:
        runs = Race(pool, runners)
        try:
            yield runs
        finally:
            runs.run(*[lambda: connection.close()] * runners)  # noqa: PLW0108  (each its own)


def _go(line: Barrier, act: Act) -> Any:
    connection.ensure_connection()
    line.wait()
    try:
        return act()
    except Refused as refused:
        return refused.code
