"""Remove what hangs on a State and is of no use any more: unused parts, old outside readings."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import Sum

from snapshots import content as contents
from snapshots import splitting, stored
from snapshots.models import Part, Reading, Snapshot
from snapshots.queries.holds import STORED_BYTES

# A part that was just written may belong to a version that is being written.
GRACE = timedelta(hours=1)
NEWEST_READINGS = 30
SKELETONS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Cleared:
    """How many parts went, with how many bytes, and how many readings."""

    parts: int = 0
    parts_bytes: int = 0
    readings: int = 0


def clear(state_id: UUID, now: datetime) -> Cleared:
    """Remove parts that no version holds, and readings but the newest and the last of each day.

    The caller holds the State's lock.
    """
    parts, size = _clear_parts(state_id, now)
    return Cleared(parts, size, _clear_readings(state_id))


def _clear_parts(state_id: UUID, now: datetime) -> tuple[int, int]:
    old = Part.objects.filter(state=state_id, created_at__lt=now - GRACE)
    known = set(old.values_list("digest", flat=True))
    unused = known - _used(state_id) if known else set()
    if not unused:
        return 0, 0
    size = old.filter(digest__in=unused).aggregate(all=Sum(STORED_BYTES))["all"]
    with connection.cursor() as cursor:
        # Whoever is about to use a part has locked it and waits for the State, which we hold.
        cursor.execute(
            """
            DELETE FROM snapshots_part WHERE (state_id, digest) IN (
                SELECT state_id, digest FROM snapshots_part
                WHERE state_id = %s AND digest = ANY(%s) FOR UPDATE SKIP LOCKED)
            """,
            [state_id, sorted(unused)],
        )
        return cursor.rowcount, size


def _used(state_id: UUID) -> set[str]:
    rows = Snapshot.objects.filter(state=state_id, codec=stored.SPLIT, data__isnull=False)
    used: set[str] = set()
    for row in rows.only("data").iterator(chunk_size=SKELETONS_AT_ONCE):
        skeleton = contents.parse(contents.unpack(bytes(row.data or b"")))
        used.update(splitting.digests(skeleton))
    return used


def _clear_readings(state_id: UUID) -> int:
    rows = Reading.objects.filter(state=state_id).order_by("-read_at", "-id")
    days: set[object] = set()
    old: list[UUID] = []
    for nth, (reading_id, at) in enumerate(rows.values_list("id", "read_at").iterator()):
        if nth >= NEWEST_READINGS and at.date() in days:
            old.append(reading_id)
        days.add(at.date())
    Reading.objects.filter(id__in=old).delete()
    return len(old)
