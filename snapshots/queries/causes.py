"""Which snapshots has one cause made, in several States at once?"""

from collections.abc import Sequence
from uuid import UUID

from snapshots.models import Snapshot


def made(
    workspace_id: UUID, state_ids: Sequence[UUID], cause: str, cause_id: str
) -> dict[UUID, int]:
    """Return the number of the snapshot that a cause has made in each of these States."""
    rows = Snapshot.objects.filter(
        workspace=workspace_id, state__in=state_ids, cause=cause, cause_id=cause_id
    )
    return dict(rows.values_list("state_id", "number"))
