"""What comes out when a patch in a public format is carried out? And: changes as such a patch.

Source: RFC 6902 (JSON Patch), RFC 7396 (JSON Merge Patch), RFC 6901 (JSON Pointer).
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from console.canonical import Json
from snapshots import pointer
from snapshots.diff import Absent, Change

# What `copy` may multiply, in values and characters: each copy of a copy doubles.
COPIED_AT_MOST: Final = 1_000_000
_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "add": ("value",),
        "remove": (),
        "replace": ("value",),
        "move": ("from",),
        "copy": ("from",),
        "test": ("value",),
    }
)
_Container = dict[str, Json] | list[Json]
_Parts = tuple[str, ...]


class PatchRefused(ValueError):
    """An operation of a patch cannot be carried out, so none of them is."""

    def __init__(self, index: int, sentence: str) -> None:
        """Keep which operation it was, counted from 0, and why."""
        self.index = index
        super().__init__(f"Operation {index}: {sentence}")


class _Unfit(ValueError):
    """What is wrong with one operation."""


def patched(document: Json, patch: Json) -> Json:
    """Carry out a JSON Patch on a document that itself stays as it is: all of it, or nothing.

    Source: RFC 6902. Raises: PatchRefused.
    """
    if not isinstance(patch, list):
        raise PatchRefused(0, "a JSON Patch is a list of operations.")
    draft = _Draft(document)
    for index, operation in enumerate(patch):
        try:
            draft.carry_out(operation)
        except (_Unfit, pointer.BadPointer) as error:
            raise PatchRefused(index, str(error)) from error
    return draft.document


def merged(document: Json, patch: Json) -> Json:
    """Return a document with a merge patch laid over it: null removes, objects merge.

    Source: RFC 7396.
    """
    if not isinstance(patch, dict):
        return patch
    result = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def as_patch(changes: Iterable[Change]) -> list[Json]:
    """Write changes as a JSON Patch, which holds less: not what stood there before.

    Source: RFC 6902.
    """
    return [_operation(change) for change in changes]


def _operation(change: Change) -> dict[str, Json]:
    written: dict[str, Json] = {"op": change.op, "path": change.path}
    if change.from_path is not None:
        written["from"] = change.from_path
    if not isinstance(change.value, Absent):
        written["value"] = change.value
    return written


class _Draft:
    """A document of which only what changes is copied, once."""

    def __init__(self, document: Json) -> None:
        self.document = document
        # Holds the copies themselves: an id is only unique while its object lives.
        self._own: dict[int, Json] = {}
        self._copied = 0

    def carry_out(self, operation: Json) -> None:
        if not isinstance(operation, dict):
            raise _Unfit("it is not an object.")
        op = operation.get("op")
        if not isinstance(op, str) or op not in _MEMBERS:
            raise _Unfit("its op is none of add, remove, replace, move, copy, test.")
        if missing := [name for name in ("path", *_MEMBERS[op]) if name not in operation]:
            raise _Unfit(f"{op} needs {' and '.join(missing)}.")
        acts: dict[str, Callable[[_Parts, dict[str, Json]], object]] = {
            "add": lambda parts, given: self._add(parts, given["value"]),
            "remove": lambda parts, _given: self._remove(parts),
            "replace": lambda parts, given: self._replace(parts, given["value"]),
            "move": self._move,
            "copy": self._copy,
            "test": self._test,
        }
        acts[op](_parts(operation["path"], "path"), operation)

    def _add(self, parts: _Parts, value: Json) -> None:
        if not parts:
            self.document = value
            return
        parent, last = self._parent(parts), parts[-1]
        if isinstance(parent, dict):
            parent[last] = value
            return
        index = len(parent) if last == "-" else pointer.position(last, len(parent) + 1)
        if index is None:
            raise _Unfit(f"the list at {_place(parts[:-1])} has no position {last!a}.")
        parent.insert(index, value)

    def _remove(self, parts: _Parts) -> Json:
        if not parts:
            raise _Unfit("the whole document can be replaced, not removed.")
        self._get(parts)
        parent, last = self._parent(parts), parts[-1]
        return parent.pop(last) if isinstance(parent, dict) else parent.pop(int(last))

    def _replace(self, parts: _Parts, value: Json) -> None:
        self._get(parts)
        if not parts:
            self.document = value
            return
        parent, last = self._parent(parts), parts[-1]
        if isinstance(parent, dict):
            parent[last] = value
        else:
            parent[int(last)] = value

    def _move(self, parts: _Parts, operation: dict[str, Json]) -> None:
        source = _parts(operation["from"], "from")
        if parts == source:
            self._get(source)
            return
        if parts[: len(source)] == source:
            raise _Unfit("a value cannot be moved into itself.")
        self._add(parts, self._remove(source))

    def _copy(self, parts: _Parts, operation: dict[str, Json]) -> None:
        value = self._get(_parts(operation["from"], "from"))
        self._copied = _weight(value, self._copied)
        self._add(parts, value)
        # One container stands in two places now, so none may be written to in place.
        self._own.clear()

    def _test(self, parts: _Parts, operation: dict[str, Json]) -> None:
        if not _equal(self._get(parts), operation["value"]):
            raise _Unfit(f"the value at {_place(parts)} is another one than tested for.")

    def _get(self, parts: _Parts) -> Json:
        try:
            return pointer.get(self.document, pointer.build(parts))
        except pointer.NothingThere as error:
            raise _Unfit(f"there is nothing at {_place(parts)}.") from error

    def _parent(self, parts: _Parts) -> _Container:
        """Own the containers down to a path's last one."""
        node = self._owned(self.document, ())
        self.document = node
        for depth, part in enumerate(parts[:-1], start=1):
            below = self._owned(_child(node, part, parts[:depth]), parts[:depth])
            if isinstance(node, dict):
                node[part] = below
            else:
                node[int(part)] = below
            node = below
        return node

    def _owned(self, value: Json, parts: _Parts) -> _Container:
        if not isinstance(value, dict | list):
            raise _Unfit(f"the value at {_place(parts)} is no object and no list.")
        if id(value) not in self._own:
            value = value.copy()
            self._own[id(value)] = value
        return value


def _child(node: _Container, part: str, parts: _Parts) -> Json:
    if isinstance(node, dict) and part in node:
        return node[part]
    if isinstance(node, list) and (index := pointer.position(part, len(node))) is not None:
        return node[index]
    raise _Unfit(f"there is nothing at {_place(parts)}.")


def _parts(path: Json, name: str) -> _Parts:
    if not isinstance(path, str):
        raise _Unfit(f"{name} is not text.")
    return pointer.parse(path)


def _place(parts: _Parts) -> str:
    path = pointer.build(parts)
    return ascii(path) if path and not path.isprintable() else path or "the top"


def _weight(value: Json, so_far: int) -> int:
    """Add a value's members and characters to a count. Raises: _Unfit, beyond the limit."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        so_far += 1
        if isinstance(item, str):
            so_far += len(item)
        elif isinstance(item, dict):
            so_far += sum(map(len, item))
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
        if so_far + len(waiting) > COPIED_AT_MOST:
            raise _Unfit(f"a patch copies at most {COPIED_AT_MOST:,} values and characters.")
    return so_far


def _equal(one: Json, other: Json) -> bool:
    """Tell whether two values are equal as RFC 6902 tests: 1 is 1.0, and neither is true."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other
