"""Close what nobody decided in time. Never an approval."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from approvals.models import Proposal
from approvals.operations.settling import settle
from console.actors import system
from console.locking import Busy

# Not while a question waits for its answer: the clock stands still.
EXPIRING = ("pending", "changes_requested")
NOBODY_DECIDED = "Nobody decided before the deadline. Nothing was changed."


def expire_due(*, now: datetime, at_most: int = 100) -> int:
    """Expire open proposals whose deadline has passed and return how many.

    Each in a transaction of its own, so that a workspace that is busy holds up nobody else.
    Locks: one row at a time; one that is being decided at this moment is skipped.
    """
    rows = Proposal.objects.filter(status__in=EXPIRING, due_at__lte=now).order_by("due_at")
    due = list(rows.values_list("id", flat=True)[:at_most])
    return sum(_expire(proposal_id, now) for proposal_id in due)


def _expire(proposal_id: UUID, now: datetime) -> bool:
    with transaction.atomic():
        rows = Proposal.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
        proposal = rows.filter(id=proposal_id, status__in=EXPIRING).first()
        if proposal is not None:
            actor = system("timer", proposal.workspace_id)
            try:
                settle(proposal, "expired", actor=actor, reason=NOBODY_DECIDED, now=now)
            except Busy:
                transaction.set_rollback(True)
                return False
    return proposal is not None
