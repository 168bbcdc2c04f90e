"""Find a proposal of the actor's workspace and keep others from changing it meanwhile.

For the verbs around a decision; what they share with deciding is the order of the locks.
"""

from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from approvals import lifecycle, policy, queries
from approvals.models import Proposal, Revision
from approvals.operations.deciding import AlreadySettled, NotPending, refusal_of
from approvals.policy import Objection
from console.actors import Actor
from console.errors import NotFound
from snapshots.operations.committing import lock
from snapshots.queries import Head


def find_alone(actor: Actor, proposal_id: UUID) -> tuple[Proposal, Revision]:
    """Return a proposal with its current revision, for what leaves its effect as it is.

    Locks: the proposal. Raises: NotFound (404).
    """
    proposal = _kept(_of(actor, proposal_id)).first()
    if proposal is None:
        raise NotFound
    return proposal, _current(proposal)


def find_with_state(actor: Actor, proposal_id: UUID) -> tuple[Head, Proposal, Revision]:
    """Return a proposal with its State's head and its current revision, to word it anew.

    Locks: the State, then the proposal. Raises: NotFound (404), Busy (409).
    """
    rows = _of(actor, proposal_id)
    state_id = rows.values_list("state_id", flat=True).first()
    if state_id is None:
        raise NotFound
    # The State first: deciding and executing lock in this order, too.
    head = lock(actor.workspace_id, state_id)
    proposal = _kept(rows).get()
    return head, proposal, _current(proposal)


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


def _of(actor: Actor, proposal_id: UUID) -> QuerySet[Proposal]:
    return Proposal.objects.filter(workspace_id=actor.workspace_id, id=proposal_id)


def _kept(rows: QuerySet[Proposal]) -> QuerySet[Proposal]:
    return rows.select_for_update(no_key=True, of=("self",)).select_related("action_type", "state")


def _current(proposal: Proposal) -> Revision:
    return Revision.objects.get(proposal=proposal, number=proposal.revision)
