"""Which single values does one change consist of?"""

from collections.abc import Iterator
from dataclasses import dataclass

from approvals.fields.describing import Parts
from console.canonical import Json
from snapshots.content import same
from snapshots.diff import ABSENT, Absent, Op

Side = Json | Absent


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value within a change: where it is, and what it is on both sides."""

    parts: Parts
    old: Side
    new: Side

    @property
    def op(self) -> Op:
        """Say what happens to this one value."""
        if isinstance(self.old, Absent):
            return "add"
        return "remove" if isinstance(self.new, Absent) else "replace"


def leaves(whole: Leaf) -> Iterator[Leaf]:
    """Split a value into its parts, down to what has none, leaving out what stays the same.

    Where null becomes an object, that it becomes one is a part of its own.
    """
    old, new = _children(whole.old), _children(whole.new)
    if whole.old is None and new:
        yield Leaf(whole.parts, None, _emptied(whole.new))
    if not _is_splittable(whole):
        if not _is_unchanged(whole):
            yield whole
        return
    for part in {**old, **new}:
        yield from leaves(Leaf((*whole.parts, part), old.get(part, ABSENT), new.get(part, ABSENT)))
    if whole.new is None and old:
        yield Leaf(whole.parts, _emptied(whole.old), None)


def _is_splittable(leaf: Leaf) -> bool:
    sides = [side for side in (leaf.old, leaf.new) if side is not None and side is not ABSENT]
    kinds = {type(side) for side in sides}
    return len(kinds) == 1 and kinds <= {dict, list} and any(sides)


def _is_unchanged(leaf: Leaf) -> bool:
    if isinstance(leaf.old, Absent) or isinstance(leaf.new, Absent):
        return False
    return same(leaf.old, leaf.new)


def _children(side: Side) -> dict[str, Json]:
    if isinstance(side, list):
        return {str(i): item for i, item in enumerate(side)}
    return side if isinstance(side, dict) else {}


def _emptied(side: Side) -> Json:
    return [] if isinstance(side, list) else {}
