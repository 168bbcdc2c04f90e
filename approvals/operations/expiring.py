"""Close what nobody decided in time, or ask others first where the terms say so. Never approve."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from approvals.models import Proposal, Revision
from approvals.operations.settling import announce, settle
from approvals.operations.telling import tell_escalated
from approvals.policy import Terms, rank
from console.actors import Actor, system
from console.canonical import Json
from console.ledger.operations.appending import append
from console.locking import Busy

# Not while a question waits for its answer: the clock stands still.
EXPIRING = ("pending", "changes_requested")
NOBODY_DECIDED = "Nobody decided before the deadline. Nothing was changed."


def expire_due(*, now: datetime, at_most: int = 100) -> int:
    """Expire or escalate open proposals whose deadline has passed and return how many.

    Each in a transaction of its own, so that a workspace that is busy holds up nobody else.
    Locks: one row at a time; one that is being decided at this moment is skipped.
    """
    rows = Proposal.objects.filter(status__in=EXPIRING, due_at__lte=now).order_by("due_at")
    due = list(rows.values_list("id", flat=True)[:at_most])
    return sum(_end(proposal_id, now) for proposal_id in due)


def _end(proposal_id: UUID, now: datetime) -> bool:
    with transaction.atomic():
        rows = Proposal.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
        # Somebody may have escalated it, or moved its deadline, since it was found.
        due = rows.filter(id=proposal_id, status__in=EXPIRING, due_at__lte=now)
        proposal = due.first()
        if proposal is not None:
            actor = system("timer", proposal.workspace_id)
            try:
                _expire_or_escalate(proposal, actor, now)
            except Busy:
                transaction.set_rollback(True)
                return False
    return proposal is not None


def _expire_or_escalate(proposal: Proposal, actor: Actor, now: datetime) -> None:
    terms = Terms.from_json(proposal.terms)
    if _is_to_escalate(proposal, terms):
        _escalate(proposal, terms, actor, now)
    else:
        settle(proposal, "expired", actor=actor, reason=NOBODY_DECIDED, now=now)


def _is_to_escalate(proposal: Proposal, terms: Terms) -> bool:
    """Say whether others are asked now: once, and only what people could have decided."""
    is_meant = terms.then == "escalate" and bool(terms.escalate_to)
    return is_meant and proposal.escalated_at is None and proposal.status == "pending"


def _escalate(proposal: Proposal, terms: Terms, actor: Actor, now: datetime) -> None:
    """Let the other thresholds count from now on, until a new deadline; what was said stays."""
    seconds = terms.escalate_seconds or terms.expires_seconds
    proposal.escalated_at, proposal.due_at = now, now + timedelta(seconds=seconds)
    proposal.rank = rank(proposal.risk, int(proposal.due_at.timestamp()))
    proposal.save(update_fields=["escalated_at", "due_at", "rank"])
    current = Revision.objects.get(proposal=proposal, number=proposal.revision)
    tell_escalated(proposal, current, now=now)
    asked: list[Json] = [item.to_json() for item in terms.escalate_to]
    body: dict[str, Json] = {"asked": asked, "due_at": proposal.due_at.isoformat()}
    append(actor, "proposal.escalated", f"proposal:{proposal.id}", body)
    announce(proposal.id, proposal.workspace_id)
