"""What comes out when changes are carried out on a document?"""

from collections.abc import Iterable

from console.canonical import Json
from snapshots import pointer
from snapshots.content import same
from snapshots.diff.changes import ABSENT, Absent, BadChange, Change, DoesNotFit, Need

_Container = dict[str, Json] | list[Json]


def apply(document: Json, changes: Iterable[Change], *, strict: bool = True) -> Json:
    """Carry out changes in order on a document that itself stays as it is.

    Only the objects and lists on the way to a change are copied. Strict means that what a change
    replaces or removes must be exactly its `old`, and what it adds to an object must be new there.
    Raises: DoesNotFit, BadChange, BadPointer.
    """
    draft = Draft(document, strict=strict)
    for change in changes:
        draft.carry_out(change)
    return draft.document


class Draft:
    """A document of which only what changes is copied, once; nothing where it is private.

    A private document, and every value that is put into it, is held by nobody else.
    """

    def __init__(self, document: Json, *, strict: bool, is_private: bool = False) -> None:
        self.document = document
        self._strict = strict
        self._is_private = is_private
        # Holds the copies themselves: an id is only unique while its object lives.
        self._copies: dict[int, Json] = {}

    def carry_out(self, change: Change) -> None:
        parts = pointer.parse(change.path)
        if change.op == "move":
            self._move(change, parts)
        elif not parts:
            self._replace_all(change)
        elif change.op == "add":
            self._add(self._parent(parts), change.path, parts[-1], _given(change.value))
        else:
            self._overwrite(change, self._parent(parts), parts[-1])

    def _replace_all(self, change: Change) -> None:
        if change.op == "remove":
            raise BadChange("The whole record can be replaced, not removed.")
        if change.op == "replace":
            self._check(self.document, change, "")
        elif self._strict:
            raise DoesNotFit("", ABSENT, self.document)
        self.document = _given(change.value)

    def _overwrite(self, change: Change, parent: _Container, last: str) -> None:
        self._check(_child(parent, last), change, change.path)
        if change.op == "remove":
            _take(parent, last)
        elif isinstance(parent, dict):
            parent[last] = _given(change.value)
        else:
            parent[int(last)] = _given(change.value)

    def _move(self, change: Change, parts: tuple[str, ...]) -> None:
        source = pointer.parse(change.from_path or "")
        if not source or not parts:
            raise BadChange("The whole record cannot be moved.")
        path = pointer.build(source)
        parent = self._parent(source)
        found = _child(parent, source[-1])
        if isinstance(found, Absent) or not isinstance(change.old, Absent):
            self._check(found, change, path)
        item = _take(parent, source[-1])
        self._add(self._parent(parts), change.path, parts[-1], item)

    def _add(self, parent: _Container, path: str, last: str, item: Json) -> None:
        if isinstance(parent, list):
            index = pointer.position(last, len(parent) + 1)
            if index is None:
                raise DoesNotFit(path, Need.POSITION, ABSENT)
            parent.insert(index, item)
        elif self._strict and last in parent:
            raise DoesNotFit(path, ABSENT, parent[last])
        else:
            parent[last] = item

    def _check(self, found: Json | Absent, change: Change, path: str) -> None:
        if isinstance(found, Absent):
            raise DoesNotFit(path, change.old, found)
        if self._strict and not _agree(change.old, found):
            raise _misfit(path, change.old, found)

    def _parent(self, parts: tuple[str, ...]) -> _Container:
        """Own the containers down to a path's last one."""
        if self._is_private:
            return _container_at(self.document, parts)
        node = self._own(self.document, ())
        self.document = node
        for depth, part in enumerate(parts[:-1], start=1):
            below = self._own(_child(node, part), parts[:depth])
            if isinstance(node, dict):
                node[part] = below
            else:
                node[int(part)] = below
            node = below
        return node

    def _own(self, value: Json | Absent, parts: tuple[str, ...]) -> _Container:
        value = _container(value, parts)
        if id(value) not in self._copies:
            value = value.copy()
            self._copies[id(value)] = value
        return value


def _container_at(document: Json, parts: tuple[str, ...]) -> _Container:
    """Return what holds the place that a path names."""
    node = _container(document, ())
    for depth, part in enumerate(parts[:-1], start=1):
        node = _container(_child(node, part), parts[:depth])
    return node


def _container(value: Json | Absent, parts: tuple[str, ...]) -> _Container:
    if not isinstance(value, dict | list):
        raise DoesNotFit(pointer.build(parts), Need.CONTAINER, value)
    return value


def _child(node: _Container, part: str) -> Json | Absent:
    if isinstance(node, dict):
        return node.get(part, ABSENT)
    index = pointer.position(part, len(node))
    return ABSENT if index is None else node[index]


def _take(parent: _Container, last: str) -> Json:
    return parent.pop(last) if isinstance(parent, dict) else parent.pop(int(last))


def _given(value: Json | Absent) -> Json:
    if isinstance(value, Absent):
        raise BadChange("A change that adds or replaces has a value.")
    return value


def _misfit(path: str, expected: Json | Absent, found: Json | Absent) -> DoesNotFit:
    """Point at the first place where two values part, not at all of both."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted(expected.keys() | found.keys()):
            here = f"{path}/{pointer.escape(key)}"
            ours, theirs = expected.get(key, ABSENT), found.get(key, ABSENT)
            if not _agree(ours, theirs):
                return _misfit(here, ours, theirs)
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for i, (ours, theirs) in enumerate(zip(expected, found, strict=True)):
            if not same(ours, theirs):
                return _misfit(f"{path}/{i}", ours, theirs)
    return DoesNotFit(path, expected, found)


def _agree(one: Json | Absent, other: Json | Absent) -> bool:
    if isinstance(one, Absent) or isinstance(other, Absent):
        return one is other
    if type(one) is str and type(other) is str:
        return one == other
    return same(one, other)
