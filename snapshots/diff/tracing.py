"""Where does what stands at a path come from, when operations are followed backwards?

So a part of a document is read without the rest: the path is led back, through every operation
that gave its lists' items other numbers, to the path in the document that they began with.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from console.canonical import Json
from snapshots import pointer
from snapshots.diff.applying import Draft
from snapshots.diff.changes import ABSENT, Absent, Change

Parts = tuple[str, ...]
_ANY_LENGTH = 10**18


class Unclear(Exception):
    """What stands at the path cannot be told without the rest of the document."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A change that need not know what stood there before.

    `from_list` and `to_list` say of which kind the containers are that lose and get an item.
    """

    change: Change
    from_list: bool
    to_list: bool


@dataclass(slots=True)
class Traced:
    """What stands at a path: a beginning, and the changes inside it.

    The beginning is `value`, or what stood at `parts` of the document before all operations.
    """

    parts: Parts
    value: Json | Absent = ABSENT
    inside: list[Change] = field(default_factory=list)

    def carried_out(self, before: Callable[[str], Json]) -> Json:
        """Return what stands there; `before` reads the document before all operations.

        Raises: NothingThere, DoesNotFit.
        """
        path = pointer.build(self.parts)
        begin = before(path) if isinstance(self.value, Absent) else pointer.get(self.value, path)
        draft = Draft(begin, strict=False)
        for change in self.inside:
            draft.carry_out(change)
        return draft.document


def trace(operations: Sequence[Operation], path: str) -> Traced:
    """Lead a path back through operations. Raises: Unclear, BadPointer."""
    traced = Traced(pointer.parse(path))
    for operation in reversed(operations):
        if not isinstance(traced.value, Absent):
            break
        if operation.change.op == "move":
            _back_through_move(traced, operation)
        else:
            _back_through(traced, operation)
    traced.inside.reverse()
    return traced


def _back_through(traced: Traced, operation: Operation) -> None:
    change = operation.change
    at, here = pointer.parse(change.path), traced.parts
    if change.op == "remove":
        before = _unremoved(here, at, in_list=operation.from_list)
        if _is_below(at, before):
            traced.inside.append(Change("remove", pointer.build(at[len(before) :])))
        traced.parts = before
    elif here[: len(at)] == at:
        traced.value, traced.parts = change.value, here[len(at) :]
    elif _is_below(at, here):
        inner = pointer.build(at[len(here) :])
        traced.inside.append(Change(change.op, inner, value=change.value))
    elif change.op == "add":
        traced.parts = _uninserted(here, at, in_list=operation.to_list)


def _back_through_move(traced: Traced, operation: Operation) -> None:
    """Undo the insertion, then the removal that came before it."""
    change, here = operation.change, traced.parts
    at, source = pointer.parse(change.path), pointer.parse(change.from_path or "")
    if here[: len(at)] == at:
        traced.parts = source + here[len(at) :]
        return
    between = _uninserted(here, at, in_list=operation.to_list)
    before = _unremoved(between, source, in_list=operation.from_list)
    leaves, enters = _is_below(source, before), _is_below(at, here)
    if enters and not leaves:
        raise Unclear
    if enters:
        inner = pointer.build(source[len(before) :])
        moved = Change("move", pointer.build(at[len(here) :]), from_path=inner)
        traced.inside.append(moved)
    elif leaves:
        traced.inside.append(Change("remove", pointer.build(source[len(before) :])))
    traced.parts = before


def _is_below(path: Parts, other: Parts) -> bool:
    return len(path) > len(other) and path[: len(other)] == other


def _uninserted(path: Parts, at: Parts, *, in_list: bool) -> Parts:
    """Return the path before something came in at `at`, which is not on the path's way."""
    index = _neighbour(path, at) if in_list else None
    if index is None or index < int(at[-1]):
        return path
    return (*path[: len(at) - 1], str(index - 1), *path[len(at) :])


def _unremoved(path: Parts, at: Parts, *, in_list: bool) -> Parts:
    """Return the path before something was taken out at `at`."""
    if not in_list:
        if path[: len(at)] == at:
            raise Unclear
        return path
    index = _neighbour(path, at)
    if index is None or index < int(at[-1]):
        return path
    return (*path[: len(at) - 1], str(index + 1), *path[len(at) :])


def _neighbour(path: Parts, at: Parts) -> int | None:
    """Return the position of the path's item in the list that `at` is a position in."""
    depth = len(at) - 1
    if len(path) <= depth or path[:depth] != at[:depth]:
        return None
    return pointer.position(path[depth], _ANY_LENGTH)


def with_old(document: Json, changes: Iterable[Change]) -> list[Change]:
    """Return changes with what stands there when they are carried out on a document.

    Raises: DoesNotFit, NothingThere, BadChange.
    """
    draft = Draft(document, strict=False)
    told: list[Change] = []
    for change in changes:
        told.append(_with_old(draft.document, change))
        draft.carry_out(change)
    return told


def _with_old(document: Json, change: Change) -> Change:
    if change.op == "add":
        return change
    old = pointer.get(document, change.from_path or change.path)
    # What moves stays in the document, where a later change may still alter it.
    kept = _copied(old) if change.op == "move" else old
    return Change(change.op, change.path, kept, change.value, change.from_path)


def _copied(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value
