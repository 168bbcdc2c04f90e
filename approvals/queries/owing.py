"""Which looks are owed after something was carried out before people agreed to it?"""

from uuid import UUID

from django.db.models import QuerySet

from approvals.models import BreakGlass, Review
from console.errors import NotFound


def reviews(workspace_id: UUID) -> QuerySet[Review]:
    """Return the looks that are owed or were taken, with what they are at."""
    rows = Review.objects.filter(workspace=workspace_id)
    return rows.select_related(
        "person", "execution__proposal__state", "execution__break_glass__person"
    ).defer("person__password", "execution__break_glass__person__password")


def review(workspace_id: UUID, review_id: UUID) -> Review:
    """Return one look. Raises: NotFound (404)."""
    row = reviews(workspace_id).filter(id=review_id).first()
    if row is None:
        raise NotFound
    return row


def count_owed(workspace_id: UUID, *, at_most: int = 1_000) -> int:
    """Return how many looks are owed, counted up to a limit."""
    rows = Review.objects.filter(workspace=workspace_id, verdict="")
    return rows.order_by()[:at_most].count()


def first_glass(workspace_id: UUID) -> BreakGlass | None:
    """Return the broken glass whose review is due first, or nothing when none is owed."""
    rows = reviews(workspace_id).filter(verdict="", cause="break_glass").order_by("due_at", "id")
    row = rows.first()
    return row.execution.break_glass if row else None
