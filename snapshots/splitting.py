"""How is a large document cut into parts, so that most stay as they were when a little changes?

A skeleton keeps the shape of a document down to runs of members or items of about 16 KB; each
run is a part, named by the SHA-256 of its content bytes. Where a run ends depends on what stands
there, not on how much stands before it, so a change moves no cut but the nearest.
"""

import hashlib
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import orjson

from console.canonical import Json
from snapshots import pointer
from snapshots.content import DamagedContent, content_bytes, parse

FROM_BYTES = 262_144
_SMALLEST, _USUAL, _LARGEST = 4_096, 16_384, 65_536

Parts = Mapping[str, bytes]
Load = Callable[[list[str]], Parts]


class DamagedPart(DamagedContent):
    """A part is missing or does not match its digest."""

    def __init__(self, path: str, digest: str) -> None:
        """Keep where in the document the part begins."""
        self.path = path
        super().__init__(f"The part {digest[:12]} is damaged or missing.")


@dataclass(frozen=True, slots=True)
class Split:
    """A document in parts: its skeleton, and the content bytes of each part by digest."""

    skeleton: Json
    parts: dict[str, bytes]


def split(document: Json) -> Split:
    """Cut a document. Raises: NotContent.

    Shape of a skeleton: `["p", digest]` is one part; `["o", run…]` an object and `["l", run…]` a
    list. A run is `["p", count, digest]`, in an object `["p", count, digest, first key]`: so many
    members or items in one part, written as an object or a list; or `["n", node]`, in an object
    `["n", node, key]`: one large member or item that is split itself.
    """
    parts: dict[str, bytes] = {}
    return Split(_node(document, content_bytes(document), parts), parts)


def _node(value: Json, written: bytes, parts: dict[str, bytes]) -> Json:
    if isinstance(value, dict):
        return ["o", *_object_runs(value, parts)]
    if isinstance(value, list):
        return ["l", *_list_runs(value, parts)]
    return ["p", _keep(written, parts)]


def _keep(written: bytes, parts: dict[str, bytes]) -> str:
    digest = hashlib.sha256(written).hexdigest()
    parts[digest] = written
    return digest


def _object_runs(value: dict[str, Json], parts: dict[str, bytes]) -> Iterator[Json]:
    run = _Run(b"{", b"}")
    first = ""
    for key in sorted(value):
        written = content_bytes(value[key])
        if len(written) > _LARGEST:
            if run.members:
                yield ["p", *run.close(parts), first]
            yield ["n", _node(value[key], written, parts), key]
            continue
        first = first if run.members else key
        name = orjson.dumps(key)
        run.add(name + b":" + written)
        # The name alone decides, so that another value moves no cut.
        if run.ends_after(name, len(written)):
            yield ["p", *run.close(parts), first]
    if run.members:
        yield ["p", *run.close(parts), first]


def _list_runs(value: list[Json], parts: dict[str, bytes]) -> Iterator[Json]:
    run = _Run(b"[", b"]")
    for item in value:
        written = content_bytes(item)
        if len(written) > _LARGEST:
            if run.members:
                yield ["p", *run.close(parts)]
            yield ["n", _node(item, written, parts)]
            continue
        run.add(written)
        if run.ends_after(written, len(written)):
            yield ["p", *run.close(parts)]
    if run.members:
        yield ["p", *run.close(parts)]


class _Run:
    """Members or items that will be one part."""

    def __init__(self, begin: bytes, end: bytes) -> None:
        self._begin, self._end = begin, end
        self.members: list[bytes] = []
        self._bytes = 0

    def add(self, written: bytes) -> None:
        self.members.append(written)
        self._bytes += len(written) + 1

    def ends_after(self, sign: bytes, weight: int) -> bool:
        """Decide whether to cut here: by chance, which is as likely for every byte."""
        if self._bytes < _SMALLEST:
            return False
        return self._bytes >= _LARGEST or zlib.crc32(sign) % _USUAL < weight

    def close(self, parts: dict[str, bytes]) -> tuple[int, str]:
        count = len(self.members)
        written = self._begin + b",".join(self.members) + self._end
        self.members, self._bytes = [], 0
        return count, _keep(written, parts)


def digests(skeleton: Json) -> list[str]:
    """Return the digests of all parts of a document, in order. Raises: DamagedContent."""
    return [digest for digest, _ in _walk(skeleton, "")]


def _walk(node: Json, path: str) -> Iterator[tuple[str, str]]:
    """Give each part with the path at which it begins."""
    kind, *rest = _list(node)
    if kind == "p":
        yield _text(rest[0]), path
        return
    start = 0
    for run in map(_list, rest):
        name = _text(run[-1]) if kind == "o" else str(start)
        here = f"{path}/{pointer.escape(name)}"
        if run[0] == "n":
            yield from _walk(run[1], here)
            start += 1
        else:
            yield _text(run[2]), here
            start += _count(run[1])


def joined(skeleton: Json, parts: Parts) -> bytes:
    """Write the content bytes of the whole document.

    Raises: DamagedPart, DamagedContent.
    """
    for digest, path in _walk(skeleton, ""):
        _checked(digest, path, parts)
    pieces: list[bytes] = []
    _join(skeleton, parts, pieces)
    return b"".join(pieces)


def _join(node: Json, parts: Parts, pieces: list[bytes]) -> None:
    kind, *rest = _list(node)
    if kind == "p":
        pieces.append(parts[_text(rest[0])])
        return
    begin, end = (b"{", b"}") if kind == "o" else (b"[", b"]")
    pieces.append(begin)
    for nth, run in enumerate(map(_list, rest)):
        if nth:
            pieces.append(b",")
        if run[0] == "p":
            pieces.append(parts[_text(run[2])][1:-1])
            continue
        if kind == "o":
            pieces.append(orjson.dumps(run[2]) + b":")
        _join(run[1], parts, pieces)
    pieces.append(end)


def found(skeleton: Json, path: str, load: Load) -> Json:
    """Return the value at a path and ask only for the parts that it lies in.

    Raises: NothingThere, DamagedPart, DamagedContent, BadPointer.
    """
    node, here, left = skeleton, "", list(pointer.parse(path))
    while left:
        kind, *rest = _list(node)
        if kind == "p":
            return pointer.get(_read(node, here, load), pointer.build(left))
        runs = [_list(run) for run in rest]
        step = _member(runs, left[0]) if kind == "o" else _item(runs, left[0])
        if step is None:
            raise pointer.NothingThere(f"The record has nothing at {path}.")
        run, inside, begins = step
        if run[0] == "p":
            begin = f"{here}/{pointer.escape(begins)}"
            part = _read(["p", run[2]], begin, load)
            return pointer.get(part, pointer.build([inside, *left[1:]]))
        here = f"{here}/{pointer.escape(left.pop(0))}"
        node = run[1]
    return _read(node, here, load)


def _member(runs: list[list[Json]], key: str) -> tuple[list[Json], str, str] | None:
    """Find the run that would hold a member, the member's name in it, and where it begins."""
    firsts = [_text(run[-1]) for run in runs]
    nth = bisect_right(firsts, key) - 1
    if nth < 0 or (runs[nth][0] == "n" and firsts[nth] != key):
        return None
    return runs[nth], key, firsts[nth]


def _item(runs: list[list[Json]], part: str) -> tuple[list[Json], str, str] | None:
    """Find the run that holds an item, the item's position in it, and where it begins."""
    start = 0
    counts = [1 if run[0] == "n" else _count(run[1]) for run in runs]
    index = pointer.position(part, sum(counts))
    if index is None:
        return None
    for run, count in zip(runs, counts, strict=True):
        if index < start + count:
            return run, str(index - start), str(start)
        start += count
    return None


def _read(node: Json, path: str, load: Load) -> Json:
    """Read a node whole."""
    wanted = list(_walk(node, path))
    parts = load([digest for digest, _ in wanted])
    for digest, begins in wanted:
        _checked(digest, begins, parts)
    pieces: list[bytes] = []
    _join(node, parts, pieces)
    return parse(b"".join(pieces))


def _checked(digest: str, path: str, parts: Parts) -> None:
    if digest not in parts or hashlib.sha256(parts[digest]).hexdigest() != digest:
        raise DamagedPart(path, digest)


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list) or not value:
        raise DamagedContent("The stored skeleton is damaged.")
    return value


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise DamagedContent("The stored skeleton is damaged.")
    return value


def _count(value: Json) -> int:
    return cast("int", value)
