"""Does the queue stay quick at a million proposals, with every filter and far down?

The yardsticks are the same page at a hundred proposals, and a page of the same web process that
shows nothing. Time may grow by half, queries not at all, and no list may touch rows that it does
not show; a filter may look through what is open, and through nothing that was settled.
"""

from functools import partial
from http import HTTPStatus

from django.test import Client

from approvals import queries
from benchmarks import filling, plans, world
from benchmarks.clients import crowd, get
from benchmarks.figures import Figure, Part, percentile
from benchmarks.pages import GROWN_AT_MOST, Pages, Reader, objections_to, tell, timed_often
from benchmarks.servers import console
from console.access.models import User
from console.management.commands.timer import sweep
from console.paging import page

SWEEP = "the timer's sweep"
SLUG, NEIGHBOUR = "queue", "queue-neighbour"
SMALL = {"waiting": 60, "settled": 40}
TOTAL, QUICK_TOTAL = 1_000_000, 100_000
OPEN = 5_000
# The neighbour holds this share of what is measured, so that a list of both would show.
NEIGHBOURS_SHARE = 0.1
# Rows of every other kind, so that a list without an index would show.
OTHERS = 5_000
EVERYTHING = "everything"
FILTERS = {
    EVERYTHING: "",
    "mine": "assignee=me",
    "I may decide": "eligible=me",
    "claimed by me": "claimed=me",
    "unassigned": "assignee=none",
    "snoozed, of which there is none": "snoozed=me",
    "high risk": "risk_gte=3",
    "level": "level=2",
    "due within an hour": "due_before=1h&sort=deadline",
    "due within a day": "due_before=1d",
    "questions asked": "status=info_requested",
    "action type": "action_type=set_balance",
    "rare action type": "action_type=set_rarely",
    "policy": "policy=Policy+7",
    "amount": "amount_gte=90000&currency=GBP",
    "payee": "counterparty=Payee+123",
    "subject": "subject=invoice+200",
    "agent": "agent=clerk-7",
    "State": "state=bench/queue-1",
    "words": "q=balance",
    "words that nothing has": "q=no+such+words",
    "newest first": "sort=newest",
    "by deadline": "sort=deadline",
    "several": "risk_gte=2&agent=clerk-7&assignee=none&due_before=7d&q=account",
}
# A status that nothing has is the hardest to list.
PAGES = (
    *("settled/", "runs/", "runs/?status=failed", "jobs/", "states/", "states/?q=bench"),
    *("ledger/", "ledger/?subject=job:none"),
)
ENDPOINTS = (
    *("proposals", "proposals?status=pending", "proposals?status=withdrawn", "jobs"),
    *("proposals?action_type=set_rarely", "proposals?agent=clerk-7", "proposals?agent=nobody"),
    *("proposals?counterparty=Payee+123", "proposals?subject=invoice+200"),
    *("proposals?state=bench/queue-1", "proposals?counterparty=nobody&status=approved"),
)
OPEN_ENDPOINTS = ("proposals/counts", "proposals?sort=queue&risk_gte=3", "proposals?q=nothing")
# What is open may be gone through by the list, its count, and what each row is joined to.
VISITED_OPEN_AT_MOST = 5 * OPEN


def measure(*, rounds: int, quick: bool) -> Part:
    """Return how the pages at many proposals compare with those at a hundred."""
    part = Part("queue page")
    place, neighbour = world.workspace(SLUG), world.workspace(NEIGHBOUR)
    person, stranger = world.member(place, "reviewer"), world.member(neighbour, "reviewer")
    total, times = (QUICK_TOTAL, 10) if quick else (TOTAL, 10 * rounds)
    with console("web") as address:
        reader = Reader(part, place, person, address, times)
        made = filling.patterns(place)
        filling.fill(made, person, **SMALL)
        few = _seen(reader, f"at {sum(SMALL.values())}", deep=0)
        _grow(made, person, total - sum(SMALL.values()), OPEN - SMALL["waiting"])
        beside = round(total * NEIGHBOURS_SHARE)
        _grow(filling.patterns(neighbour), stranger, beside, round(OPEN * NEIGHBOURS_SHARE))
        many = _seen(reader, f"at {total:,}", deep=OPEN // 2)
        tell(part, few, many, like=_like, promised=_promised)
        _tell_nothing(reader, many)
        _check_lists(reader)
    return part


def _grow(made: list[filling.Pattern], reviewer: User, total: int, waiting: int) -> None:
    filling.fill(made, reviewer, waiting=waiting, settled=total - waiting)


def _seen(reader: Reader, name: str, *, deep: int) -> Pages:
    """Open the pages; with every filter only among many, where each shows a page full or less."""
    world.tidy()
    pages = Pages(name)
    path = f"/w/{reader.place.slug}/queue/"
    for said, query in FILTERS.items() if deep else [(EVERYTHING, "")]:
        reader.open(pages, f"queue: {said}", f"{path}?{query}")
    reader.open(pages, "settled", f"/w/{reader.place.slug}/settled/")
    if deep:
        rows = queries.open_proposals(reader.place.id)
        cursor = page(rows, by="rank", size=deep, newest_first=False).next_cursor
        reader.open(pages, f"queue, {deep:,} rows down", f"{path}?cursor={cursor}")
    pages.figures[SWEEP] = timed_often(sweep, reader.times)
    return pages


def _like(name: str) -> str:
    """Return the page at few proposals, a full one, that one of many is told against."""
    return f"queue: {EVERYTHING}, Daphne" if name.endswith("Daphne") else f"queue: {EVERYTHING}"


def _promised(name: str) -> float | None:
    return None if name == SWEEP else GROWN_AT_MOST


def _tell_nothing(reader: Reader, many: Pages) -> None:
    """Tell the queue against a page that shows nothing, of the same web process."""
    ask = partial(crowd, reader.address, get("/healthz"), clients=1, wanted=HTTPStatus.OK)
    took = ask(requests=reader.times).milliseconds
    nothing = Figure(reader.part.name, "GET /healthz p95", "ms", [percentile(took, 95)])
    every = many.figures[f"queue: {EVERYTHING}, Daphne"]
    reader.part.add(
        f"queue: {EVERYTHING}, Daphne {many.name} p95, beside a page that shows nothing",
        "ms",
        [percentile(every, 95)],
        against=nothing,
    )


def _check_lists(reader: Reader) -> None:
    """Look at the plans of every list there is, also of those that were not timed."""
    client = Client(SERVER_NAME="localhost", headers=reader.cookie)
    bearer = {"Authorization": f"Bearer {world.token(reader.place)}"}
    program = Client(SERVER_NAME="localhost", headers=bearer)
    filling.others(reader.place, OTHERS)
    world.tidy()
    start, faults = f"/w/{reader.place.slug}", reader.part.faults
    for path in PAGES:
        faults += objections_to(f"{start}/{path}", client.get)
    for path in ENDPOINTS:
        faults += objections_to(f"/api/v1/{path}", program.get)
    for query in FILTERS.values():
        most = VISITED_OPEN_AT_MOST if query else plans.VISITED_AT_MOST
        faults += objections_to(f"{start}/queue/?{query}", client.get, at_most=most)
    for path in OPEN_ENDPOINTS:
        faults += objections_to(f"/api/v1/{path}", program.get, at_most=VISITED_OPEN_AT_MOST)
    reader.part.remarks += objections_to(SWEEP, lambda _at: sweep())
