"""What do people do about what machines cannot settle? They look at the bank's books, and say so.

Two who neither proposed nor decided agree on what became of a payment in doubt; an admin lets what
was set aside try again. Nobody says anything before the bank has certainly finished with it.
"""

import random
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from approvals.models import Attempt, Execution, Revision
from approvals.operations.quarantining import drop, try_again
from approvals.operations.resolving import resolve
from tests.chaos.bank import Books
from tests.chaos.workload import Workload, calmly
from tests.chaos.world import RESOLVERS, Place

# How long people wait for the machines first, by what the connector can do by itself.
GRACE_SECONDS = {"keyed": 25.0, "queryable": 15.0, "blind": 6.0}
DROPPED_SHARE = 0.2
SENT_AGAIN_SHARE = 0.5


def clear_always(chance: random.Random, workload: Workload, books: Books) -> None:
    """Look after everything in doubt, and everything set aside, until the workload is over."""
    while workload.pause(1.0):
        for place in workload.places:
            clear(chance, workload, books, place)


def clear(chance: random.Random, workload: Workload, books: Books, place: Place) -> None:
    """Look once."""
    for execution in calmly(lambda: _waiting(place), what="look") or []:
        if workload.is_over:
            return
        if execution.status == "quarantined":
            calmly(partial(_let_go, chance, workload, place, execution), what="quarantine")
        else:
            calmly(partial(_settle, workload, books, place, execution), what="resolve")


def _waiting(place: Place) -> list[Execution]:
    rows = Execution.objects.filter(workspace_id=place.id, status__in=["in_doubt", "quarantined"])
    return list(rows.order_by("id")[:200])


def _let_go(chance: random.Random, workload: Workload, place: Place, execution: Execution) -> None:
    ada = place.people["ada"].actor
    verb = drop if chance.random() < DROPPED_SHARE else try_again
    verb(actor=ada, execution_id=execution.id, reason="It died too often.", now=_now())
    workload.did[f"quarantined: {verb.__name__}"] += 1


def _settle(workload: Workload, books: Books, place: Place, execution: Execution) -> None:
    """Let both resolvers say what the bank's books say, once nothing more can come."""
    doubted, grace = execution.doubted_at, GRACE_SECONDS[execution.retry_class]
    if doubted is None or _now() - doubted < timedelta(seconds=grace):
        return
    ref = ref_of(execution)
    if books.is_under_way(ref):
        return
    entries = books.of(ref)
    attempt = Attempt.objects.filter(execution=execution).order_by("-number").first()
    assert attempt is not None
    said: dict[str, Any] = {
        "execution_id": execution.id,
        "attempt_number": attempt.number,
        "verdict": "executed" if entries else "absent",
        "reference": entries[0].key[:20] if entries else "",
        "evidence": "Read in the bank's own books.",
    }
    for name in RESOLVERS:
        actor = place.people[name].actor
        calmly(partial(resolve, actor=actor, now=_now(), **said), what="resolve")
    workload.did[f"resolved: {said['verdict']}"] += 1


def ref_of(execution: Execution) -> str:
    """Return the payment's own reference."""
    revision = Revision.objects.get(proposal=execution.proposal_id, number=execution.revision)
    return str(revision.params.get("ref", ""))


def _now() -> datetime:
    return datetime.now(UTC)
