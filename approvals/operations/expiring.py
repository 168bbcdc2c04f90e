"""Close what nobody decided in time. Never an approval."""

from datetime import datetime

from django.db import transaction

from approvals.lifecycle import OPEN
from approvals.models import Proposal
from approvals.operations.settling import settle
from console.actors import system

NOBODY_DECIDED = "Nobody decided before the deadline. Nothing was changed."


def expire_due(*, now: datetime, at_most: int = 100) -> int:
    """Expire open proposals whose deadline has passed and return how many.

    Locks: those rows; others that are being decided at this moment are skipped.
    """
    with transaction.atomic():
        rows = Proposal.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
        due = list(rows.filter(status=OPEN, due_at__lte=now).order_by("due_at")[:at_most])
        for proposal in due:
            actor = system("timer", proposal.workspace_id)
            settle(proposal, "expired", actor=actor, reason=NOBODY_DECIDED, now=now)
    return len(due)
