"""When did a value of a State change, from what to what, and in which version?"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from django.db.models import QuerySet

from console.canonical import Json
from snapshots import pointer
from snapshots.content import same
from snapshots.diff import ABSENT, Absent
from snapshots.models import Snapshot
from snapshots.queries import Gone, Head, content, subtree
from snapshots.touching import above_lists, marks_asked, place_asked, value_at

# How many versions are read for one page: where many changes at once were written down as the
# places above them, not every version that is found has touched the place.
LOOKED_AT_MOST: Final = 200
# A value that changes often is found among so many of the newest versions.
NEAR: Final = 2_000


class LetGo(Enum):
    """What stood there is not known any more: retention let the content go."""

    LET_GO = "content let go"


LET_GO: Final = LetGo.LET_GO
Value = Json | Absent | LetGo


@dataclass(frozen=True, slots=True)
class Touch:
    """One version that changed a value, and the value before and after."""

    number: int
    before: Value
    after: Value


@dataclass(frozen=True, slots=True)
class Found:
    """The versions that changed a value, newest first.

    `next_below` continues: further changes lie below this number; None where there are none.
    """

    place: str
    touches: list[Touch]
    next_below: int | None


def place_in(head: Head, path: str) -> str:
    """Return the place that a reader means by a path of the newest snapshot.

    Raises: BadPointer, Gone (410), Corrupt (500).
    """
    if not any(_could_be_an_item(part) for part in pointer.parse(path)):
        return path
    return place_asked(content(head.state_id, head.number), path, head.list_keys)


def _could_be_an_item(part: str) -> bool:
    return part.isdecimal() or part.startswith("[")


def blame(head: Head, place: str, *, below: int | None = None, at_most: int = 25) -> Found:
    """Return the versions that changed what stands at a place, each checked exactly.

    Raises: Corrupt (500).
    """
    values = _Values(head, place)
    touches: list[Touch] = []
    for nth, number in enumerate(_candidates(head, place, below, LOOKED_AT_MOST + 1)):
        if len(touches) == at_most or nth == LOOKED_AT_MOST:
            return Found(place, touches, number + 1)
        before, after = values.at(number - 1), values.at(number)
        if _differ(before, after):
            touches.append(Touch(number, before, after))
    return Found(place, touches, None)


def _candidates(head: Head, place: str, below: int | None, at_most: int) -> Iterator[int]:
    """Give the numbers of versions that may have touched a place, newest first."""
    rows = Snapshot.objects.filter(workspace=head.workspace_id, state=head.state_id)
    end = head.number + 1 if below is None else below
    marked = rows.filter(touched__overlap=marks_asked(head.state_id, place))
    near = _numbers(marked.filter(number__lt=end, number__gte=end - NEAR))
    # Not in order and without a limit, or the database walks through all versions by number.
    far = [] if len(near) >= at_most else _numbers(marked.filter(number__lt=end - NEAR))
    # Two questions, because no index answers "has one of these marks, or was never marked".
    unmarked = _numbers(rows.filter(touched=None, number__lt=end).order_by("-number")[:at_most])
    yield from sorted({*near, *far, *unmarked}, reverse=True)[:at_most]


def _numbers(rows: QuerySet[Snapshot]) -> list[int]:
    return list(rows.values_list("number", flat=True))


def _differ(before: Value, after: Value) -> bool:
    if before is LET_GO or after is LET_GO:
        return True
    if isinstance(before, Absent) or isinstance(after, Absent):
        return before is not after
    return not same(before, after)


class _Values:
    """What stood at one place, version by version; neighbours are read once."""

    def __init__(self, head: Head, place: str) -> None:
        self._head, self._place = head, place
        self._above = above_lists(place)
        self._known: dict[int, Value] = {0: ABSENT}

    def at(self, number: int) -> Value:
        """Return the value at a snapshot. Raises: Corrupt (500)."""
        if number not in self._known:
            self._known[number] = self._read(number)
        return self._known[number]

    def _read(self, number: int) -> Value:
        try:
            above = subtree(self._head.state_id, number, self._above)
        except pointer.NothingThere:
            return ABSENT
        except Gone:
            return LET_GO
        return value_at(above, self._place, self._head.list_keys, under=self._above)
