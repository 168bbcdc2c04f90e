"""In which unit is a value, where its unit is another value of the record?"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from approvals.fields.describing import NEIGHBOUR, Field, Parts
from approvals.fields.leaves import Leaf, Side
from console.canonical import Json
from snapshots import pointer
from snapshots.diff import ABSENT, Absent, Change


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The whole record on both sides, and the lists whose items changed their numbers."""

    before: Json
    after: Json
    renumbered: frozenset[Parts]

    def unit_of(
        self, field: Field, change: Change, leaf: Leaf, side: Literal["old", "new"]
    ) -> str | None:
        """Find the unit of one side of a value, or None where it cannot be told for certain.

        A neighbour is looked up in the added or removed whole itself, else in the record; but not
        past a list that gained or lost items, where the same index may mean another item.
        """
        if field.unit is None or not NEIGHBOUR.fullmatch(field.unit):
            return field.unit
        steps = field.unit.split("/")
        up = steps.count("..")
        target = (*leaf.parts[:-up], *steps[up:])
        unit = _within(change, target, side)
        if isinstance(unit, Absent) and not self._is_renumbered(target):
            unit = _at(self.before if side == "old" else self.after, target)
        return unit if isinstance(unit, str) and unit else None

    def _is_renumbered(self, parts: Parts) -> bool:
        return any(parts[:end] in self.renumbered for end in range(len(parts)))


def renumbered(changes: Iterable[Change]) -> frozenset[Parts]:
    """List the containers in which an item came, went or moved by its number."""
    moving = [change for change in changes if change.op != "replace"]
    paths = [path for change in moving for path in (change.path, change.from_path) if path]
    parsed = map(pointer.parse, paths)
    return frozenset(parts[:-1] for parts in parsed if parts[-1].isdecimal())


def _within(change: Change, target: Parts, side: Literal["old", "new"]) -> Side:
    base = pointer.parse(change.path)
    whole = change.old if side == "old" else change.value
    if isinstance(whole, Absent) or target[: len(base)] != base:
        return ABSENT
    return _at(whole, target[len(base) :])


def _at(document: Json, parts: Parts) -> Side:
    try:
        return pointer.get(document, pointer.build(parts))
    except pointer.NothingThere:
        return ABSENT
