"""May it still be decided on, and by whom? Asked by the verbs around a decision."""

from datetime import datetime

from approvals import lifecycle, policy, queries
from approvals.models import Proposal, Revision
from approvals.operations.deciding import AlreadySettled, NotPending, refusal_of
from approvals.policy import Objection
from console.actors import Actor


def refuse_unless_open(proposal: Proposal) -> None:
    """Let through what is not settled. Raises: AlreadySettled (409)."""
    if not lifecycle.is_open(proposal.status):
        sentence = f"This proposal is {proposal.status} ({proposal.settled_by}). Nothing changed."
        raise AlreadySettled(sentence, proposal_status=proposal.status)


def refuse_unless_pending(proposal: Proposal, now: datetime) -> None:
    """Let through what people can decide on now. Raises: AlreadySettled, NotPending (409)."""
    refuse_unless_open(proposal)
    if not lifecycle.is_decidable(proposal.status):
        raise NotPending(proposal_status=proposal.status)
    # The timer may come late; the deadline does not.
    if now >= proposal.due_at:
        sentence = "The deadline of this proposal has passed. Nothing changed."
        raise AlreadySettled(sentence, proposal_status="expired")


def objection_to(
    actor: Actor, proposal: Proposal, current: Revision, now: datetime
) -> Objection | None:
    """Say why an actor may not decide on this wording, in their own name or in another's."""
    question = queries.question(proposal, current, now)
    barred = policy.objection_to(queries.reviewer(actor), question)
    if barred is None:
        return None
    others = [person.id for person in queries.may_stand_for(actor, now)]
    standing = (queries.reviewer(actor, other) for other in others)
    may = any(policy.objection_to(reviewer, question) is None for reviewer in standing)
    return None if may else barred


def refuse_unless_eligible(
    actor: Actor, proposal: Proposal, current: Revision, now: datetime
) -> None:
    """Let through whoever may decide on this wording. Raises: NotEligible (403)."""
    if barred := objection_to(actor, proposal, current, now):
        raise refusal_of(barred)
