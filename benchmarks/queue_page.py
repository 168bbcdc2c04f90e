"""Does the queue stay quick at a hundred thousand proposals, on its first page and far down?

The yardstick is the same page at a hundred proposals. Time may grow by half, queries not at all,
and no list may touch rows that it does not show.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any

from django.test import Client

from approvals import queries
from benchmarks import filling, plans, world
from benchmarks.clients import crowd, get
from benchmarks.figures import Figure, Part, percentile
from benchmarks.live import session_cookie
from benchmarks.servers import console
from console.access.models import User, Workspace
from console.management.commands.timer import sweep
from console.paging import page

SWEEP = "the timer's sweep"
SLUG, NEIGHBOUR = "queue", "queue-neighbour"
SMALL = {"waiting": 60, "settled": 40}
GROWN_AT_MOST = 1.5
OPEN_SHARE = 0.2
WARM_UP = 5
# Rows of every other kind, so that a list without an index would show.
OTHERS = 5_000
# A status that nothing has is the hardest to list.
PAGES = (
    *("queue/", "settled/", "runs/", "runs/?status=failed", "jobs/", "states/", "states/?q=bench"),
    *("ledger/", "ledger/?subject=job:none"),
)
ENDPOINTS = ("proposals", "proposals?status=pending", "proposals?status=withdrawn", "jobs")
# The measured workspace holds this share of everything, its neighbour the rest.
OWN_SHARE = 0.6


@dataclass(slots=True)
class Pages:
    """One stage of the table, seen from a reviewer's chair."""

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
        into.figures[name] = _timed(partial(client.get, path), self.times)
        ask = partial(crowd, self.address, get(path, self.cookie), clients=1, wanted=HTTPStatus.OK)
        ask(requests=WARM_UP)
        into.figures[f"{name}, Daphne"] = ask(requests=self.times).milliseconds


def measure(*, rounds: int, quick: bool) -> Part:
    """Return how the pages at many proposals compare with those at a hundred."""
    part = Part("queue page")
    place, neighbour = world.workspace(SLUG), world.workspace(NEIGHBOUR)
    person, stranger = world.member(place, "reviewer"), world.member(neighbour, "reviewer")
    total, times = (20_000, 20) if quick else (100_000, 20 * rounds)
    with console("web") as address:
        reader = Reader(part, place, person, address, times)
        made = filling.patterns(place)
        filling.fill(made, person, **SMALL)
        few = _seen(reader, f"at {sum(SMALL.values())}", deep=0)
        own, other = round(total * OWN_SHARE), round(total * (1 - OWN_SHARE))
        _grow(made, person, own)
        _grow(filling.patterns(neighbour), stranger, other)
        many = _seen(reader, f"at {total:,}", deep=round(own * OPEN_SHARE / 2))
        _tell(part, few, many)
        _check_lists(reader)
    return part


def _grow(made: list[filling.Pattern], reviewer: User, total: int) -> None:
    waiting = round(total * OPEN_SHARE)
    filling.fill(made, reviewer, waiting=waiting, settled=total - waiting)


def _seen(reader: Reader, name: str, *, deep: int) -> Pages:
    world.tidy()
    pages = Pages(name)
    path = f"/w/{reader.place.slug}/queue/"
    reader.open(pages, "queue", path)
    reader.open(pages, "settled", f"/w/{reader.place.slug}/settled/")
    if deep:
        rows = queries.open_proposals(reader.place.id)
        cursor = page(rows, by="rank", size=deep, newest_first=False).next_cursor
        reader.open(pages, f"queue, {deep:,} rows down", f"{path}?cursor={cursor}")
    pages.figures[SWEEP] = _timed(sweep, reader.times)
    return pages


def _tell(part: Part, few: Pages, many: Pages) -> None:
    small = {name: part.add(f"{name} {few.name}", "ms", few.figures[name]) for name in few.figures}
    late = {
        name: part.add(f"{name} {few.name} p95", "ms", [percentile(took, 95)])
        for name, took in few.figures.items()
    }
    for name, took in many.figures.items():
        like = _like(name, few)
        promised = None if name == SWEEP else GROWN_AT_MOST
        part.add(f"{name} {many.name}", "ms", took, against=small[like], at_most=promised)
        part.add(f"{name} {many.name} p95", "ms", [percentile(took, 95)], against=late[like])
    for name, count in many.counts.items():
        like = _like(name, few)
        same = Figure(part.name, f"{like} {few.name}", "queries", [few.counts[like]])
        part.add(f"{name} {many.name}", "queries", [count], against=same, at_most=1.0)


def _like(name: str, few: Pages) -> str:
    """Return the page at few proposals that a page at many is told against."""
    if name in few.figures:
        return name
    return "queue, Daphne" if name.endswith("Daphne") else "queue"


def _check_lists(reader: Reader) -> None:
    """Look at the plans of every list there is, also of those that were not timed."""
    client = Client(SERVER_NAME="localhost", headers=reader.cookie)
    bearer = {"Authorization": f"Bearer {world.token(reader.place)}"}
    program = Client(SERVER_NAME="localhost", headers=bearer)
    filling.others(reader.place, OTHERS)
    world.tidy()
    start = f"/w/{reader.place.slug}"
    for path in PAGES:
        reader.part.faults += _objections(f"{start}/{path}", client.get)
    for path in ENDPOINTS:
        reader.part.faults += _objections(f"/api/v1/{path}", program.get)
    reader.part.remarks += _objections(SWEEP, lambda _at: sweep())


def _objections(what: str, look: Callable[[str], Any]) -> list[str]:
    with plans.listening() as asked:
        look(what)
    said = plans.objections(asked) if asked else ["asked the database nothing"]
    return [f"{what}: {sentence}" for sentence in said]


def _timed(work: Callable[[], object], times: int) -> list[float]:
    for _ in range(WARM_UP):
        work()
    took = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        took.append((time.perf_counter() - began) * 1000)
    return took
