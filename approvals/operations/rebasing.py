"""Bring an open proposal up to the State as it stands now, as a new revision that says so."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from approvals import lifecycle
from approvals.models import Proposal, Revision
from approvals.operations.previewing import EffectImpossible, Preview, preview
from approvals.operations.revising import revise
from approvals.operations.settling import announce, settle
from console.actors import Actor
from console.canonical import Json
from console.errors import NotFound
from console.ledger.operations.appending import append
from snapshots.diff import Change
from snapshots.operations.committing import lock

logger = logging.getLogger(__name__)

BROUGHT_BACK = "The State was brought back after this was proposed."


def rebase(*, actor: Actor, proposal_id: UUID, now: datetime) -> int:
    """Preview the action on the newest snapshot and return the number of the current revision.

    Earlier approvals stay with the revision they were given to. Where the action is no longer
    possible the proposal becomes stale and its proposer is told. One that was made before its
    State was brought back is not brought along: it is invalidated.
    Locks: the State, then the proposal. Raises: NotFound (404).
    """
    with transaction.atomic(durable=True):
        rows = Proposal.objects.filter(workspace_id=actor.workspace_id, id=proposal_id)
        state_id = rows.values_list("state_id", flat=True).first()
        if state_id is None:
            raise NotFound
        head = lock(actor.workspace_id, state_id)
        proposal = (
            rows.select_for_update(no_key=True, of=("self",)).select_related("action_type").get()
        )
        if not lifecycle.is_open(proposal.status) or proposal.base_number == head.number:
            return proposal.revision
        current = Revision.objects.get(proposal=proposal, number=proposal.revision)
        if current.base_epoch != head.epoch:
            settle(proposal, "invalidated", actor=actor, reason=BROUGHT_BACK, now=now)
            return proposal.revision
        stated = [Change.from_json(item) for item in current.stated or []]
        try:
            shown = preview(proposal.action_type, current.params, stated, head)
        except EffectImpossible as refused:
            settle(proposal, "stale", actor=actor, reason=refused.sentence, now=now)
            return proposal.revision
        _revise(actor, proposal, current, shown, now)
    return proposal.revision


def rebase_all(*, actor: Actor, state_id: UUID, now: datetime) -> int:
    """Rebase every open proposal on a State that was made on an older snapshot."""
    rows = Proposal.objects.filter(
        workspace_id=actor.workspace_id, state_id=state_id, status__in=lifecycle.OPEN
    )
    found = list(rows.order_by("rank").values_list("id", flat=True))
    for proposal_id in found:
        try:
            rebase(actor=actor, proposal_id=proposal_id, now=now)
        except Exception:
            # One that fails in a new way must not hold up the others; it is tried again.
            logger.exception("proposal %s was not rebased", proposal_id)
    return len(found)


def _revise(
    actor: Actor, proposal: Proposal, current: Revision, shown: Preview, now: datetime
) -> None:
    same = [change.to_json() for change in shown.changes] == current.changes
    why = "The record moved elsewhere; this effect is unchanged." if same else "The record moved."
    revise(proposal, current, shown, actor=actor, why=why, now=now)
    body: dict[str, Json] = {
        "revision": proposal.revision,
        "digest": shown.digest,
        "base": shown.base.number,
        "same_effect": same,
    }
    append(actor, "proposal.rebased", f"proposal:{proposal.id}", body)
    announce(proposal.id, proposal.workspace_id)
