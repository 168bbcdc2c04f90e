"""Ask the policies again about what waits, after they have changed."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from approvals import lifecycle, queries
from approvals.models import Proposal
from approvals.operations.evaluating import DeniedByPolicy
from approvals.operations.finding import find_with_state
from approvals.operations.framing import frame_again
from approvals.operations.previewing import EffectImpossible, preview_again
from approvals.operations.revising import revise
from approvals.operations.settling import announce, settle
from console.actors import Actor
from console.canonical import Json
from console.ledger.operations.appending import append

logger = logging.getLogger(__name__)

CHANGED = "The policies changed: other people, or more of them, have to agree now."


def reevaluate(*, actor: Actor, proposal_id: UUID, now: datetime) -> int:
    """Make a new revision of an open proposal if the policies now ask something else.

    Decisions stay with the wording they were given to. What the policies deny now is invalidated.
    One whose State has moved is left to be rebased, which asks the policies, too.
    Locks: the State, then the proposal. Raises: NotFound (404).
    """
    with transaction.atomic(durable=True):
        head, proposal, current = find_with_state(actor, proposal_id)
        if not lifecycle.is_open(proposal.status) or proposal.base_number != head.number:
            return proposal.revision
        try:
            shown = preview_again(proposal, current, head)
            asked = frame_again(proposal, current, shown, now).terms
            if not queries.terms_of(proposal, current).same_demands(asked):
                revise(proposal, current, shown, actor=actor, why=CHANGED, now=now)
                _tell(actor, proposal, shown.digest)
        except (EffectImpossible, DeniedByPolicy) as refused:
            settle(proposal, "invalidated", actor=actor, reason=refused.sentence, now=now)
    return proposal.revision


def reevaluate_all(*, actor: Actor, now: datetime) -> int:
    """Ask again about everything open in the workspace whose policies are not the ones in force."""
    number = queries.policies(actor.workspace_id).number
    rows = Proposal.objects.filter(
        workspace_id=actor.workspace_id, status__in=lifecycle.OPEN
    ).exclude(terms__number=number)
    found = list(rows.order_by("rank", "id").values_list("id", flat=True))
    for proposal_id in found:
        try:
            reevaluate(actor=actor, proposal_id=proposal_id, now=now)
        except Exception:
            # One that fails in a new way must not hold up the others; it is tried again.
            logger.exception("proposal %s was not evaluated again", proposal_id)
    return len(found)


def _tell(actor: Actor, proposal: Proposal, digest: str) -> None:
    body: dict[str, Json] = {
        "revision": proposal.revision,
        "digest": digest,
        "policy": f"{proposal.terms['policy']} v{proposal.terms['version']}",
    }
    append(actor, "proposal.reevaluated", f"proposal:{proposal.id}", body)
    announce(proposal.id, proposal.workspace_id)
