"""Carry out what was approved: once, as approved, or not at all.

A local effect without a hold is carried out in the transaction of the deciding vote. A held one
is carried out by the sender when its time has come, after everything was checked again.
"""

import logging
from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

from django.db import transaction

from approvals import lifecycle, policy, queries
from approvals.models import Execution, Proposal, Revision
from approvals.operations.previewing import EffectImpossible, preview
from approvals.operations.settling import announce, wake
from console.actors import Actor, system
from console.canonical import Json
from console.doorbell.operations.ringing import ring_task
from console.errors import Conflict
from console.ledger.operations.appending import append
from snapshots.diff import Change
from snapshots.operations.committing import Cause, commit, lock
from snapshots.queries import Head

logger = logging.getLogger(__name__)


class WorldChanged(Conflict):
    """The record changed after this proposal was made; load the new diff before you approve."""

    code = "world_changed"
    status: ClassVar[int] = 412


class NotAgreed(Conflict):
    """Too few of those who approved may still do so. Nothing was changed."""

    code = "not_agreed"


def carry_out_or_hold(
    proposal: Proposal, revision: Revision, head: Head, actor: Actor, now: datetime
) -> Execution:
    """Execute an approved revision now, or hold it as its terms say.

    Part of the deciding transaction, which holds the locks on State and proposal.
    """
    hold = timedelta(seconds=queries.terms_of(proposal, revision).hold_seconds)
    execution = Execution.objects.create(
        workspace_id=proposal.workspace_id,
        proposal=proposal,
        revision=revision.number,
        digest=revision.digest,
        status="held",
        created_at=now,
        due_at=now + hold,
    )
    if not hold:
        _execute(execution, proposal, revision, head, actor, now)
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
    with transaction.atomic(durable=True):
        peek = Execution.objects.select_related("proposal").get(id=execution_id)
        head = lock(actor.workspace_id, peek.proposal.state_id)
        proposal = Proposal.objects.select_for_update(no_key=True, of=("self",)).get(
            id=peek.proposal_id
        )
        execution = Execution.objects.select_for_update(no_key=True).get(id=execution_id)
        if execution.status != "held" or proposal.status != "approved":
            return
        revision = Revision.objects.get(proposal=proposal, number=execution.revision)
        try:
            _execute(execution, proposal, revision, head, actor, now)
        except (WorldChanged, NotAgreed, EffectImpossible) as refused:
            _drop(execution, proposal, actor, refused.sentence, now)


def _execute(
    execution: Execution,
    proposal: Proposal,
    revision: Revision,
    head: Head,
    actor: Actor,
    now: datetime,
) -> None:
    if (head.number, head.epoch) != (revision.base_number, revision.base_epoch):
        raise WorldChanged
    _refuse_unless_agreed(proposal, revision, now)
    stated = [Change.from_json(item) for item in revision.stated or []]
    effect = preview(proposal.action_type, revision.params, stated, head)
    if effect.digest != execution.digest:
        raise WorldChanged("The action would not do what was approved. Nothing was changed.")
    snapshot = commit(
        actor=actor,
        base=head,
        changes=effect.changes,
        cause=Cause("proposal", str(proposal.id)),
        reason=proposal.title,
        now=now,
    )
    execution.status, execution.executed_at = "succeeded", now
    execution.snapshot_number = snapshot.number
    execution.save(update_fields=["status", "executed_at", "snapshot_number"])
    body: dict[str, Json] = {"revision": revision.number, "snapshot": snapshot.number}
    append(actor, "execution.succeeded", f"proposal:{proposal.id}", body)
    wake(proposal)
    ring_task("approvals.rebase", str(proposal.state_id))
    announce(proposal.id, proposal.workspace_id)


def _refuse_unless_agreed(proposal: Proposal, revision: Revision, now: datetime) -> None:
    votes = queries.votes(proposal, revision.number)
    if policy.outcome(queries.question(proposal, revision, now), votes) != "approved":
        raise NotAgreed


def _drop(execution: Execution, proposal: Proposal, actor: Actor, why: str, now: datetime) -> None:
    execution.status, execution.problem = "failed", why[:500]
    execution.save(update_fields=["status", "problem"])
    if lifecycle.may_move(proposal.status, "stale"):
        proposal.status, proposal.settled_at, proposal.settled_reason = "stale", now, why
        proposal.settled_by = actor.name
        proposal.save(update_fields=["status", "settled_at", "settled_by", "settled_reason"])
    append(actor, "execution.failed", f"proposal:{proposal.id}", {"reason": why})
    wake(proposal)
    announce(proposal.id, proposal.workspace_id)
