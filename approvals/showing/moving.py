"""What has become of the values that would change, since the diff was made?"""

from collections.abc import Mapping
from dataclasses import dataclass

from approvals.fields import Row
from approvals.formats import Formatted, pair
from approvals.formats.shown import as_it_is
from approvals.queries import Detail
from console.canonical import Json
from snapshots import pointer
from snapshots import queries as snapshots
from snapshots.content import same
from snapshots.diff import ABSENT, Absent, diff, paths_overlap, touched_paths
from snapshots.touching import place_of, value_at


@dataclass(frozen=True, slots=True)
class Moved:
    """The record as the diff was made on it, and as it stands now."""

    base: Json
    now: Json
    keys: Mapping[str, str]
    elsewhere: int

    def value_of(self, row: Row) -> Formatted | Absent | None:
        """Return what stands at a row's place now, or None where it stands as it was.

        An item of a list is followed by its key; where it is gone the place is absent.
        """
        live = value_at(self.now, place_of(self.base, row.path, self.keys), self.keys)
        if row.op == "move" or _is_same(_at(self.base, row.path), live):
            return None
        return ABSENT if isinstance(live, Absent) else _shown(row, live)


def has_moved(found: Detail) -> bool:
    """Say whether the record has a newer snapshot than the one this diff was made on."""
    return found.proposal.state.number != found.proposal.base_number


def moved(found: Detail, base: Json) -> Moved | None:
    """Return what moved under a diff, or nothing where the record stands as it did."""
    state = found.proposal.state
    if not has_moved(found):
        return None
    live = snapshots.content(state.id, state.number)
    changes = diff(base, live, keys=state.list_keys)
    ours = touched_paths(base, found.changes)
    elsewhere = sum(not paths_overlap(ours, [change.path]) for change in changes)
    return Moved(base, live, state.list_keys, elsewhere)


def _at(document: Json, path: str) -> Json | Absent:
    try:
        return pointer.get(document, path)
    except pointer.NothingThere:
        return ABSENT


def _is_same(one: Json | Absent, other: Json | Absent) -> bool:
    if isinstance(one, Absent) or isinstance(other, Absent):
        return one is other
    return same(one, other)


def _shown(row: Row, value: Json) -> Formatted:
    return pair(row.kind, ABSENT, value, unit=row.unit).after or as_it_is(value)
