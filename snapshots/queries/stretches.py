"""What did each of a stretch of versions change, when the stretch is read once?

For a single version see `reading.changes_of`, which checks it by itself. Here the documents are
carried from version to version, and what comes out at the end is checked.
"""

from collections.abc import Iterator
from uuid import UUID

from console.canonical import Json
from snapshots import content as contents
from snapshots import stored
from snapshots.diff import ABSENT, Absent, Change, apply, diff, with_old
from snapshots.models import Snapshot
from snapshots.queries.reading import Corrupt, Gone, content
from snapshots.queries.unrolling import as_stored, rows
from snapshots.store import list_keys

_DAMAGE = (ValueError, LookupError, TypeError)
Told = tuple[Snapshot, list[Change] | None]


def changes_between(state_id: UUID, *, after: int, last: int) -> Iterator[Told]:
    """Give the rows behind `after` up to `last` in order, each with what it changed.

    Nothing is told of a version that was let go, nor of the one behind it.
    Raises: NotFound (404), Corrupt (500).
    """
    document = _known(state_id, after)
    row = None
    for row in rows(state_id, first=after + 1, last=last):
        changes, document = _step(state_id, document, row)
        yield row, changes
    if row is not None and not isinstance(document, Absent):
        _require(document, row)


def _step(
    state_id: UUID, document: Json | Absent, row: Snapshot
) -> tuple[list[Change] | None, Json | Absent]:
    if _builds_on_the_last(row) and not isinstance(document, Absent):
        try:
            told = with_old(document, stored.changes(as_stored(row)))
            return told, apply(document, told)
        except _DAMAGE as error:
            raise Corrupt(row.number, why=str(error)) from error
    found = _known(state_id, row.number)
    if isinstance(document, Absent) or isinstance(found, Absent):
        return None, found
    return diff(document, found, keys=list_keys(state_id)), found


def _builds_on_the_last(row: Snapshot) -> bool:
    is_changes = row.codec in (stored.FIRST, stored.COMPACT)
    return is_changes and not row.is_keyframe and row.data is not None


def _known(state_id: UUID, number: int) -> Json | Absent:
    try:
        return content(state_id, number) if number else ABSENT
    except Gone:
        return ABSENT


def _require(document: Json, row: Snapshot) -> None:
    if contents.content_digest(document) != row.digest:
        raise Corrupt(row.number)
