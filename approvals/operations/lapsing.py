"""Let the clock go on where a question found no answer: it stands still for a time, not forever."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from approvals.models import Proposal
from approvals.operations.asking import drop
from approvals.operations.settling import announce
from approvals.operations.telling import tell
from approvals.queries.talking import open_question, unanswered
from console.actors import system
from console.canonical import Json
from console.ledger.operations.appending import append


def let_lapse(*, now: datetime, at_most: int = 100) -> int:
    """Put proposals whose question nobody answered in time before people again; return how many.

    Locks: one proposal at a time; one that somebody works on at this moment is skipped.
    """
    return sum(_lapse(proposal_id, now) for proposal_id in unanswered(now, at_most=at_most))


def _lapse(proposal_id: UUID, now: datetime) -> bool:
    with transaction.atomic():
        rows = Proposal.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
        proposal = rows.filter(id=proposal_id, status="info_requested").first()
        asked = open_question(proposal_id) if proposal else None
        if proposal is None or asked is None:
            return False
        drop(proposal, asked, now)
        tell(proposal, "question.lapsed", [asked.person_id], now=now)
        body: dict[str, Json] = {"number": asked.number}
        actor = system("timer", proposal.workspace_id)
        append(actor, "proposal.question_lapsed", f"proposal:{proposal.id}", body)
        announce(proposal.id, proposal.workspace_id)
    return True
