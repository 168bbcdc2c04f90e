"""Carry out what was approved: once, as approved, or not at all.

A local effect without a hold is carried out in the transaction of the deciding vote. A held one
is carried out by the sender when its time has come, after everything was checked again. What
leaves the house is left to the sender in any case: see dispatching.
"""

import contextlib
import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db import Error, OperationalError, close_old_connections, transaction
from django.db.models import F, Q, QuerySet

from approvals import lifecycle, policy, queries, retrying
from approvals.models import BreakGlass, Execution, Proposal
from approvals.operations.evaluating import DeniedByPolicy
from approvals.operations.exposing import finish
from approvals.operations.finding import find_execution
from approvals.operations.giving_up import drop, give_back
from approvals.operations.nudging import nudge
from approvals.operations.previewing import EffectImpossible
from approvals.operations.quarantining import set_aside
from approvals.operations.settling import announce, wake
from approvals.operations.undoing import note_undone
from approvals.operations.verifying import (
    Altered,
    Ground,
    LimitExceeded,
    OutletChanged,
    PolicyChanged,
    WorldChanged,
    verify_effect,
    verify_terms,
)
from approvals.policy import AUTO
from approvals.rulebook import EFFECT
from console.actors import Actor, system
from console.canonical import Json
from console.doorbell.operations.ringing import ring_task
from console.errors import Conflict
from console.ledger.operations.appending import append
from console.locking import Busy
from snapshots.operations.committing import Cause, commit

logger = logging.getLogger(__name__)

LOOK_AGAIN = timedelta(seconds=1)


class NotAgreed(Conflict):
    """Too few of those who approved may still do so. Nothing was changed."""

    code = "not_agreed"


class TooLateToExecute(Conflict):
    """It was approved in time, but could not be carried out before its deadline."""

    code = "too_late_to_execute"


# People may agree anew to the one; of the other, nothing is left to agree to.
GIVEN_BACK = (PolicyChanged, LimitExceeded, OutletChanged)
DROPPED = (
    WorldChanged,
    NotAgreed,
    EffectImpossible,
    DeniedByPolicy,
    TooLateToExecute,
    Altered,
)


def carry_out_or_hold(
    ground: Ground, actor: Actor, *, glass: BreakGlass | None = None
) -> Execution:
    """Execute an approved revision now, or hold it as its terms say; an emergency waits for nobody.

    What leaves the house is made ready for the sender instead of executed. Part of the deciding
    transaction, which holds the locks on State and proposal. Where limits hold, it has verified
    the terms before its first line in the ledger, so the buckets are its own.
    """
    hold = timedelta(seconds=0 if glass else ground.terms.hold_seconds)
    outlet = ground.current.outlet or {}
    execution = Execution.objects.create(
        workspace_id=ground.proposal.workspace_id,
        proposal=ground.proposal,
        revision=ground.current.number,
        digest=ground.current.digest,
        state_id=ground.head.state_id,
        connector=outlet.get("connector", ""),
        retry_class=outlet.get("retry_class", "local"),
        status="ready" if outlet and not hold else "held",
        created_at=ground.now,
        due_at=ground.now + hold,
        next_at=ground.now + hold if outlet else None,
        break_glass=glass,
    )
    if outlet:
        nudge()
    elif not hold:
        _execute(execution, ground, actor)
    return execution


def carry_out_due(*, now: datetime, at_most: int = 50) -> int:
    """Execute what was held here until now and return how many were begun."""
    due = _held(now).filter(due_at__lte=now).order_by("due_at")
    found = list(due.values_list("id", "workspace_id")[:at_most])
    return sum(_try(each, system("sender", workspace_id), now) for each, workspace_id in found)


def _held(now: datetime) -> QuerySet[Execution]:
    rows = Execution.objects.filter(status="held", retry_class="local")
    return rows.filter(Q(next_at=None) | Q(next_at__lte=now))


def _try(execution_id: UUID, actor: Actor, now: datetime) -> bool:
    """Execute one if it can be begun, so that none that fails in a new way holds up the others."""
    try:
        if not _begun(execution_id, now):
            return False
        _carry_out_held(execution_id, actor, now)
    except Busy:
        # Somebody else worked on its record: that says nothing of it.
        _uncount(execution_id, now)
    except OperationalError:
        with contextlib.suppress(Error):
            close_old_connections()
            _uncount(execution_id, now)
        raise
    except Exception:
        logger.exception("execution %s failed", execution_id)
    return True


def _begun(execution_id: UUID, now: datetime) -> bool:
    """Count one more try before anything of it runs, or set it aside for people after too many."""
    with transaction.atomic(durable=True):
        rows = _held(now).select_for_update(no_key=True, skip_locked=True)
        execution = rows.filter(id=execution_id).first()
        if execution is None:
            return False
        if execution.tries >= lifecycle.TRIES_AT_MOST:
            set_aside(execution, now)
            return False
        execution.tries += 1
        execution.next_at = retrying.after_try(execution.tries, now)
        execution.save(update_fields=["tries", "next_at"])
    return True


def _uncount(execution_id: UUID, now: datetime) -> None:
    rows = Execution.objects.filter(id=execution_id, status="held", tries__gt=0)
    rows.update(tries=F("tries") - 1, next_at=now + LOOK_AGAIN)


def _carry_out_held(execution_id: UUID, actor: Actor, now: datetime) -> None:
    """Execute what is held, give it back to people where they have to agree anew, or drop it."""
    with transaction.atomic(durable=True):
        execution, ground = find_execution(actor, execution_id, now)
        if execution.status != "held" or ground.proposal.status != "approved":
            return
        try:
            _execute(execution, ground, actor)
        except GIVEN_BACK as refused:
            give_back(execution, ground, actor, refused.sentence)
        except DROPPED as refused:
            drop(execution, ground, actor, refused.sentence)


def verify_approved(execution: Execution, ground: Ground) -> None:
    """Verify once more that exactly this was approved, and that it may still be carried out.

    Locks: the buckets of its limits. Raises: what `GIVEN_BACK` and `DROPPED` name.
    """
    _refuse_unless_what_was_approved(execution, ground)
    verify_effect(ground)
    # Who broke the glass answers for the rest, and two others look at it.
    if execution.break_glass_id is None:
        _refuse_unless_agreed(ground)
        verify_terms(ground)


def _execute(execution: Execution, ground: Ground, actor: Actor) -> None:
    """Verify everything once more, then make the effect the State's next snapshot."""
    refuse_if_too_late(execution, ground)
    verify_approved(execution, ground)
    finish(ground.proposal, ground.now)
    note_undone(ground.proposal, actor, ground.now)
    snapshot = commit(
        actor=actor,
        base=ground.head,
        changes=ground.shown.changes,
        cause=Cause("proposal", str(ground.proposal.id)),
        reason=ground.proposal.title,
        now=ground.now,
    )
    execution.status, execution.executed_at = "succeeded", ground.now
    execution.snapshot_number, execution.problem = snapshot.number, ""
    execution.save(update_fields=["status", "executed_at", "snapshot_number", "problem"])
    body: dict[str, Json] = {"revision": ground.current.number, "snapshot": snapshot.number}
    append(actor, "execution.succeeded", f"proposal:{ground.proposal.id}", body)
    ring_after(ground.proposal)


def ring_after(proposal: Proposal) -> None:
    """Ring for everybody who waits for what was carried out."""
    wake(proposal)
    ring_task("approvals.rebase", str(proposal.state_id))
    if proposal.action_type.effect == EFFECT:
        ring_task("approvals.reevaluate", str(proposal.workspace_id))
    announce(proposal.id, proposal.workspace_id)


def _refuse_unless_what_was_approved(execution: Execution, ground: Ground) -> None:
    approved = (ground.proposal.revision, execution.digest)
    if approved != (ground.current.number, ground.current.digest):
        raise Altered


def refuse_if_too_late(execution: Execution, ground: Ground) -> None:
    """Refuse what waited past its deadline, unless it waited for nothing but its hold."""
    if retrying.is_too_late(ground.proposal.due_at, execution.due_at, ground.now):
        raise TooLateToExecute


def _refuse_unless_agreed(ground: Ground) -> None:
    if ground.terms.level == AUTO:
        return
    votes = queries.votes(ground.proposal, ground.current.number)
    question = queries.question(ground.proposal, ground.current, ground.now)
    if policy.outcome(question, votes) != "approved":
        raise NotAgreed
