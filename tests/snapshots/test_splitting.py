"""Splitting keeps every byte, and leaves most parts alone when a little changes."""

import hashlib
import random
from typing import Any

import pytest
from hypothesis import given, settings

from console.canonical import Json
from snapshots import pointer, splitting
from snapshots.content import DamagedContent, content_bytes
from snapshots.splitting import DamagedPart, Parts, digests, found, joined, split
from tests.snapshots.test_content import documents


def large(items: int = 3_000, seed: int = 1) -> dict[str, Any]:
    """Return a document of some hundred KB: a list, an object, nested objects, a long text."""
    chosen = random.Random(seed)
    return {
        "messages": [
            {"id": f"m{n}", "text": chosen.randbytes(30).hex(), "n": n} for n in range(items)
        ],
        "memory": {f"k{n:05}": {"score": chosen.random()} for n in range(items)},
        "few": [1, 2.0, None],
        "deep": {"er": {"log": chosen.randbytes(50_000).hex(), "tail": [1]}},
        "ä/~": "odd",
    }


def cut_small(patch: pytest.MonkeyPatch) -> None:
    """Cut so often that small documents have many parts."""
    patch.setattr(splitting, "_SMALLEST", 8)
    patch.setattr(splitting, "_USUAL", 16)
    patch.setattr(splitting, "_LARGEST", 40)


def test_puts_a_large_document_together_again() -> None:
    document = large()
    pieces = split(document)
    assert joined(pieces.skeleton, pieces.parts) == content_bytes(document)
    assert len(pieces.parts) > 20
    sizes = [len(part) for part in pieces.parts.values()]
    assert max(sizes) <= 2 * 65_536 + 2
    for digest, part in pieces.parts.items():
        assert hashlib.sha256(part).hexdigest() == digest


@settings(deadline=None)
@given(documents)
def test_puts_every_document_together_again(document: Json) -> None:
    with pytest.MonkeyPatch.context() as patch:
        cut_small(patch)
        pieces = split(document)
    assert joined(pieces.skeleton, pieces.parts) == content_bytes(document)
    assert set(digests(pieces.skeleton)) == set(pieces.parts)
    for path in paths(document):
        read = found(pieces.skeleton, path, wanted(pieces.parts))
        assert content_bytes(read) == content_bytes(pointer.get(document, path)), path


@pytest.mark.parametrize("way", ["replaced", "appended", "inserted", "removed", "new member"])
def test_leaves_most_parts_alone(way: str) -> None:
    before, after = large(), large()
    if way == "replaced":
        after["memory"]["k01500"] = {"score": "another, and a longer one"}
    elif way == "appended":
        after["messages"].append({"id": "new"})
    elif way == "inserted":
        after["messages"].insert(700, {"id": "new"})
    elif way == "removed":
        del after["messages"][0]
    else:
        after["memory"]["k01500x"] = {}
    old, new = split(before).parts, split(after).parts
    assert 1 <= len(new.keys() - old.keys()) <= 3
    assert len(new) > 20


def test_reads_only_the_parts_of_a_path() -> None:
    document = large()
    pieces = split(document)
    for path in ("/messages/1234/text", "/memory/k02000/score", "/few/1", "/ä~1~0"):
        asked: list[str] = []
        read = found(pieces.skeleton, path, wanted(pieces.parts, asked))
        assert read == pointer.get(document, path)
        assert len(asked) == 1
    asked = []
    assert found(pieces.skeleton, "/messages", wanted(pieces.parts, asked)) == document["messages"]
    assert 5 < len(asked) < len(pieces.parts)


@pytest.mark.parametrize(
    "path",
    [
        "/none",
        "/messages/3000",
        "/messages/-",
        "/messages/01",
        "/memory/k",
        "/few/1/x",
        "/zz",
        "/A",
    ],
)
def test_finds_nothing_where_nothing_is(path: str) -> None:
    pieces = split(large())
    with pytest.raises(pointer.NothingThere):
        found(pieces.skeleton, path, wanted(pieces.parts))


def test_names_the_place_of_a_damaged_part() -> None:
    document = large()
    pieces = split(document)
    with pytest.raises(DamagedPart) as caught:
        joined(pieces.skeleton, {**pieces.parts, digests(pieces.skeleton)[-2]: b"[]"})
    first = int(caught.value.path.removeprefix("/messages/"))
    assert 0 < first < 3_000
    missing = digests(pieces.skeleton)[0]
    rest = {digest: part for digest, part in pieces.parts.items() if digest != missing}
    with pytest.raises(DamagedPart) as caught:
        joined(pieces.skeleton, rest)
    assert caught.value.path == "/deep/er/log"
    with pytest.raises(DamagedPart):
        found(pieces.skeleton, "/deep/er/log", wanted(rest))


@pytest.mark.parametrize("skeleton", [None, {}, [], ["o", None], ["o", ["p", 1, 2, "a"]], ["p", 1]])
def test_refuses_a_skeleton_that_is_none(skeleton: Json) -> None:
    with pytest.raises(DamagedContent):
        joined(skeleton, {})


def wanted(parts: Parts, asked: list[str] | None = None) -> splitting.Load:
    """Return a loader that notes what it was asked for."""

    def load(digests: list[str]) -> Parts:
        if asked is not None:
            asked.extend(digests)
        return {digest: parts[digest] for digest in digests if digest in parts}

    return load


def paths(document: Json, above: str = "") -> list[str]:
    """Return the path of everything in a document."""
    members: list[tuple[str, Json]] = []
    if isinstance(document, dict):
        members = list(document.items())
    elif isinstance(document, list):
        members = [(str(nth), item) for nth, item in enumerate(document)]
    below = [paths(item, f"{above}/{pointer.escape(name)}") for name, item in members]
    return [above, *(path for each in below for path in each)]


def test_the_paths_of_a_document() -> None:
    assert paths({"a": [1, {"/": 2}]}) == ["", "/a", "/a/0", "/a/1", "/a/1/~1"]
