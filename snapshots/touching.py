"""Which places of a document does a version touch, and how are such versions found again?

A *place* is a JSON Pointer that still names the same thing after others were added or removed
before it: an item of a keyed list is written by its key (`/payments/[p17]/amount`), and where
items have no key, the place is the list. A *mark* is a number that stands for a place in the
index of versions: every version that touches a place is among those found by the marks asked
for; what is found is then checked exactly.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeGuard
from uuid import UUID

from console.canonical import Json
from snapshots import pointer
from snapshots.diff import ABSENT, Absent, Change, DoesNotFit, Draft

MARKS_AT_MOST = 72
# The root and its members are always named one by one.
_TOP = 2
Patterns = Sequence[tuple[tuple[str, ...], str]]


def patterns_of(keys: Mapping[str, str]) -> Patterns:
    """Read a State's declared list keys once for many questions."""
    return [(pointer.parse(pattern), key) for pattern, key in keys.items()]


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a path of a document lies.

    `around` is the place of what holds it, `in_list` whether that is a list, and `is_named`
    whether an item of it could be named by a key.
    """

    place: str
    around: str
    in_list: bool
    is_named: bool


def place_of(document: Json, path: str, keys: Mapping[str, str]) -> str:
    """Return the place that a path of a document lies in. Raises: BadPointer."""
    return located(document, pointer.parse(path), patterns_of(keys)).place


def located(document: Json, parts: Sequence[str], patterns: Patterns) -> Spot:
    """Find the place of a path; what is not there is placed where it would be."""
    node: Json = document
    place = around = ""
    is_open = is_named = True
    in_list = False
    for depth, part in enumerate(parts):
        around, in_list, is_named = place, isinstance(node, list), is_open
        key: str | None = pointer.escape(part)
        if isinstance(node, list):
            index = pointer.position(part, len(node))
            node = None if index is None else node[index]
            key = _key(node, parts[:depth], patterns) if is_open else None
        elif isinstance(node, dict):
            node = node.get(part)
        is_open = is_open and key is not None
        if is_open:
            place = f"{place}/{key}"
    return Spot(place, around, in_list, is_named)


def _key(item: Json, list_parts: Sequence[str], patterns: Patterns) -> str | None:
    """Write an item's key as the segment that names it."""
    if isinstance(item, dict):
        for name in _names(list_parts, patterns):
            key = item.get(name)
            if type(key) is str or type(key) is int:
                return f"[{pointer.escape(str(key))}]"
    return None


def _names(list_parts: Sequence[str], patterns: Patterns) -> list[str]:
    declared = [name for pattern, name in patterns if pointer.matches(pattern, list_parts)]
    return [*declared, "id"]


def touched(document: Json, change: Change, spot: Spot, patterns: Patterns) -> set[str]:
    """Return the places that one change touches.

    `document` is what the change is about to be carried out on, `spot` where its path lies there.
    """
    parts = pointer.parse(change.path)
    if change.op == "move":
        # Where an item stands is a matter of the whole list, also of one with keys.
        source = located(document, pointer.parse(change.from_path or ""), patterns)
        return {end.around if end.in_list else end.place for end in (spot, source)}
    if spot.in_list and change.op != "remove":
        comes = _key(change.value, parts[:-1], patterns) if _is_json(change.value) else None
        there = spot.around if comes is None or not spot.is_named else f"{spot.around}/{comes}"
        return {there} if change.op == "add" else {there, spot.place}
    if len(parts) > 1 and parts[-1] in _names(parts[:-2], patterns):
        return _renamed(document, change, parts, patterns) or {spot.place}
    return {spot.place}


def _is_json(value: Json | Absent) -> TypeGuard[Json]:
    return not isinstance(value, Absent)


def _renamed(document: Json, change: Change, parts: Sequence[str], patterns: Patterns) -> set[str]:
    """Return the names that an item of a list had and gets when its key itself changes."""
    spot, item = located(document, parts[:-1], patterns), _below(document, parts[:-1])
    if not spot.in_list or not spot.is_named or not isinstance(item, dict):
        return set()
    after = {key: value for key, value in item.items() if key != parts[-1]}
    if not isinstance(change.value, Absent):
        after[parts[-1]] = change.value
    key = _key(after, parts[:-2], patterns)
    if key == _key(item, parts[:-2], patterns):
        return set()
    return {spot.place, spot.around if key is None else f"{spot.around}/{key}"}


def _below(document: Json, parts: Sequence[str]) -> Json:
    for part in parts:
        document = _at(document, part)
    return document


def places(document: Json, changes: Iterable[Change], keys: Mapping[str, str]) -> set[str]:
    """Return the places that changes touch when they are carried out on a document.

    Raises: DoesNotFit, BadChange, BadPointer.
    """
    return follow(Draft(document, strict=False), changes, patterns_of(keys))


def follow(draft: Draft, changes: Iterable[Change], patterns: Patterns) -> set[str]:
    """Carry changes out on a draft and return the places that they touched.

    Raises: DoesNotFit, BadChange, BadPointer.
    """
    found: set[str] = set()
    for change in changes:
        spot = located(draft.document, pointer.parse(change.path), patterns)
        found |= touched(draft.document, change, spot, patterns)
        draft.carry_out(change)
    return found


def carried_over(
    changes: Iterable[Change], before: Json, now: Json, keys: Mapping[str, str]
) -> list[Change]:
    """Return changes made for one document as they are for a newer one.

    Items of keyed lists are found again by their key. Both documents have the same in the places
    that the changes touch. Raises: DoesNotFit, where an item cannot be found again.
    """
    patterns = patterns_of(keys)
    mine, theirs = Draft(before, strict=False), Draft(now, strict=False)
    carried: list[Change] = []
    for change in changes:
        ends = [change.path] if change.from_path is None else [change.path, change.from_path]
        comes = [change.op in ("add", "move"), False]
        path, *source = [
            _found_again(mine.document, theirs.document, end, patterns, is_new=is_new)
            for end, is_new in zip(ends, comes, strict=False)
        ]
        there = Change(change.op, path, change.old, change.value, *source)
        mine.carry_out(change)
        theirs.carry_out(there)
        carried.append(there)
    return carried


def _found_again(mine: Json, theirs: Json, path: str, patterns: Patterns, *, is_new: bool) -> str:
    """Return the path in one document of what stands at a path of the other."""
    parts, found = pointer.parse(path), []
    for depth, part in enumerate(parts):
        if not (isinstance(mine, list) and isinstance(theirs, list)):
            found.append(part)
        elif is_new and depth == len(parts) - 1:
            found.append(_gap(mine, theirs, part, parts[:depth], patterns))
        else:
            found.append(_same_item(mine, theirs, part, parts[: depth + 1], patterns))
        mine, theirs = _at(mine, part), _at(theirs, found[-1])
    return pointer.build(found)


def _same_item(
    mine: list[Json], theirs: list[Json], part: str, parts: Sequence[str], patterns: Patterns
) -> str:
    item = _at(mine, part)
    key = _key(item, parts[:-1], patterns)
    if key is None:
        return part
    here = [nth for nth, each in enumerate(theirs) if _key(each, parts[:-1], patterns) == key]
    if len(here) != 1 or sum(_key(each, parts[:-1], patterns) == key for each in mine) != 1:
        raise DoesNotFit(pointer.build(parts), item, ABSENT)
    return str(here[0])


def _gap(
    mine: list[Json], theirs: list[Json], part: str, list_parts: Sequence[str], patterns: Patterns
) -> str:
    """Return where a new item goes: behind the nearest one before it that is still there."""
    index = pointer.position(part, len(mine) + 1)
    if index is None or mine == theirs:
        return part
    where = {_key(each, list_parts, patterns): nth for nth, each in enumerate(theirs)}
    for item in reversed(mine[:index]):
        key = _key(item, list_parts, patterns)
        if key is not None and key in where:
            return str(where[key] + 1)
    return "0"


def _at(node: Json, part: str) -> Json:
    if isinstance(node, list):
        index = pointer.position(part, len(node))
        return None if index is None else node[index]
    return node.get(part) if isinstance(node, dict) else None


class Area:
    """Places of which it is asked often whether others lie at, in or around them."""

    def __init__(self, places: Iterable[str]) -> None:
        self._places = frozenset(places)
        self._above = frozenset(above for place in self._places for above in _upwards(place))

    def meets(self, place: str) -> bool:
        """Tell whether a place lies at, in or around one of these."""
        return place in self._above or not self._places.isdisjoint(_upwards(place))


def marks(state_id: UUID, places: Iterable[str]) -> list[int]:
    """Return what a version writes down to be found: at most 72 numbers of 64 bits.

    Too many places are written with less of what lies above them, then as the fewer places above
    them, never left out.
    """
    kept = _outermost(set(places))
    signs = _signs(kept)
    if len(signs) > MARKS_AT_MOST:
        signs = _fewer_signs(kept)
    while len(signs) > MARKS_AT_MOST:
        kept = _outermost(_shallower(kept))
        signs = _signs(kept)
    return sorted(_mark(state_id, sign) for sign in signs)


def marks_asked(state_id: UUID, place: str) -> list[int]:
    """Return the marks of which a version has at least one if it touched this place.

    A version counts when it touched the place itself, something in it, or something around it.
    """
    above = _upwards(place)
    asked = [*(f"at {each}" for each in above), f"in {place}"]
    if len(above) > _TOP:
        asked.append(f"under {above[-2]}")
    return [_mark(state_id, sign) for sign in asked]


def _signs(places: set[str]) -> set[str]:
    signs = {f"at {place}" for place in places}
    for place in places:
        signs.update(f"in {above}" for above in _upwards(place)[:-1])
    return signs


def _fewer_signs(places: set[str]) -> set[str]:
    """Say "under a list" once instead of "in an item of it" for each item.

    Who asks for a value in an item is still told exactly; who asks for an item finds too many.
    """
    signs = {f"at {place}" for place in places}
    for place in places:
        above = _upwards(place)[:-1]
        if len(above) > _TOP:
            signs.add(f"under {above[-2]}")
            above.pop()
        signs.update(f"in {each}" for each in above)
    return signs


def _outermost(places: set[str]) -> set[str]:
    return {p for p in places if not any(above in places for above in _upwards(p)[:-1])}


def _shallower(places: set[str]) -> set[str]:
    deepest = max(place.count("/") for place in places)
    return {p.rpartition("/")[0] if p.count("/") == deepest else p for p in places}


def _upwards(place: str) -> list[str]:
    ends = [i for i, letter in enumerate(place) if letter == "/"]
    return [place[:end] for end in ends] + [place]


def _mark(state_id: UUID, sign: str) -> int:
    hashed = blake2b(sign.encode(), digest_size=8, key=state_id.bytes)
    return int.from_bytes(hashed.digest(), "big", signed=True)


def place_asked(document: Json, path: str, keys: Mapping[str, str]) -> str:
    """Return the place that a reader means by a pointer, or by a place, of a document.

    What is not there any more stays as it was written: it was there once. Raises: BadPointer.
    """
    patterns, parts = patterns_of(keys), pointer.parse(path)
    node: Json | Absent = document
    place = ""
    for depth, part in enumerate(parts):
        segment = pointer.escape(part)
        if isinstance(node, list) and not _is_key(part):
            index = pointer.position(part, len(node))
            key = None if index is None else _key(node[index], parts[:depth], patterns)
            if key is None:
                return place
            segment = key
        place = f"{place}/{segment}"
        node = _step(node, segment, parts[:depth], patterns)
    return place


def value_at(
    document: Json, place: str, keys: Mapping[str, str], *, under: str = ""
) -> Json | Absent:
    """Return what stands at a place; `document` is what stands at `under`, a place above it."""
    patterns, parts = patterns_of(keys), pointer.parse(place)
    node: Json | Absent = document
    for depth in range(len(pointer.parse(under)), len(parts)):
        node = _step(node, pointer.escape(parts[depth]), parts[:depth], patterns)
    return node


def above_lists(place: str) -> str:
    """Return the part of a place that is a pointer in every version: what leads to no item."""
    parts = pointer.parse(place)
    ends = (depth for depth, part in enumerate(parts) if _is_key(part))
    return pointer.build(parts[: next(ends, len(parts))])


def _step(
    node: Json | Absent, segment: str, list_parts: Sequence[str], patterns: Patterns
) -> Json | Absent:
    if isinstance(node, list):
        named = (item for item in node if _key(item, list_parts, patterns) == segment)
        return next(named, ABSENT)
    if isinstance(node, dict):
        return node.get(pointer.parse(f"/{segment}")[0], ABSENT)
    return ABSENT


def _is_key(part: str) -> bool:
    return part.startswith("[") and part.endswith("]")
