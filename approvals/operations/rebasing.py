"""Bring an open proposal up to the State as it stands now, as a new revision that says so."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from approvals import lifecycle
from approvals.models import Proposal
from approvals.operations.evaluating import DeniedByPolicy
from approvals.operations.finding import find_with_state
from approvals.operations.framing import frame_again
from approvals.operations.previewing import EffectImpossible
from approvals.operations.revising import revise
from approvals.operations.settling import announce, settle
from approvals.operations.verifying import Ground
from console.actors import Actor
from console.canonical import Json
from console.ledger.operations.appending import append

logger = logging.getLogger(__name__)

BROUGHT_BACK = "The State was brought back after this was proposed."
MOVED = "The record moved."
MOVED_ELSEWHERE = "The record moved elsewhere; this effect is unchanged."
OTHER_EFFECT = "The action would do something else by now."
OTHER_TERMS = "The policies or their limits ask for something else now."


def rebase(*, actor: Actor, proposal_id: UUID, now: datetime) -> int:
    """Word the action anew where record, policies or limits moved; return the current revision.

    Earlier approvals stay with the revision they were given to. Where the action is no longer
    possible the proposal becomes stale and its proposer is told. What the policies deny by now, and
    what was made before its State was brought back, is invalidated.
    Locks: the State, then the proposal. Raises: NotFound (404).
    """
    with transaction.atomic(durable=True):
        head, proposal, current = find_with_state(actor, proposal_id)
        if not lifecycle.is_open(proposal.status):
            return proposal.revision
        if current.base_epoch != head.epoch:
            settle(proposal, "invalidated", actor=actor, reason=BROUGHT_BACK, now=now)
            return proposal.revision
        _bring_up(Ground(head, proposal, current, now), actor)
    return proposal.revision


def _bring_up(ground: Ground, actor: Actor) -> None:
    proposal = ground.proposal
    try:
        if why := _why_anew(ground):
            _revise(actor, ground, why)
    except DeniedByPolicy as refused:
        settle(proposal, "invalidated", actor=actor, reason=refused.sentence, now=ground.now)
    except EffectImpossible as refused:
        settle(proposal, "stale", actor=actor, reason=refused.sentence, now=ground.now)


def _why_anew(ground: Ground) -> str:
    """Say why a new wording is needed, or nothing when the one there is stands as it is.

    Raises: EffectImpossible (422), DeniedByPolicy (403).
    """
    if ground.proposal.base_number != ground.head.number:
        same = [change.to_json() for change in ground.shown.changes] == ground.current.changes
        return MOVED_ELSEWHERE if same else MOVED
    if ground.shown.digest != ground.current.digest:
        return OTHER_EFFECT
    asked = frame_again(ground.proposal, ground.current, ground.shown, ground.now)
    return "" if ground.terms.same_demands(asked.terms) else OTHER_TERMS


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


def _revise(actor: Actor, ground: Ground, why: str) -> None:
    proposal, shown = ground.proposal, ground.shown
    revise(proposal, ground.current, shown, actor=actor, why=why, now=ground.now)
    body: dict[str, Json] = {
        "revision": proposal.revision,
        "digest": shown.digest,
        "base": shown.base.number,
        "same_effect": [change.to_json() for change in shown.changes] == ground.current.changes,
        "why": why,
    }
    append(actor, "proposal.rebased", f"proposal:{proposal.id}", body)
    announce(proposal.id, proposal.workspace_id)
