"""How does a State come to a hundred thousand snapshots? Copies of a stretch that was committed.

The stretch begins where reading begins, so every copy can be read like the versions that it was
taken from; numbers, ids, causes and times are its own.
"""

from dataclasses import asdict, dataclass
from uuid import UUID

from django.db import connection
from django.db.models import F

from snapshots.models import Snapshot, State

BATCH = 5_000
_COPY = """
    INSERT INTO snapshots_snapshot (id, workspace_id, state_id, number, parent_number,
        base_number, epoch, codec, data, touched, digest, document_bytes, change_count,
        cause, cause_id, actor, reason, created_at)
    SELECT gen_random_uuid(), workspace_id, state_id, number + shift, number + shift - 1,
        base_number + shift, epoch, codec, data, touched, digest, document_bytes, change_count,
        cause, cause_id || ':' || turn, actor, reason, created_at + turn * interval '1 minute'
    FROM snapshots_snapshot
        CROSS JOIN LATERAL generate_series(%(first)s::bigint, %(last)s::bigint) AS turn
        CROSS JOIN LATERAL (SELECT turn * %(length)s::bigint AS shift) AS shifted
    WHERE state_id = %(state_id)s AND number > %(end)s - %(length)s::bigint AND number <= %(end)s
"""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some of the newest versions of a State, from where reading begins to the newest."""

    state_id: UUID
    end: int
    length: int


def stretch(state_id: UUID) -> Stretch:
    """Return the longest stretch that can be copied; the first snapshot has no like."""
    head = State.objects.get(id=state_id)
    starts = Snapshot.objects.filter(state=state_id, number=F("base_number"), number__gt=1)
    first = starts.order_by("number").values_list("number", flat=True)[0]
    return Stretch(state_id, head.number, head.number - first + 1)


def fill(copied: Stretch, total: int) -> int:
    """Let a State grow to about `total` snapshots and return how many it has."""
    turns = (total - copied.end) // copied.length
    at_once = max(1, BATCH // copied.length)
    with connection.cursor() as cursor:
        for first in range(1, turns + 1, at_once):
            last = min(first + at_once - 1, turns)
            cursor.execute(_COPY, {**asdict(copied), "first": first, "last": last})
    shift = turns * copied.length
    State.objects.filter(id=copied.state_id).update(
        number=F("number") + shift, keyframe_number=F("keyframe_number") + shift
    )
    return copied.end + shift
