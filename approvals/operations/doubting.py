"""Say of what was sent and never answered that nobody knows what became of it, and tell people."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from approvals.doubt import ask_again_at
from approvals.models import Attempt, Execution
from approvals.operations.alarming import overdue_since, tell_in_doubt, tell_overdue
from approvals.operations.settling import announce
from console.actors import Actor, system
from console.canonical import Json
from console.ledger.operations.appending import append
from console.live import ring
from console.notices.queries import told

LOOKED_AT = 200
NO_ANSWER = "No answer came before its deadline. Nobody knows whether it happened."


def doubt(execution: Execution, attempt: Attempt, *, actor: Actor, why: str, now: datetime) -> None:
    """Mark a locked execution in doubt after a sending; part of the caller's transaction.

    One that was sent again by itself is in doubt since the first time, and people know of it.
    """
    if execution.status not in {"sent", "in_doubt"}:
        raise RuntimeError(f"A {execution.status} execution is not in doubt.")
    if attempt.outcome:
        # It was answered for, so it did not kill its sender.
        execution.tries = 0
    _end(attempt, now)
    is_new = execution.doubt_due_at is None
    if is_new:
        execution.doubted_at, execution.doubt_due_at = now, now + settings.DOUBT_SLA
    _keep(execution, _next_turn(execution, now), now)
    if is_new:
        tell_in_doubt(execution, now=now)
    _write_down(execution, attempt, actor, why)


def doubt_again(execution: Execution, *, actor: Actor, why: str, now: datetime) -> None:
    """Leave a locked execution that was to be sent again in doubt once more, and tell people.

    Whoever has claimed it meanwhile does not send it. Part of the caller's transaction.
    """
    if mark_again(execution, why, now):
        tell_again(execution, actor=actor, why=why, now=now)


def mark_again(execution: Execution, why: str, now: datetime) -> bool:
    """Mark a locked execution that was to be sent again as in doubt; say whether it was one.

    The caller says so to people, once it knows that it stays so, or settles it.
    """
    if execution.status not in {"ready", "claimed", "quarantined"} or not execution.was_sent:
        return False
    execution.doubted_at, execution.doubt_due_at = now, now + settings.DOUBT_SLA
    execution.problem = why[:500]
    # People had a say in it before, and have it again: it does not go out by itself.
    _keep(execution, None, now)
    return True


def tell_again(execution: Execution, *, actor: Actor, why: str, now: datetime) -> None:
    """Tell people, and write down, that an execution is in doubt once more."""
    tell_in_doubt(execution, now=now)
    attempt = Attempt.objects.filter(execution=execution).latest("number")
    _write_down(execution, attempt, actor, why)


def _keep(execution: Execution, turn: datetime | None, now: datetime) -> None:
    execution.status = "in_doubt"
    # The provider is asked at once, where it can be.
    execution.next_at, execution.lease_until = now, turn
    execution.save(
        update_fields=[
            *("status", "doubted_at", "doubt_due_at", "next_at", "lease_until", "tries"),
            "problem",
        ]
    )


def _next_turn(execution: Execution, now: datetime) -> datetime | None:
    """Return when it may go out again by itself, where its provider takes one key once."""
    if execution.retry_class != "keyed":
        return None
    return ask_again_at(execution.doubted_at or now, execution.sent_at or now)


def _write_down(execution: Execution, attempt: Attempt, actor: Actor, why: str) -> None:
    body: dict[str, Json] = {
        "attempt": attempt.number,
        "connector": execution.connector,
        "reason": why,
        "due_at": execution.doubt_due_at.isoformat() if execution.doubt_due_at else "",
    }
    append(actor, "execution.in_doubt", f"proposal:{execution.proposal_id}", body)
    announce(execution.proposal_id, execution.workspace_id)
    ring("outside", execution.workspace_id)


def _end(attempt: Attempt, now: datetime) -> None:
    if not attempt.outcome:
        attempt.outcome, attempt.ended_at = "unknown", now
        attempt.save(update_fields=["outcome", "ended_at"])


def doubt_overdue(*, now: datetime, at_most: int = 50) -> int:
    """Mark in doubt what was sent and whose sender is over its deadline and its lease.

    Returns how many. A sender that still lives holds the row while it records; it is skipped.
    """
    overdue = Execution.objects.filter(_is_overdue(now)).order_by("lease_until")
    found = list(overdue.values_list("id", "workspace_id")[:at_most])
    return sum(_doubt_one(*each, now) for each in found)


def _is_overdue(now: datetime) -> Q:
    return Q(status="sent") & (Q(lease_until=None) | Q(lease_until__lte=now))


def _doubt_one(execution_id: UUID, workspace_id: UUID, now: datetime) -> bool:
    with transaction.atomic(durable=True):
        rows = Execution.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
        rows = rows.filter(_is_overdue(now), id=execution_id)
        execution = rows.select_related("proposal__workspace").first()
        if execution is None:
            return False
        attempt = Attempt.objects.filter(execution=execution).latest("number")
        if attempt.deadline_at > now:
            return False
        actor = system("reconciler", workspace_id)
        doubt(execution, attempt, actor=actor, why=NO_ANSWER, now=now)
    return True


def tell_doubts_overdue(*, now: datetime, at_most: int = 200) -> int:
    """Tell people of each doubt that lasts longer than was promised, once; return how many."""
    new = list(islice(_untold(now), at_most))
    for row in new:
        with transaction.atomic():
            tell_overdue(row, now=now)
            ring("outside", row.workspace_id)
    return len(new)


def _untold(now: datetime) -> Iterator[Execution]:
    """Return doubts that are overdue and that nobody was told of, the longest one first.

    However many were told of before, those after them are found.
    """
    rows = Execution.objects.filter(status="in_doubt", doubt_due_at__lte=now)
    rows = rows.select_related("proposal__workspace").order_by("doubt_due_at", "id")
    after = Q()
    while page := list(rows.filter(after)[:LOOKED_AT]):
        known = told("doubt.overdue", {(row.workspace_id, _subject(row)) for row in page})
        yield from (row for row in page if (_subject(row), overdue_since(row)) not in known)
        last = page[-1]
        after = Q(doubt_due_at__gt=last.doubt_due_at)
        after |= Q(doubt_due_at=last.doubt_due_at, id__gt=last.id)


def _subject(execution: Execution) -> str:
    return f"proposal:{execution.proposal_id}"
