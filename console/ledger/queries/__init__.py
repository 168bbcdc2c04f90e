"""Read the ledger, and check it."""

from uuid import UUID

from django.db.models import QuerySet

from console.ledger.models import Entry
from console.ledger.queries.checkpoints import Newest, newest
from console.ledger.queries.verifying import Verdict, verify

__all__ = ["Newest", "Verdict", "about", "entries", "newest", "verify"]


def entries(workspace_id: UUID) -> QuerySet[Entry]:
    """Return a workspace's entries."""
    return Entry.objects.filter(workspace=workspace_id)


def about(workspace_id: UUID, subject: str) -> list[Entry]:
    """Return what was done to one subject, oldest first."""
    return list(entries(workspace_id).filter(subject=subject).order_by("seq")[:200])
