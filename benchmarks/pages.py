"""How long does a page take, in this process and through Daphne, and how often does it ask?

A list that is served by an index takes as long among many rows as among few, asks as often, and
visits no rows that it does not show.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any

from django.test import Client

from benchmarks import plans
from benchmarks.clients import crowd, get
from benchmarks.figures import Figure, Part, percentile
from benchmarks.live import session_cookie
from console.access.models import User, Workspace

GROWN_AT_MOST = 1.5
WARM_UP, AT_LEAST = 5, 2
PATIENCE_SECONDS = 8.0


@dataclass(slots=True)
class Pages:
    """Some pages while there are so many rows."""

    name: str
    figures: dict[str, list[float]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who opens pages, in this process and through the web process."""

    part: Part
    place: Workspace
    person: User
    address: str
    times: int

    @property
    def cookie(self) -> dict[str, str]:
        """Return what a browser would send."""
        return {"Cookie": session_cookie(self.person)}

    def open(self, into: Pages, name: str, path: str) -> None:
        """Open one page many times: in this process, counting queries, and through Daphne."""
        client = Client(SERVER_NAME="localhost", headers=self.cookie)
        with plans.listening() as asked:
            answer = client.get(path)
        if answer.status_code != HTTPStatus.OK:
            raise RuntimeError(f"{path} answered {answer.status_code}.")
        into.counts[name] = len(asked)
        into.figures[name] = took = timed_often(partial(client.get, path), self.times)
        ask = partial(crowd, self.address, get(path, self.cookie), clients=1, wanted=HTTPStatus.OK)
        ask(requests=min(WARM_UP, len(took)))
        into.figures[f"{name}, Daphne"] = ask(requests=len(took)).milliseconds


def tell(
    part: Part,
    few: Pages,
    many: Pages,
    *,
    like: Callable[[str], str],
    promised: Callable[[str], float | None],
) -> None:
    """Tell pages among many rows against the same among few.

    Shape: `like` names the page among few that one is told against which is only among many.
    """
    small = {name: part.add(f"{name} {few.name}", "ms", few.figures[name]) for name in few.figures}
    late = {
        name: part.add(f"{name} {few.name} p95", "ms", [percentile(took, 95)])
        for name, took in few.figures.items()
    }
    for name, took in many.figures.items():
        same = name if name in small else like(name)
        part.add(f"{name} {many.name}", "ms", took, against=small[same], at_most=promised(name))
        part.add(f"{name} {many.name} p95", "ms", [percentile(took, 95)], against=late[same])
    for name, count in many.counts.items():
        same = name if name in few.counts else like(name)
        figure = Figure(part.name, f"{same} {few.name}", "queries", [few.counts[same]])
        part.add(f"{name} {many.name}", "queries", [count], against=figure, at_most=1.0)


def objections_to(
    what: str, look: Callable[[str], Any], *, at_most: int = plans.VISITED_AT_MOST
) -> list[str]:
    """Return what is said about the statements that looking at something sends."""
    with plans.listening() as asked:
        look(what)
    said = plans.objections(asked, at_most) if asked else ["asked the database nothing"]
    return [f"{what}: {sentence}" for sentence in said]


def timed_often(work: Callable[[], object], times: int) -> list[float]:
    """Return the milliseconds of each call, once it is warm; of fewer where they take long."""
    deadline = time.perf_counter() + PATIENCE_SECONDS
    took: list[float] = []
    for nth in range(WARM_UP + times):
        began = time.perf_counter()
        work()
        ended = time.perf_counter()
        if nth >= WARM_UP or ended > deadline:
            took.append((ended - began) * 1000)
        if ended > deadline and len(took) >= AT_LEAST:
            break
    return took
