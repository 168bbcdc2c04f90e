"""Where does each item of a list come from, and in which steps does it get to its place?

Items are matched by a declared key, else by `id`, else by being equal; what is left between
equal items is paired in order. A longest run of items that keep their order stays where it is.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import cast

from console.canonical import Json
from snapshots.content import content_bytes
from snapshots.diff.changes import Change

# Above this many comparisons, unlike items are paired in order instead of by likeness.
_COMPARED_AT_MOST = 2_500


def same_key(old: Json, new: Json, fields: Sequence[str]) -> bool:
    """Tell whether two items in the same position are one item that changed."""
    for name in fields:
        one, other = _key(old, name), _key(new, name)
        if one is not None and other is not None:
            return one == other
    return False


def origins(old: list[Json], new: list[Json], fields: Sequence[str]) -> list[int | None]:
    """Give each new item its position in the old list, or None where it is new."""
    found = _by_key(old, new, fields)
    return _by_value(old, new) if found is None else found


def _by_key(old: list[Json], new: list[Json], fields: Sequence[str]) -> list[int | None] | None:
    """Find each new item's old position by the first field that names every item once."""
    for name in fields:
        before, after = [_key(item, name) for item in old], [_key(item, name) for item in new]
        where = {key: i for i, key in enumerate(before)}
        whole = None not in where and None not in after
        if whole and len(where) == len(before) and len(set(after)) == len(after):
            return [where.get(key) for key in after]
    return None


def _key(item: Json, name: str) -> str | int | None:
    key = item.get(name) if isinstance(item, dict) else None
    return key if type(key) is str or type(key) is int else None


def _by_value(old: list[Json], new: list[Json]) -> list[int | None]:
    """Find each new item's old position by equality; pair what is left between equal items."""
    where = {key: i for i, key in enumerate(_numbered(old))}
    sources = [where.get(key) for key in _numbered(new)]
    left = set(range(len(old))) - set(sources)
    anchors = [(i, j) for j in sorted(_staying(sources)) if (i := sources[j]) is not None]
    past_i = past_j = 0
    for i, j in [*anchors, (len(old), len(new))]:
        free_old = [k for k in range(past_i, i) if k in left]
        free_new = [k for k in range(past_j, j) if sources[k] is None]
        for k, match in _paired(old, new, free_old, free_new):
            sources[match] = k
        past_i, past_j = i + 1, j + 1
    return sources


def _numbered(items: list[Json]) -> list[tuple[bytes, int]]:
    """Make equal items distinct by counting them."""
    seen: dict[bytes, int] = {}
    numbered = []
    for item in items:
        written = content_bytes(item)
        seen[written] = count = seen.get(written, -1) + 1
        numbered.append((written, count))
    return numbered


def _paired(
    old: list[Json], new: list[Json], free_old: list[int], free_new: list[int]
) -> list[tuple[int, int]]:
    """Pair items in order, each of the fewer with the most alike of those it can reach."""
    if len(free_old) <= len(free_new):
        return _reached(old, new, free_old, free_new)
    return [(i, j) for j, i in _reached(new, old, free_new, free_old)]


def _reached(
    few: list[Json], many: list[Json], free_few: list[int], free_many: list[int]
) -> list[tuple[int, int]]:
    spare = len(free_many) - len(free_few)
    if not spare or len(free_few) * len(free_many) > _COMPARED_AT_MOST:
        return list(zip(free_few, free_many, strict=False))
    pairs, begin = [], 0
    for nth, i in enumerate(free_few):
        reach = free_many[begin : nth + spare + 1]
        best = max(reach, key=lambda j: _likeness(few[i], many[j]))
        begin += reach.index(best) + 1
        pairs.append((i, best))
    return pairs


def _likeness(one: Json, other: Json) -> int:
    if isinstance(one, dict) and isinstance(other, dict):
        return 1 + sum(key in other and other[key] == value for key, value in one.items())
    return int(type(one) is type(other))


def rearranged(
    path: str, start: int, old: list[Json], new: list[Json], sources: list[int | None]
) -> list[Change]:
    """List the removals, moves and additions that bring a list's items to their new places."""
    kept = set(sources)
    gone = [i for i in reversed(range(len(old))) if i not in kept]
    changes = [Change("remove", f"{path}/{start + i}", old=old[i]) for i in gone]
    for j, source, target in _steps(sources):
        here = f"{path}/{start + target}"
        if source is None:
            changes.append(Change("add", here, value=new[j]))
        elif source != target:
            item = old[cast("int", sources[j])]
            changes.append(Change("move", here, old=item, from_path=f"{path}/{start + source}"))
    return changes


def _steps(sources: list[int | None]) -> list[tuple[int, int | None, int]]:
    """Give each new position that is filled by a move or an addition, with its indexes then.

    Invariant: when position j is reached, the list holds the finished items 0 to j-1, the items
    that stay, and those still to be moved, each of these right behind the last item that stays
    before it; counting them needs no second copy of the list.
    """
    stay = sorted(_staying(sources))
    stay_origins = [cast("int", sources[j]) for j in stay]
    staying = set(stay)
    waiting = sorted(i for j, i in enumerate(sources) if i is not None and j not in staying)
    steps: list[tuple[int, int | None, int]] = []
    passed = 0
    for j, i in enumerate(sources):
        if j in staying:
            passed += 1
            continue
        source = None
        if i is not None:
            nth = bisect_left(waiting, i)
            source = nth + _settled_before(bisect_left(stay_origins, i), stay, passed, j)
            del waiting[nth]
        ahead = bisect_left(waiting, stay_origins[passed]) if passed < len(stay) else len(waiting)
        steps.append((j, source, j + ahead))
    return steps


def _settled_before(rank: int, stay: list[int], passed: int, j: int) -> int:
    """Count the items in their final places before an item that waits behind `rank` stays."""
    if rank > passed:
        return j + rank - passed
    return stay[rank - 1] + 1 if rank else 0


def _staying(sources: Sequence[int | None]) -> set[int]:
    """Choose the new positions that form a longest rising run of old ones: these do not move."""
    tails: list[int] = []
    ends: list[int] = []
    before: dict[int, int] = {}
    for j, i in enumerate(sources):
        if i is None:
            continue
        rank = bisect_left(tails, i)
        if rank:
            before[j] = ends[rank - 1]
        tails[rank : rank + 1] = [i]
        ends[rank : rank + 1] = [j]
    stay: set[int] = set()
    at = ends[-1] if ends else None
    while at is not None:
        stay.add(at)
        at = before.get(at)
    return stay
