"""Which newer versions of a State touched the same places as these changes?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from console.canonical import Json
from snapshots import store, stored
from snapshots.diff import Change, Draft, diff
from snapshots.models import Snapshot
from snapshots.queries.reading import Gone, content
from snapshots.touching import Area, follow, marks_asked, patterns_of, places


@dataclass(frozen=True, slots=True)
class Overlap:
    """A newer version that touched a place which the changes touch too."""

    path: str
    number: int
    by: str


def conflicts_with(state_id: UUID, after: int, changes: Sequence[Change]) -> list[Overlap]:
    """Return the first overlap of every version after one with changes made for that one.

    Versions are found by their marks; only those that are found are read. Oldest first.
    Raises: NotFound (404), Gone (410), Corrupt (500), DoesNotFit.
    """
    keys = store.list_keys(state_id)
    ours = places(content(state_id, after), changes, keys)
    area, asked = Area(ours), {mark for place in ours for mark in marks_asked(state_id, place)}
    numbers = store.candidates(state_id, after, sorted(asked))
    found: dict[int, str] = {}
    for number, theirs in _touched(state_id, after, numbers, keys):
        shared = min(filter(area.meets, theirs), default=None)
        if shared is not None:
            found[number] = shared
    return [Overlap(path, number, by) for number, path, by in _with_names(state_id, found)]


def _touched(
    state_id: UUID, after: int, numbers: Sequence[int], keys: dict[str, str]
) -> Iterator[tuple[int, set[str]]]:
    """Give the places that each of these versions touched, reading rows in between once."""
    if not numbers:
        return
    document, first = _begin(state_id, after, numbers[0])
    # One draft for all of them: what changes again and again is copied once.
    draft, patterns = Draft(document, strict=False), patterns_of(keys)
    wanted = set(numbers)
    for row in store.following(state_id, first, numbers[-1]):
        if not stored.is_let_go(row):
            theirs = follow(draft, _changes(state_id, row, draft.document, keys), patterns)
        else:
            # Nobody can tell any more what it changed, so it may have been anything.
            theirs = {""}
        if row.number in wanted:
            yield row.number, theirs


def _begin(state_id: UUID, after: int, first: int) -> tuple[Json, int]:
    """Return a document, and the number of the version that changed it next."""
    try:
        return content(state_id, first - 1), first
    except Gone:
        return content(state_id, after), after + 1


def _changes(
    state_id: UUID, row: stored.Stored, before: Json, keys: dict[str, str]
) -> Sequence[Change]:
    if row.codec in (stored.FIRST, stored.COMPACT) and row.base_number != row.number:
        return stored.changes(row)
    return diff(before, content(state_id, row.number), keys=keys)


def _with_names(state_id: UUID, found: dict[int, str]) -> Iterator[tuple[int, str, str]]:
    rows = Snapshot.objects.filter(state=state_id, number__in=found).order_by("number")
    for number, actor in rows.values_list("number", "actor"):
        yield number, found[number], str(actor.get("name", ""))
