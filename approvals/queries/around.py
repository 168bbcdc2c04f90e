"""Which wordings has a proposal had, and what stands beside it in the queue?

Takes what a page shows, so that what has no rows of its own can be shown by the same page.
"""

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Q

from approvals import lifecycle
from approvals.models import Proposal, Revision
from approvals.policy import SIGNED
from approvals.queries import Detail, revisions


def wordings(found: Detail) -> list[Revision]:
    """Return every wording, oldest first; what has no rows of its own has the one it shows."""
    return revisions(found.proposal.workspace_id, found.proposal.id) or [found.revision]


def wording(found: Detail, number: int) -> Revision | None:
    """Return an earlier wording, if it is there."""
    rows = Revision.objects.filter(proposal=found.proposal.id, number=number)
    return rows.defer("sealed").first()


def signed_while_open(workspace_id: UUID, proposal_ids: Sequence[UUID]) -> list[UUID]:
    """Return those of the proposals on which signed decisions are being made."""
    rows = Proposal.objects.filter(workspace=workspace_id, id__in=proposal_ids, level__gte=SIGNED)
    return list(rows.filter(status__in=lifecycle.OPEN).values_list("id", flat=True))


def neighbours(found: Detail) -> tuple[UUID | None, UUID | None]:
    """Return what stands before and after it in the queue."""
    row = found.proposal
    waiting = Proposal.objects.filter(workspace=row.workspace_id, status__in=lifecycle.OPEN)
    before = waiting.filter(Q(rank=row.rank, id__lt=row.id) | Q(rank__lt=row.rank))
    after = waiting.filter(Q(rank=row.rank, id__gt=row.id) | Q(rank__gt=row.rank))
    return (
        before.order_by("-rank", "-id").values_list("id", flat=True).first(),
        after.order_by("rank", "id").values_list("id", flat=True).first(),
    )
