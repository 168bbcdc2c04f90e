"""What was asked, answered and said around a proposal, and who has a part in it?"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from approvals.models import Comment, InfoRequest, Proposal, Snooze
from console.actors import Actor

# As long as people were given to decide, the proposer is given to answer.
_UNANSWERED = """
    SELECT id FROM approvals_proposal
    WHERE status = 'info_requested'
        AND paused_at + (terms->>'expires_seconds')::float8 * interval '1 second' <= %s
    ORDER BY paused_at LIMIT %s
"""


def is_proposer(actor: Actor, proposal: Proposal) -> bool:
    """Say whether an actor is the one that proposed it, not only a part of its lineage.

    A client or a person is known by the origin, an agent by its name: which run it works in,
    agents know.
    """
    if actor.kind == "agent":
        made_by = f"{proposal.proposer['kind']}:{proposal.proposer['id']}"
        return made_by == actor.ref
    return proposal.origin == actor.ref


def comments(workspace_id: UUID, proposal_id: UUID) -> QuerySet[Comment]:
    """Return what was said about a proposal."""
    return Comment.objects.filter(workspace=workspace_id, proposal=proposal_id)


def info_requests(workspace_id: UUID, proposal_id: UUID) -> list[InfoRequest]:
    """Return what a proposer was asked, with the answers, oldest first."""
    rows = InfoRequest.objects.filter(workspace=workspace_id, proposal=proposal_id)
    return list(rows.select_related("person").defer("person__password").order_by("number"))


def open_question(proposal_id: UUID) -> InfoRequest | None:
    """Return the question that stops the clock of a proposal, or nothing."""
    rows = InfoRequest.objects.filter(proposal=proposal_id, answered_at=None, withdrawn_at=None)
    return rows.select_related("person").defer("person__password").first()


def unanswered(now: datetime, *, at_most: int) -> list[UUID]:
    """Return the proposals whose question has waited for too long, of all workspaces."""
    with connection.cursor() as cursor:
        cursor.execute(_UNANSWERED, [now, at_most])
        return [row[0] for row in cursor.fetchall()]


def asked_among(proposal_ids: Sequence[UUID]) -> set[UUID]:
    """Return those of the proposals whose proposer is asked something at this moment."""
    rows = Proposal.objects.filter(id__in=proposal_ids, status="info_requested")
    return set(rows.values_list("id", flat=True))


def snoozed_until(actor: Actor, proposal_id: UUID, now: datetime) -> datetime | None:
    """Return until when a person does not want to see a proposal in their queue, or nothing."""
    if actor.kind != "person":
        return None
    rows = Snooze.objects.filter(proposal=proposal_id, person=UUID(actor.id), until__gt=now)
    return rows.values_list("until", flat=True).first()
