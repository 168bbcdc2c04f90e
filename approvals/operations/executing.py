"""Carry out what was approved: once, as approved, or not at all.

A local effect without a hold is carried out in the transaction of the deciding vote. A held one
is carried out by the sender when its time has come, after everything was checked again.
"""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from approvals import lifecycle, policy, queries
from approvals.models import BreakGlass, Execution, Proposal, Revision
from approvals.operations.evaluating import DeniedByPolicy
from approvals.operations.exposing import finish, release
from approvals.operations.previewing import EffectImpossible
from approvals.operations.revising import reopen
from approvals.operations.settling import announce, wake
from approvals.operations.telling import tell_failed
from approvals.operations.verifying import (
    Altered,
    Ground,
    LimitExceeded,
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
from snapshots.operations.committing import Cause, commit, lock

logger = logging.getLogger(__name__)

# How long after its hold something may be carried out although its deadline has passed.
LATE_AT_MOST = timedelta(minutes=15)


class NotAgreed(Conflict):
    """Too few of those who approved may still do so. Nothing was changed."""

    code = "not_agreed"


class TooLateToExecute(Conflict):
    """It was approved in time, but could not be carried out before its deadline."""

    code = "too_late_to_execute"


def carry_out_or_hold(
    ground: Ground, actor: Actor, *, glass: BreakGlass | None = None
) -> Execution:
    """Execute an approved revision now, or hold it as its terms say; an emergency waits for nobody.

    Part of the deciding transaction, which holds the locks on State and proposal. Where limits
    hold, it has verified the terms before its first line in the ledger, so the buckets are its own.
    """
    hold = timedelta(seconds=0 if glass else ground.terms.hold_seconds)
    execution = Execution.objects.create(
        workspace_id=ground.proposal.workspace_id,
        proposal=ground.proposal,
        revision=ground.current.number,
        digest=ground.current.digest,
        status="held",
        created_at=ground.now,
        due_at=ground.now + hold,
        break_glass=glass,
    )
    if not hold:
        _execute(execution, ground, actor)
    return execution


def carry_out_due(*, now: datetime, at_most: int = 50) -> int:
    """Execute what was held until now and return how many were looked at."""
    due = Execution.objects.filter(status="held", due_at__lte=now).order_by("due_at")
    found = list(due.values_list("id", "workspace_id")[:at_most])
    for execution_id, workspace_id in found:
        try:
            _carry_out_held(execution_id, system("sender", workspace_id), now)
        except Exception:
            # One that fails in a new way must not hold up the others; it is tried again.
            logger.exception("execution %s failed", execution_id)
    return len(found)


def _carry_out_held(execution_id: UUID, actor: Actor, now: datetime) -> None:
    """Execute what is held, give it back to people where they have to agree anew, or drop it."""
    with transaction.atomic(durable=True):
        execution, ground = _locked(execution_id, actor, now)
        if execution.status != "held" or ground.proposal.status != "approved":
            return
        try:
            _execute(execution, ground, actor)
        except (PolicyChanged, LimitExceeded) as refused:
            _give_back(execution, ground, actor, refused.sentence)
        except (
            WorldChanged,
            NotAgreed,
            EffectImpossible,
            DeniedByPolicy,
            TooLateToExecute,
            Altered,
        ) as refused:
            _drop(execution, ground, actor, refused.sentence)


def _locked(execution_id: UUID, actor: Actor, now: datetime) -> tuple[Execution, Ground]:
    peek = Execution.objects.select_related("proposal").get(id=execution_id)
    head = lock(actor.workspace_id, peek.proposal.state_id)
    rows = Proposal.objects.select_for_update(no_key=True, of=("self",))
    proposal = rows.select_related("action_type").get(id=peek.proposal_id)
    execution = Execution.objects.select_for_update(no_key=True).get(id=execution_id)
    revision = Revision.objects.get(proposal=proposal, number=execution.revision)
    return execution, Ground(head, proposal, revision, now)


def _execute(execution: Execution, ground: Ground, actor: Actor) -> None:
    """Verify everything once more, then make the effect the State's next snapshot."""
    _refuse_unless_what_was_approved(execution, ground)
    _refuse_if_too_late(execution, ground)
    verify_effect(ground)
    # Who broke the glass answers for the rest, and two others look at it.
    if execution.break_glass_id is None:
        _refuse_unless_agreed(ground)
        verify_terms(ground)
    finish(ground.proposal, ground.now)
    snapshot = commit(
        actor=actor,
        base=ground.head,
        changes=ground.shown.changes,
        cause=Cause("proposal", str(ground.proposal.id)),
        reason=ground.proposal.title,
        now=ground.now,
    )
    execution.status, execution.executed_at = "succeeded", ground.now
    execution.snapshot_number = snapshot.number
    execution.save(update_fields=["status", "executed_at", "snapshot_number"])
    body: dict[str, Json] = {"revision": ground.current.number, "snapshot": snapshot.number}
    append(actor, "execution.succeeded", f"proposal:{ground.proposal.id}", body)
    _ring(ground.proposal)


def _ring(proposal: Proposal) -> None:
    wake(proposal)
    ring_task("approvals.rebase", str(proposal.state_id))
    if proposal.action_type.effect == EFFECT:
        ring_task("approvals.reevaluate", str(proposal.workspace_id))
    announce(proposal.id, proposal.workspace_id)


def _refuse_unless_what_was_approved(execution: Execution, ground: Ground) -> None:
    approved = (ground.proposal.revision, execution.digest)
    if approved != (ground.current.number, ground.current.digest):
        raise Altered


def _refuse_if_too_late(execution: Execution, ground: Ground) -> None:
    """Refuse what waited past its deadline, unless it waited for nothing but its hold."""
    if ground.now >= max(ground.proposal.due_at, execution.due_at + LATE_AT_MOST):
        raise TooLateToExecute


def _refuse_unless_agreed(ground: Ground) -> None:
    if ground.terms.level == AUTO:
        return
    votes = queries.votes(ground.proposal, ground.current.number)
    question = queries.question(ground.proposal, ground.current, ground.now)
    if policy.outcome(question, votes) != "approved":
        raise NotAgreed


def _give_back(execution: Execution, ground: Ground, actor: Actor, why: str) -> None:
    """Let it wait for people again, as a new revision that says why."""
    try:
        reopen(
            ground.proposal,
            ground.current,
            ground.shown,
            actor=actor,
            why=f"Not carried out: {why}"[:200],
            now=ground.now,
        )
    except DeniedByPolicy as refused:
        _drop(execution, ground, actor, refused.sentence)
        return
    execution.status, execution.problem = "recalled", why[:500]
    execution.save(update_fields=["status", "problem"])
    about = f"proposal:{ground.proposal.id}"
    append(actor, "execution.given_back", about, {"reason": why})
    announce(ground.proposal.id, ground.proposal.workspace_id)


def _drop(execution: Execution, ground: Ground, actor: Actor, why: str) -> None:
    execution.status, execution.problem = "failed", why[:500]
    execution.save(update_fields=["status", "problem"])
    proposal = ground.proposal
    if lifecycle.may_move(proposal.status, "stale"):
        proposal.status, proposal.settled_at = "stale", ground.now
        proposal.settled_by, proposal.settled_reason = actor.name, why
        proposal.save(update_fields=["status", "settled_at", "settled_by", "settled_reason"])
    release(proposal)
    tell_failed(proposal, now=ground.now)
    append(actor, "execution.failed", f"proposal:{proposal.id}", {"reason": why})
    wake(proposal)
    announce(proposal.id, proposal.workspace_id)
