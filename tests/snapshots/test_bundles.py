"""Bundles: the same State is the same file, and a file that was touched is not believed."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from console.canonical import Json, Unreadable
from snapshots.bundles import (
    Bundle,
    BundleRefused,
    Delta,
    Header,
    Held,
    LetGo,
    Told,
    Whole,
    written,
)
from snapshots.content import content_bytes, content_digest, same
from snapshots.diff import apply, diff

CONTENTS: list[Json] = [{"n": 1.0, "é": None}, {"n": 1, "é": [1]}, {"n": 1, "é": [2, 1]}, "end"]


def told(number: int, document: Json) -> Told:
    return Told(
        number=number,
        epoch=0,
        digest=content_digest(document),
        document_bytes=len(content_bytes(document)),
        change_count=1,
        cause="outside",
        cause_id=str(number),
        actor={"kind": "person", "name": "Ana"},
        reason="because",
        at=datetime(2026, 3, number, tzinfo=UTC),
    )


def versions(*gone: int, whole: tuple[int, ...] = ()) -> list[tuple[Told, Held]]:
    made: list[tuple[Told, Held]] = []
    before: Held = LetGo()
    for number, document in enumerate(CONTENTS, start=1):
        held: Held
        if number in gone:
            held = LetGo()
        elif isinstance(before, LetGo) or number in whole:
            held = Whole(document)
        else:
            changes = diff(before.document, document)
            held = Delta(changes, apply(before.document, changes))
        made.append((told(number, document), held))
        before = held
    return made


def lines(given: list[tuple[Told, Held]] | None = None) -> list[bytes]:
    header = Header(format="countersign-state/1", key="k", kind="record", list_keys={}, snapshots=4)
    return list(written(header, versions() if given is None else given))


def read(given: list[bytes]) -> list[tuple[Told, Held]]:
    return list(Bundle(given).versions())


@pytest.mark.parametrize("gone", [(), (1,), (2,), (1, 2, 3), (2, 3)])
@pytest.mark.parametrize("whole", [(), (2, 3, 4)])
def test_what_is_written_is_read_back(gone: tuple[int, ...], whole: tuple[int, ...]) -> None:
    given = versions(*gone, whole=whole)
    found = read(lines(given))
    assert [each[0] for each in found] == [each[0] for each in given]
    for (_, held), document, number in zip(found, CONTENTS, range(1, 5), strict=True):
        assert isinstance(held, LetGo) == (number in gone)
        assert isinstance(held, LetGo) or same(held.document, document)


def test_the_same_state_is_the_same_file() -> None:
    assert lines() == lines()
    assert read(lines()) == read(lines())


def edited(nth: int, /, **members: Any) -> Callable[[list[bytes]], list[bytes]]:
    """Change a line as somebody would who then seals the file again."""

    def edit(given: list[bytes]) -> list[bytes]:
        line = {**json.loads(given[nth]), **members}
        kept = {name: value for name, value in line.items() if value is not ...}
        body = [*given[:nth], content_bytes(kept) + b"\n", *given[nth + 1 : -1]]
        return [*body, content_bytes({"sha256": _sha(b"".join(body))}) + b"\n"]

    return edit


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


TOUCHED: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str]] = {
    "a byte": (
        lambda given: [*given[:1], given[1].replace(b"because", b"becausE"), *given[2:]],
        "does not match its seal",
    ),
    "no seal": (lambda given: given[:-1], "ends too early"),
    "nothing": (lambda _given: [], "ends too early"),
    "a line left out": (lambda given: [*given[:2], *given[3:]], "Snapshot 2 is missing"),
    "two lines swapped": (
        lambda given: [given[0], given[2], given[1], *given[3:]],
        "Snapshot 1 is missing",
    ),
    "more behind the seal": (lambda given: [*given, b"{}\n"], "behind the seal"),
    "another digest": (edited(1, digest="0" * 64), "does not match its digest"),
    "another document": (edited(1, document={"n": 1}), "does not match its digest"),
    "1 for 1.0": (edited(1, document={"n": 1, "é": None}), "does not match its digest"),
    "another size": (edited(1, document_bytes=1), "not what it says"),
    "changes that do not fit": (
        edited(2, changes=[{"op": "replace", "path": "/n", "old": 7, "value": 1}]),
        "the change expects 7",
    ),
    "a change of nothing": (edited(2, changes=[{"op": "dance", "path": ""}]), "op is add"),
    "a bad path": (edited(2, changes=[{"op": "remove", "path": "x", "old": 1}]), "slash"),
    "no content": (edited(1, document=...), "needs one of"),
    "two contents": (edited(1, let_go=True), "needs one of"),
    "changes on nothing": (edited(1, document=..., let_go=True), "content that is not there"),
    "the newest let go": (edited(4, changes=..., let_go=True), "newest snapshot has no content"),
    "another format": (edited(0, format="countersign-state/2"), "format"),
    "a strange kind": (edited(0, kind="secret"), "kind"),
    "a strange member": (edited(0, admin=True), "admin"),
    "fewer than it says": (edited(0, snapshots=5), "ended|snapshot 5|sha256"),
    "a number as text": (edited(1, number="1"), "number"),
    "no time": (edited(1, at="yesterday"), "at"),
    "a time without zone": (edited(1, at="2026-03-01T00:00:00"), "at"),
    "a long actor": (edited(1, actor={"name": "x" * 20_000}), "longer than a name"),
    "too large a number": (edited(0, snapshots=2**60), "±"),
}


@pytest.mark.parametrize("what", TOUCHED)
def test_a_file_that_was_touched_is_not_believed(what: str) -> None:
    touch, sentence = TOUCHED[what]
    with pytest.raises((BundleRefused, Unreadable), match=sentence):
        read(touch(lines()))


@pytest.mark.parametrize(
    "text", [b"", b"\n", b"null\n", b"[]\n", b"{", b"\xff\n", b'{"a":1,"a":2}\n']
)
def test_what_is_no_bundle_is_refused(text: bytes) -> None:
    with pytest.raises((BundleRefused, Unreadable)):
        read([text])


def test_a_document_may_be_null() -> None:
    given = [*versions()[:3], (told(4, None), Whole(None))]
    assert read(lines(given))[-1][1] == Whole(None)


def test_what_it_says_of_itself_goes_along() -> None:
    said = replace(told(2, 1), epoch=3).said
    assert said == {
        "epoch": 3,
        "cause": "outside",
        "cause_id": "2",
        "actor": {"kind": "person", "name": "Ana"},
        "reason": "because",
        "at": "2026-03-02T00:00:00+00:00",
    }
