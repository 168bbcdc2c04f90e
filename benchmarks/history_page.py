"""Does the history of a State stay quick at a hundred thousand snapshots?

The yardstick is the same page at a hundred. Pages: the newest, far down, and those that changed
one value (*blame*): one that changes with every version, one that changed once, one that never
did. Time may grow by half, queries not at all, and no list may touch rows that it does not show.
"""

from functools import partial
from urllib.parse import quote
from uuid import UUID

from django.test import Client

from benchmarks import chains, own_states, world
from benchmarks.documents import Load
from benchmarks.figures import Part
from benchmarks.pages import GROWN_AT_MOST, Pages, Reader, objections_to, tell, timed_often
from benchmarks.servers import console
from console.paging import page
from snapshots import queries

FEW = 100
LOAD = Load(20_000, "scattered", 1, FEW - 1)
NEWEST, DOWN, LIST = "history", "history far down", "its rows alone"
BLAMED = {
    "what always changes": "/counters/steps",
    "what changed now and then": "/messages/3",
    "what never changed": "/config/model",
}
LIST_WITHIN_MS = 1.0


def measure(*, rounds: int, quick: bool) -> Part:
    """Return how a long history compares with a short one."""
    part = Part("history page")
    place = world.workspace(own_states.SLUG)
    person = world.member(place, "reviewer")
    total, times = (10_000, 20) if quick else (100_000, 20 * rounds)
    kept = own_states.begun(LOAD, seed=1)
    for changes in kept.steps:
        kept.commit(changes)
    state_id = kept.head.state_id
    with console("web") as address:
        reader = Reader(part, place, person, address, times)
        few = _seen(reader, f"at {FEW}", state_id, deep=0)
        number = chains.fill(chains.stretch(state_id), total)
        many = _seen(reader, f"at {number:,}", state_id, deep=number // 2)
        tell(part, few, many, like=_like, promised=_promised)
        _check_lists(reader, state_id)
    rows = many.figures[LIST]
    part.add(f"{LIST} {many.name}, promised", "ms", rows, within=LIST_WITHIN_MS)
    _check_content(part, kept, number)
    return part


def _seen(reader: Reader, name: str, state_id: UUID, *, deep: int) -> Pages:
    world.tidy()
    pages = Pages(name)
    path = _address(reader, state_id)
    reader.open(pages, NEWEST, path)
    if deep:
        rows = queries.snapshots(reader.place.id, state_id).filter(number__lte=deep)
        cursor = page(rows, by="number", size=1).next_cursor
        reader.open(pages, DOWN, f"{path}?cursor={cursor}")
    for what, pointer in BLAMED.items():
        reader.open(pages, what, f"{path}?path={quote(pointer)}")
    rows = queries.snapshots(reader.place.id, state_id)
    pages.figures[LIST] = timed_often(partial(page, rows, by="number", size=50), reader.times)
    return pages


def _address(reader: Reader, state_id: UUID) -> str:
    return f"/w/{reader.place.slug}/states/{state_id}/"


def _like(name: str) -> str:
    """Return the page at few snapshots that a page far down is told against."""
    return name.replace(DOWN, NEWEST)


def _promised(_name: str) -> float | None:
    return GROWN_AT_MOST


def _check_lists(reader: Reader, state_id: UUID) -> None:
    client = Client(SERVER_NAME="localhost", headers=reader.cookie)
    path = _address(reader, state_id)
    for more in ("", *(f"?path={quote(pointer)}" for pointer in BLAMED.values())):
        reader.part.faults += objections_to(f"{path}{more}", client.get)


def _check_content(part: Part, kept: own_states.Kept, number: int) -> None:
    """See that the copies are versions like others: the newest reads as the last one written."""
    if queries.content(kept.head.state_id, number) != kept.documents[-1]:
        part.faults.append(f"Snapshot {number} does not read as what it was copied from.")
