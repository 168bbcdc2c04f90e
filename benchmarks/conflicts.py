"""How long does it take to see whether a proposal fits a record that went on meanwhile?

Sixty operations, made for a version of a 1 MB record that a thousand newer ones lie behind. Each
of these changed one record in a hundred; nobody touched what the proposal changes.
"""

import functools
import time
from datetime import UTC, datetime

from django.db import transaction

from benchmarks import own_states, world
from benchmarks.documents import Document, Load
from benchmarks.figures import Part
from benchmarks.keeping import timed
from benchmarks.own_states import Kept
from console.ids import new_id
from snapshots.diff import Change
from snapshots.operations.committing import Cause, PathConflict, commit
from snapshots.queries import Head
from snapshots.queries.conflicting import conflicts_with

SIZE, OPERATIONS, TIMES = 1_000_000, 60, 3


def measure(*, rounds: int, quick: bool) -> Part:
    """Return milliseconds of a check, of a commit that merges, and of one that need not."""
    part, newer = Part("conflicts"), 100 if quick else 1_000
    kept = own_states.begun(Load(SIZE, "scattered", 1, newer), seed=0)
    base = kept.head
    for changes in kept.steps:
        kept.commit(changes)
    world.tidy()
    proposed = _disjoint(kept.documents[0])
    times = TIMES * (rounds + 1)
    name = f"{OPERATIONS} operations"
    check = functools.partial(conflicts_with, base.state_id, base.number, proposed)
    checks = [timed(check) for _ in range(times)]
    part.faults += [f"{found[0]} is no conflict." for _, found in checks if found]
    direct = [_committed(kept.head, proposed) for _ in range(times)]
    merged = [_committed(base, proposed) for _ in range(times)]
    refused = [_refused(base, kept) for _ in range(times)]
    plain = part.add(f"{name} on the newest", "ms", direct, called="a commit on the newest")
    part.add(f"{name} against {newer:,} newer: check", "ms", [took for took, _ in checks])
    part.add(f"{name} against {newer:,} newer: merged", "ms", merged, against=plain)
    part.add(f"{name} against {newer:,} newer: refused", "ms", refused, against=plain)
    return part


def _disjoint(document: Document) -> list[Change]:
    """Return changes of members that no step touches."""
    keys = list(document["memory"])[:: max(1, len(document["memory"]) // OPERATIONS)]
    return [
        Change("replace", f"/memory/{key}/kind", document["memory"][key]["kind"], "checked")
        for key in keys[:OPERATIONS]
    ]


def _committed(base: Head, changes: list[Change]) -> float:
    """Return the milliseconds of a commit that is then undone, so that the next is like it."""
    with transaction.atomic():
        took, _ = timed(functools.partial(_commit, base, changes))
        transaction.set_rollback(True)
    return took


def _refused(base: Head, kept: Kept) -> float:
    """Return the milliseconds until somebody is told whose change is in the way."""
    began = time.perf_counter()
    try:
        with transaction.atomic():
            _commit(base, kept.steps[0])
    except PathConflict:
        return (time.perf_counter() - began) * 1000
    raise RuntimeError("Two changed the same place, and nobody was told.")


def _commit(base: Head, changes: list[Change]) -> None:
    commit(
        actor=own_states.clerk(),
        base=base,
        changes=changes,
        cause=Cause("outside", str(new_id())),
        reason="Benchmark",
        now=datetime.now(UTC),
        merge=True,
    )
