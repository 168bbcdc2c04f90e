"""Let the clock go on where a question found no answer: it stands still for a time, not forever."""

from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from approvals.models import Proposal
from approvals.operations.asking import resume
from approvals.operations.settling import announce
from approvals.operations.telling import tell
from approvals.queries.talking import open_question
from console.actors import system
from console.canonical import Json
from console.ledger.operations.appending import append

# As long as people were given to decide, the proposer is given to answer.
_UNANSWERED = """
    SELECT id FROM approvals_proposal
    WHERE status = 'info_requested'
        AND paused_at + (terms->>'expires_seconds')::float8 * interval '1 second' <= %s
    ORDER BY paused_at LIMIT %s
"""


def let_lapse(*, now: datetime, at_most: int = 100) -> int:
    """Put proposals whose question nobody answered in time before people again; return how many.

    Locks: one proposal at a time; one that somebody works on at this moment is skipped.
    """
    with connection.cursor() as cursor:
        cursor.execute(_UNANSWERED, [now, at_most])
        found = [row[0] for row in cursor.fetchall()]
    return sum(_lapse(proposal_id, now) for proposal_id in found)


def _lapse(proposal_id: UUID, now: datetime) -> bool:
    with transaction.atomic():
        rows = Proposal.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
        proposal = rows.filter(id=proposal_id, status="info_requested").first()
        asked = open_question(proposal_id) if proposal else None
        if proposal is None or asked is None:
            return False
        asked.withdrawn_at = now
        asked.save(update_fields=["withdrawn_at"])
        resume(proposal, now)
        proposal.save(update_fields=["status", "paused_at", "due_at", "rank"])
        tell(proposal, "question.lapsed", [asked.person_id], now=now)
        body: dict[str, Json] = {"number": asked.number}
        actor = system("timer", proposal.workspace_id)
        append(actor, "proposal.question_lapsed", f"proposal:{proposal.id}", body)
        announce(proposal.id, proposal.workspace_id)
    return True
