"""Does the ten thousandth version of a State cost more than the first?

Two States of 1 KB are written to in turns: one that is new, and one with ten thousand versions.
"""

import functools
import statistics

from django.db import connection

from benchmarks import chains, own_states, world
from benchmarks.documents import Load
from benchmarks.figures import Part
from benchmarks.own_states import Kept
from benchmarks.pages import timed_often
from console.paging import page
from snapshots import queries

SIZE, WAY = 1_000, "scattered"
STEPS, ASKED, SHOWN = 100, 60, 50
GROWN_AT_MOST = 1.3
MEASURED = {"write": "ms", "read the newest": "ms", f"history of {SHOWN}": "ms", "row": "bytes"}
_ROW_BYTES = """
    SELECT avg(pg_column_size(version.*))::float FROM snapshots_snapshot AS version
    WHERE state_id = %s AND number > %s
"""


def measure(*, rounds: int, quick: bool) -> Part:
    """Return what a version of an old State costs next to one of a new State."""
    part = Part("late versions")
    old = _old(2_000 if quick else 10_000, steps=STEPS * (rounds + 1))
    number = old.head.number
    early: list[dict[str, float]] = []
    late: list[dict[str, float]] = []
    for turn in range(rounds):
        world.tidy()
        young = own_states.begun(Load(SIZE, WAY, 1, STEPS), seed=turn + 1)
        first, last = _measured(young, old, STEPS * (turn + 1))
        early.append(first)
        late.append(last)
    for name, unit in MEASURED.items():
        title, values = f"{name}, {STEPS} versions from", [each[name] for each in early]
        first_ones = part.add(f"{title} 1 on", unit, values, called="the first")
        values = [each[name] for each in late]
        promised = GROWN_AT_MOST
        part.add(f"{title} {number:,} on", unit, values, against=first_ones, at_most=promised)
    return part


def _old(total: int, steps: int) -> Kept:
    """Return a State with many versions, and further steps that continue them."""
    old = own_states.begun(Load(SIZE, WAY, 1, steps), seed=0)
    for changes in old.steps[:STEPS]:
        old.commit(changes)
    chains.fill(chains.stretch(old.head.state_id), total)
    old.head = queries.head(old.head.workspace_id, old.head.state_id)
    return old


def _measured(young: Kept, old: Kept, begin: int) -> tuple[dict[str, float], dict[str, float]]:
    from_numbers = young.head.number, old.head.number
    pairs = zip(young.steps, old.steps[begin : begin + STEPS], strict=True)
    took = [(young.commit(mine), old.commit(theirs)) for mine, theirs in pairs]
    return (
        _told(young, from_numbers[0], [mine for mine, _ in took]),
        _told(old, from_numbers[1], [theirs for _, theirs in took]),
    )


def _told(kept: Kept, number: int, took: list[float]) -> dict[str, float]:
    head = kept.head
    rows = queries.snapshots(head.workspace_id, head.state_id)
    read = timed_often(functools.partial(queries.content, head.state_id, head.number), ASKED)
    listed = timed_often(functools.partial(page, rows, by="number", size=SHOWN), ASKED)
    with connection.cursor() as cursor:
        cursor.execute(_ROW_BYTES, [head.state_id, number])
        [row_bytes] = cursor.fetchone()
    values = (statistics.median(took), statistics.median(read), statistics.median(listed))
    return dict(zip(MEASURED, (*values, row_bytes), strict=True))
