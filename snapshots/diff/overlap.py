"""Which changes touch the same place?"""

from collections.abc import Iterable

from console.canonical import Json
from snapshots import pointer
from snapshots.diff.changes import Change


def touched_paths(document: Json, changes: Iterable[Change]) -> set[str]:
    """Name the places that changes touch, for `paths_overlap`.

    An item that comes, goes or moves renumbers its neighbours, so there the list is touched.
    """
    touched = set()
    for change in changes:
        if change.op == "replace":
            touched.add(change.path)
        else:
            ends = [change.path] if change.from_path is None else [change.path, change.from_path]
            touched.update(_list_around(document, path) for path in ends)
    return touched


def paths_overlap(a: Iterable[str], b: Iterable[str]) -> list[tuple[str, str]]:
    """List the pairs of a path from `a` and one from `b` where one lies at or within the other."""
    ours, theirs = set(a), set(b)
    above = {(mine, top) for mine in ours for top in _upwards(mine) if top in theirs}
    below = {(top, other) for other in theirs for top in _upwards(other) if top in ours}
    return sorted(above | below)


def _list_around(document: Json, path: str) -> str:
    parts = pointer.parse(path)
    try:
        parent = pointer.get(document, pointer.build(parts[:-1])) if parts else None
    except pointer.NothingThere:
        return path
    return pointer.build(parts[:-1]) if isinstance(parent, list) else path


def _upwards(path: str) -> list[str]:
    ends = [i for i, letter in enumerate(path) if letter == "/"]
    return [path[:end] for end in ends] + [path]
