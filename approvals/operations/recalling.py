"""Take back an approval while not a byte of its execution has left."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from approvals import lifecycle, queries
from approvals.models import Decision, Execution, Proposal
from approvals.operations.evaluating import DeniedByPolicy
from approvals.operations.finding import find_with_state
from approvals.operations.previewing import EffectImpossible, preview_again
from approvals.operations.revising import reopen
from approvals.operations.settling import announce, settle
from console.access.rights import allows
from console.actors import Actor
from console.errors import Conflict, Forbidden, Invalid
from console.ledger.operations.appending import append

REASON_AT_MOST = 500


class TooLate(Conflict):
    """It is carried out or sent already, or was never held; nothing was recalled."""

    code = "too_late"


def may_recall(actor: Actor, *, has_approved: bool) -> bool:
    """Say whether an actor may take an approval back: whoever gave it, or an admin."""
    return has_approved or allows(actor.roles, "administer")


def recall(*, actor: Actor, proposal_id: UUID, reason: str, now: datetime) -> None:
    """Reopen an approved proposal before it is carried out, as a new revision.

    The approvals stay with the revision they were given to. Where the action has become
    impossible meanwhile, the proposal is stale instead.
    Locks: the State, then the proposal.
    Raises: TooLate (409), Forbidden (403), Invalid (422), NotFound (404).
    """
    if len(reason) > REASON_AT_MOST or "\x00" in reason:
        sentence = f"A reason has at most {REASON_AT_MOST} characters, none of them NUL."
        raise Invalid(sentence, field="reason")
    with transaction.atomic(durable=True):
        head, proposal, current = find_with_state(actor, proposal_id)
        execution = Execution.objects.select_for_update(no_key=True).filter(
            proposal=proposal, status__in=lifecycle.UNSENT
        )
        held = execution.first()
        _refuse_unless_allowed(actor, proposal)
        if held is None or not _may_go_back(held) or proposal.status != "approved":
            raise TooLate
        take_back(held, reason)
        try:
            shown = preview_again(proposal, current, head)
            why = f"Recalled by {actor.name}."
            reopen(proposal, current, shown, actor=actor, why=why, now=now)
        except (EffectImpossible, DeniedByPolicy) as refused:
            settle(proposal, "stale", actor=actor, reason=refused.sentence, now=now)
        append(actor, "execution.recalled", f"proposal:{proposal.id}", {"reason": reason})
        announce(proposal.id, proposal.workspace_id)


def recall_execution(*, actor: Actor, execution_id: UUID, reason: str, now: datetime) -> None:
    """Reopen the proposal whose approved revision is held as this execution.

    Raises: TooLate (409), Forbidden (403), Invalid (422), NotFound (404).
    """
    found = queries.execution(actor.workspace_id, execution_id)
    if not _may_go_back(found):
        raise TooLate
    recall(actor=actor, proposal_id=found.proposal_id, reason=reason, now=now)


def take_back(execution: Execution, reason: str) -> None:
    """Mark a locked execution as recalled; whoever has claimed it does not send it."""
    execution.status, execution.problem = "recalled", reason
    execution.lease_until = execution.next_at = None
    execution.save(update_fields=["status", "problem", "lease_until", "next_at"])


def _may_go_back(execution: Execution) -> bool:
    return lifecycle.may_be_taken_back(execution.status, was_sent=execution.was_sent)


def _refuse_unless_allowed(actor: Actor, proposal: Proposal) -> None:
    approvals = Decision.objects.filter(
        proposal=proposal, revision=proposal.revision, choice="approve"
    )
    mine = actor.kind == "person" and approvals.filter(person=UUID(actor.id)).exists()
    if not may_recall(actor, has_approved=mine):
        raise Forbidden("Only whoever approved it, or an admin, may recall an approval.")
