"""Which changes turn one content into another?"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from console.canonical import Json
from snapshots import pointer
from snapshots.content import content_bytes, finite_bytes, same
from snapshots.diff import alignment
from snapshots.diff.applying import apply
from snapshots.diff.changes import Absent, Change

NO_KEYS: Final[Mapping[str, str]] = MappingProxyType({})


def diff(old: Json, new: Json, *, keys: Mapping[str, str] = NO_KEYS) -> list[Change]:
    """List the changes that turn `old` into `new`, to the byte.

    Shape: `old` is content already; `keys` maps a path pattern of lists
    (`/patients/*/medications`) to the member that tells their items apart.
    Raises: NotContent.
    """
    if old is new:
        return []
    wanted = finite_bytes(new)
    patterns = [(pointer.parse(pattern), key) for pattern, key in keys.items()]
    # Python holds 1, 1.0 and True equal, and its comparison is fast; the bytes have the last word.
    walk = _Walk(operator.ne, patterns)
    walk.compare("", old, new)
    if finite_bytes(apply(old, walk.changes, strict=False)) != wanted:
        walk = _Walk(_differs, patterns)
        walk.compare("", old, new)
    _require_finite(walk.changes)
    return walk.changes


@dataclass(slots=True)
class _Walk:
    differ: Callable[[Json, Json], bool]
    patterns: Sequence[tuple[tuple[str, ...], str]]
    changes: list[Change] = field(default_factory=list)

    def compare(self, path: str, old: Json, new: Json) -> None:
        if old is new:
            return
        if isinstance(old, dict) and isinstance(new, dict):
            self._objects(path, old, new)
        elif isinstance(old, list) and isinstance(new, list):
            self._lists(path, old, new)
        elif type(old) is not type(new) or self.differ(old, new):
            self.changes.append(Change("replace", path, old, new))

    def _objects(self, path: str, old: dict[str, Json], new: dict[str, Json]) -> None:
        differ = self.differ
        # Asked of every member and item, so `_unlike` is written out here and below.
        touched = [
            key
            for key, value in new.items()
            if key not in old
            or (
                (was := old[key]) is not value
                and (differ(was, value) or type(was) is not type(value))
            )
        ]
        # Sorted, because the order of keys is no content and must not change a diff's digest.
        for key in sorted([*touched, *(old.keys() - new.keys())]):
            here = f"{path}/{pointer.escape(key)}"
            if key not in new:
                self.changes.append(Change("remove", here, old=old[key]))
            elif key not in old:
                self.changes.append(Change("add", here, value=new[key]))
            else:
                self.compare(here, old[key], new[key])

    def _lists(self, path: str, old: list[Json], new: list[Json]) -> None:
        fields = self._key_fields(path)
        if len(old) == len(new):
            differ = self.differ
            slots = [
                nth
                for nth, (was, value) in enumerate(zip(old, new, strict=True))
                if was is not value and (differ(was, value) or type(was) is not type(value))
            ]
            if all(alignment.same_key(old[k], new[k], fields) for k in slots):
                for k in slots:
                    self.compare(f"{path}/{k}", old[k], new[k])
                return
        start, end = self._trimmed(old, new)
        left, right = old[start : len(old) - end], new[start : len(new) - end]
        origins = alignment.origins(left, right, fields)
        self.changes.extend(alignment.rearranged(path, start, left, right, origins))
        for j, i in enumerate(origins):
            if i is not None and self._unlike(left[i], right[j]):
                self.compare(f"{path}/{start + j}", left[i], right[j])

    def _unlike(self, old: Json, new: Json) -> bool:
        return old is not new and (type(old) is not type(new) or self.differ(old, new))

    def _trimmed(self, old: list[Json], new: list[Json]) -> tuple[int, int]:
        most = min(len(old), len(new))
        start = 0
        while start < most and not self._unlike(old[start], new[start]):
            start += 1
        end = 0
        while end < most - start and not self._unlike(old[-1 - end], new[-1 - end]):
            end += 1
        return start, end

    def _key_fields(self, path: str) -> list[str]:
        if not self.patterns:
            return ["id"]
        parts = pointer.parse(path)
        return [key for pattern, key in self.patterns if pointer.matches(pattern, parts)] + ["id"]


def _require_finite(changes: Sequence[Change]) -> None:
    """Refuse NaN and Infinity, which can stand only in what changed. Raises: NotContent."""
    for change in changes:
        if not isinstance(change.value, Absent):
            content_bytes(change.value)


def _differs(one: Json, other: Json) -> bool:
    return not same(one, other)
