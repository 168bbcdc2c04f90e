"""In a hand: the documents kept as States, by the operations that everybody else calls.

A version is written by `commit` with its line in the ledger, as in production. What changed is
handed over, as agents and people do; how long it takes to find it out is told apart.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise

from django.db import connection, transaction

from benchmarks import world
from benchmarks.documents import Document, Load, versions
from benchmarks.footprints import footprint
from benchmarks.keeping import Written, timed
from console.actors import Actor, agent
from console.ids import new_id
from console.ledger.operations.appending import append
from console.paging import page
from snapshots import queries
from snapshots.diff import Change, diff
from snapshots.models import Snapshot
from snapshots.operations.committing import Cause, commit
from snapshots.operations.creating import create_state
from snapshots.operations.restoring import restore
from snapshots.queries import Head

SLUG = "states"
# Steps that two processes take in turns, after those that one takes.
FURTHER = 10
TABLES = ("snapshots_state", "snapshots_snapshot", "snapshots_part")
LEDGER = ("ledger_entry", "ledger_chain")


@dataclass(slots=True)
class Kept:
    """One State, and what each of its snapshots must give back."""

    head: Head
    documents: list[Document]
    steps: list[list[Change]]
    compared: list[float]
    cause: str

    def commit(self, changes: list[Change]) -> float:
        """Write the next version and return the milliseconds of the call alone."""
        work = functools.partial(
            commit,
            actor=clerk(),
            base=self.head,
            changes=changes,
            cause=Cause("outside", f"{self.cause}:{self.head.number}"),
            reason="Benchmark",
            now=datetime.now(UTC),
        )
        return self._moved(work)

    def restore(self, number: int) -> float:
        """Make an older content the newest and return the milliseconds of the call alone."""
        work = functools.partial(
            restore,
            actor=clerk(),
            base=self.head,
            number=number,
            cause_id=f"{self.cause}:{self.head.number}",
            reason="Benchmark",
            now=datetime.now(UTC),
        )
        return self._moved(work)

    def read(self, number: int) -> float:
        """Read one version and return the milliseconds of the call alone."""
        took, found = timed(functools.partial(queries.content, self.head.state_id, number))
        if found != self.documents[number - 1]:
            raise RuntimeError(f"Snapshot {number} gave back another document than it got.")
        return took

    def _moved(self, work: Callable[[], Snapshot]) -> float:
        took, row = timed(work)
        self.head = replace(self.head, number=row.number, digest=row.digest, epoch=row.epoch)
        return took


_kept: list[Kept] = []


def write(load: Load) -> Written:
    """Commit every step of every document; later questions are about these."""
    longer = replace(load, steps=load.steps + FURTHER)
    _kept[:] = [begun(longer, seed) for seed in range(load.documents)]
    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")
        before, untold = footprint(cursor, TABLES), footprint(cursor, LEDGER)
        took = [kept.commit(changes) for kept in _kept for changes in kept.steps[: load.steps]]
        after, told = footprint(cursor, TABLES), footprint(cursor, LEDGER)
    table_bytes, log_bytes = after.since(before, len(took))
    ledger_bytes, _ = told.since(untold, len(took))
    compared = [each for kept in _kept for each in kept.compared]
    return Written(took, table_bytes, log_bytes, ledger_bytes, compared)


def first() -> Head:
    """Return where the first State stands."""
    return _kept[0].head


def follow(load: Load, head: Head) -> None:
    """Take over the first State of another process, with the steps that lie before it."""
    documents, steps, _ = _steps(replace(load, steps=load.steps + FURTHER), seed=0)
    _kept[:] = [Kept(head, documents, steps, [], str(new_id()))]


def take_turn(head: Head) -> tuple[float, Head]:
    """Commit the next step of the first State, which another process has written to."""
    kept = _kept[0]
    kept.head = head
    took = kept.commit(kept.steps[head.number - 1])
    return took, kept.head


def say(times: int) -> list[float]:
    """Commit a line in the ledger and nothing else: no version is written in less."""
    return [timed(_said)[0] for _ in range(times)]


def read_newest(times: int) -> list[float]:
    """Read the newest version, some times."""
    return [kept.read(kept.head.number) for kept in _chosen(times)]


def read_any(times: int) -> list[float]:
    """Read versions from all over the history."""
    return [kept.read(1 + nth * 37 % kept.head.number) for nth, kept in enumerate(_chosen(times))]


def read_again(times: int) -> list[float]:
    """Read versions that were read a moment ago."""
    found = []
    for nth, kept in enumerate(_chosen(times)):
        number = 1 + nth * 37 % kept.head.number
        kept.read(number)
        found.append(kept.read(number))
    return found


def list_history(times: int, size: int) -> list[float]:
    """List the newest versions: what each is, since when, because of what and whom."""
    return [timed(functools.partial(_listed, kept, size))[0] for kept in _chosen(times)]


def roll_back(times: int) -> list[float]:
    """Make the content of an early version the newest again, of another one each time."""
    return [kept.restore(2 + nth) for nth, kept in enumerate(_chosen(times))]


def begun(load: Load, seed: int) -> Kept:
    """Return a new State that holds the first document, and the steps that lie before it."""
    documents, steps, compared = _steps(load, seed)
    head = create_state(
        actor=clerk(),
        key=f"bench/{new_id()}",
        document=documents[0],
        reason="Benchmark",
        now=datetime.now(UTC),
    )
    return Kept(head, documents, steps, compared, str(new_id()))


def _steps(load: Load, seed: int) -> tuple[list[Document], list[list[Change]], list[float]]:
    documents = versions(load, seed)
    found = [timed(functools.partial(diff, old, new)) for old, new in pairwise(documents)]
    return documents, [changes for _, changes in found], [took for took, _ in found]


def _said() -> None:
    with transaction.atomic():
        append(clerk(), "bench.said", f"state:{_kept[0].head.state_id}", {"number": 1})


def _listed(kept: Kept, size: int) -> None:
    rows = queries.snapshots(kept.head.workspace_id, kept.head.state_id)
    found = page(rows, by="number", size=size).rows
    if len(found) != size:
        raise RuntimeError(f"{len(found)} snapshots were listed of {size}.")


def _chosen(times: int) -> list[Kept]:
    return [_kept[nth % len(_kept)] for nth in range(times)]


@functools.cache
def clerk() -> Actor:
    """Return who writes here: an agent, as mostly."""
    return agent("clerk", world.workspace(SLUG).id, behind="client:bench")
