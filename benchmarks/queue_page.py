"""Does the queue stay quick at a hundred thousand proposals, on its first page and far down?

The yardstick is the same page at a hundred proposals. Time may grow by half, queries not at all,
and no list may touch rows that it does not show.
"""

from django.test import Client

from approvals import queries
from benchmarks import filling, world
from benchmarks.figures import Part
from benchmarks.pages import GROWN_AT_MOST, Pages, Reader, objections_to, tell, timed_often
from benchmarks.servers import console
from console.access.models import User
from console.management.commands.timer import sweep
from console.paging import page

SWEEP = "the timer's sweep"
SLUG, NEIGHBOUR = "queue", "queue-neighbour"
SMALL = {"waiting": 60, "settled": 40}
OPEN_SHARE = 0.2
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
        tell(part, few, many, like=_like, promised=_promised)
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
    pages.figures[SWEEP] = timed_often(sweep, reader.times)
    return pages


def _like(name: str) -> str:
    """Return the page at few proposals that a page far down is told against."""
    return "queue, Daphne" if name.endswith("Daphne") else "queue"


def _promised(name: str) -> float | None:
    return None if name == SWEEP else GROWN_AT_MOST


def _check_lists(reader: Reader) -> None:
    """Look at the plans of every list there is, also of those that were not timed."""
    client = Client(SERVER_NAME="localhost", headers=reader.cookie)
    bearer = {"Authorization": f"Bearer {world.token(reader.place)}"}
    program = Client(SERVER_NAME="localhost", headers=bearer)
    filling.others(reader.place, OTHERS)
    world.tidy()
    start = f"/w/{reader.place.slug}"
    for path in PAGES:
        reader.part.faults += objections_to(f"{start}/{path}", client.get)
    for path in ENDPOINTS:
        reader.part.faults += objections_to(f"/api/v1/{path}", program.get)
    reader.part.remarks += objections_to(SWEEP, lambda _at: sweep())
