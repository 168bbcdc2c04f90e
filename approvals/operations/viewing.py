"""Note who looked at which revision, so that the next look can show what changed since."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from approvals.models import Proposal, Viewing
from console.actors import Actor
from console.errors import NotFound


def note(*, actor: Actor, proposal_id: UUID, revision: int, now: datetime) -> int:
    """Keep that a person sees this revision and return the one they saw last, 0 for none.

    An older revision than before is no look back in time: the newest stays noted.
    Locks: the reader's own row. Raises: NotFound (404).
    """
    if actor.kind != "person":
        return 0
    rows = Proposal.objects.filter(workspace_id=actor.workspace_id, id=proposal_id)
    if not rows.exists():
        raise NotFound
    with transaction.atomic():
        row, is_new = Viewing.objects.select_for_update(no_key=True).get_or_create(
            proposal_id=proposal_id,
            person_id=UUID(actor.id),
            defaults={
                "workspace_id": actor.workspace_id,
                "revision": revision,
                "first_at": now,
                "last_at": now,
            },
        )
        if is_new:
            return 0
        before = row.revision
        row.revision, row.last_at = max(before, revision), now
        row.save(update_fields=["revision", "last_at"])
    return before
