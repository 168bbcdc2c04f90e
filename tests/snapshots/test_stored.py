"""Stored bytes of every format that was ever written are read as they were meant.

The bytes here were written once. No test writes them again: one that cannot read them any more
says that versions in somebody's database cannot be read any more.
"""

import hashlib
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.canonical import Json
from snapshots import pointer, splitting, stored
from snapshots.content import DamagedContent, content_bytes, content_digest, pack, parse
from snapshots.diff import BadChange, Change, apply, diff
from snapshots.stored import Stored
from tests.snapshots.test_content import documents

DOCUMENT: Json = {
    "balance": 250000.0,
    "payments": [{"id": "p1", "amount": 10}, {"id": "p2", "amount": 20}],
    "note": "Zürich",
    "tags": ["a", "b", "c"],
}
CHANGED: Json = {
    "balance": 249990,
    "payments": [{"id": "p2", "amount": 20}, {"id": "p0", "amount": 5}, {"id": "p1", "amount": 10}],
    "tags": ["a", "c"],
    "new": None,
}
FIRST_WHOLE = (
    "KLUv/SR3FQMAAkYVHrAnjQHAkiS+CRYTNhAiWFDDbbdPAQzAXtjFpk0GVOs4bSPbeSF3O9YI2fow44Rku4OvKhYlbwZ4"
    "YlUpi2S2DSlBMBqCcbWLbge4uwsgXCXNQyI3AQMAXIUD5ZLd5hmcmdsE"
)
FIRST_CHANGES = (
    "KLUv/WRbAK0FAPIIHiGQtzl5//9/0cZA6zXe3Vl0IxSyBNJ2B8QwMnnxxa5/UAKFeIauLQrTKBaD7qchuD3jVSrFXGN4"
    "wHAOCyHHnjw+3/WLeTr0sD2O7aM0HNiYJfattVGKiSCIQOn56YXa9ibG9Qvc93RWth831z/3lIDMzEPpV7tHhBYAMluG"
    "ZZv4bBtFqyiEFlV0cEUeYxAUY2MIBlntkVFBYoI4DcwffACspmABEOE2qjaKygxVzXJdswwx+6vW"
)
COMPACT = (
    "KLUv/SSWhQMAIoYVHHBp0wGg+MbB33YqDFpcCdW4CkiEyP8Bz6r/QwiM3R6TinNPdkVLRAgfyDngQ/fBq6wRSH75MAve"
    "U3OygpjRE3JetmWBjeBVlpRSAKQ3Q6LDAronXisJACDEVXEgrqjLMQ3zigPYlZkGWWs6ASgxpTc="
)
COMPACT_MOVES = (
    "KLUv/SRJ1QEAJAJbWyJtIiwiL2JhIl0sWyJubC8wYk0xXSxbIk5jbC8xIl1dCQAoIYQK5RkBwoFhNU+o2HAxA6scAcuF"
    "6zo="
)
SKELETON = (
    "KLUv/WT9ALUJAJbbRRiQGaQDy6pHxSOym23anZaWJEKKS6KqDAtAADsAQACDjlDqlSiMrOMV8YQoMBiAIWB0hvkc3pVY"
    "WljiSDRR2+raqifKWJl0o6BwIovYZMXKDFFQ4VIz2DAIAzDMwQAEwzC5rdWnqShjSfPXjo0Y/5OjJSS/hrbCkQw+ZM5z"
    "clb1AmmGOuAs7UMUqq1zu9QjX1S86f/vmklbqlm2/EisBQ7S12fieOTXOh8/dgUEBIyAwUHBDAHjPt5RiLGppYmV6beS"
    "3uK6vZpljWOfkbCc2qpNC+u31wyDQDABAQGzMMOYW1fpDaq6JRtVeKhmO+K7DRu7OHYoJYrLoxTO3olE0Ff/KCQMBEx/"
    "3m+WGROqJsOWmMjD9CzlAQkAVywJWVhjlRUxxAZycGEHZAZgsYOLZddlhShprOlv"
)
PARTS = [
    "KLUv/SQPeQAAeyJhIjoxLCJiIjoyLjB9S+7PLQ==",
    "KLUv/SQNaQAAWyJvbmUiLCJ0d28iXRQoqAk=",
    "KLUv/SQKUQAAeyJrIjp0cnVlfThljAo=",
    "KLUv/SQLWQAAImxvbmcgdGV4dCILfETi",
    "KLUv/SQGMQAAW251bGxd5+Rmvw==",
    "KLUv/SQIQQAAeyJ6Ijp7fX178L1Q",
]
IN_PARTS: Json = {
    "a": 1,
    "b": 2.0,
    "list": ["one", "two", {"k": True, "long": "long text"}, None],
    "z": {},
}


def row(codec: int, data: str | bytes | None, *, number: int = 2, base: int = 1) -> Stored:
    return Stored(number, base, codec, b64decode(data) if isinstance(data, str) else data, "")


def test_reads_codec_1_whole() -> None:
    plain = stored.whole(row(1, FIRST_WHOLE))
    assert parse(plain) == DOCUMENT
    assert hashlib.sha256(plain).hexdigest() == (
        "36a1898f7d2c0df99644b6dd08cdb71f5b7e90fb07c0e0308e28bb2a9f5e40a6"
    )


def test_reads_codec_1_changes() -> None:
    changes = stored.changes(row(1, FIRST_CHANGES))
    assert changes[0] == Change("replace", "/balance", 250000.0, 249990)
    assert [change.op for change in changes] == [
        "replace",
        "add",
        "remove",
        "move",
        "add",
        "remove",
    ]
    assert apply(DOCUMENT, changes) == CHANGED


def test_reads_codec_2() -> None:
    changes = stored.changes(row(2, COMPACT))
    changed = apply(DOCUMENT, changes, strict=False)
    assert changed == CHANGED
    assert content_digest(changed) == (
        "24a641d7ae7dbd161671b8c283b443a0f19693ffa2d4b31370b18e5bd9455e2e"
    )
    letters = [(each.from_list, each.to_list) for each in stored.operations(row(2, COMPACT))]
    assert [a for a, _ in letters] == [False, True, True, True, False, False]


def test_reads_every_move_of_codec_2() -> None:
    operations = stored.operations(row(2, COMPACT_MOVES))
    kinds = [(each.from_list, each.to_list) for each in operations]
    assert kinds == [(False, False), (False, True), (True, True), (True, False)]
    moved = apply({"a": "x", "l": ["p", "q"]}, [o.change for o in operations], strict=False)
    assert moved == {"l": ["p", "q"], "c": "x"}


def test_reads_codec_3() -> None:
    skeleton = parse(stored.whole(row(3, SKELETON)))
    pieces = [stored.whole(row(3, data)) for data in PARTS]
    parts = {hashlib.sha256(piece).hexdigest(): piece for piece in pieces}
    assert set(splitting.digests(skeleton)) == set(parts)
    plain = splitting.joined(skeleton, parts)
    assert plain == content_bytes(IN_PARTS)
    assert hashlib.sha256(plain).hexdigest() == (
        "04d1f8b1ea23c2b0d0a89b4f7e8c1e57e183b2c8550e8d23f114107c256abd29"
    )


def test_reads_codec_4() -> None:
    whole, reference = row(1, FIRST_WHOLE, number=1), row(4, b"", number=7)
    after = row(2, COMPACT, number=8, base=7)
    assert stored.readable([whole, reference, after]) == [whole, reference, after]


def test_begins_with_the_last_whole_document() -> None:
    rows = [row(1, b"", number=1), row(2, b"", number=2), row(3, b"", number=3, base=3)]
    assert stored.readable([*rows, row(2, b"", number=4, base=3)])[0].number == 3


def test_passes_over_what_was_let_go() -> None:
    whole, gone = row(1, b"", number=1), row(1, None, number=2, base=2)
    after = row(2, b"", number=3)
    assert stored.readable([whole, gone, after]) == [whole, after]


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [row(2, b"", number=2)],
        [row(4, b"", number=2)],
        [row(1, None, number=1)],
        [row(1, b"", number=1), row(2, b"", number=3)],
        [row(1, b"", number=1), row(4, b"", number=5, base=2)],
    ],
)
def test_does_not_read_a_chain_with_a_gap(rows: list[Stored]) -> None:
    with pytest.raises(DamagedContent):
        stored.readable(rows)


@pytest.mark.parametrize(
    "written",
    [
        {},
        ["r"],
        [["x", "/a", 1]],
        [["r", "/a"]],
        [["d", "/a", 1]],
        [["M", "/a", 1]],
        [["r", 1, 1]],
        [None],
        [[]],
        [[["r"], "/a", 1]],
    ],
)
def test_refuses_operations_that_are_none(written: Json) -> None:
    damaged = row(2, pack(content_bytes(written)))
    with pytest.raises(DamagedContent):
        stored.changes(damaged)


@pytest.mark.parametrize("written", [{}, [{"op": "swap"}], [1]])
def test_refuses_changes_that_are_none(written: Json) -> None:
    with pytest.raises((DamagedContent, BadChange)):
        stored.changes(row(1, pack(content_bytes(written))))


def test_a_damaged_byte_is_noticed() -> None:
    data = bytearray(b64decode(COMPACT))
    for nth in range(len(data)):
        data[nth] ^= 1
        with pytest.raises(DamagedContent):
            stored.changes(row(2, bytes(data)))
        data[nth] ^= 1


def test_codec_3_holds_no_changes() -> None:
    with pytest.raises(DamagedContent, match="Codec 3"):
        stored.changes(row(3, SKELETON))


@given(documents, documents)
def test_operations_say_what_the_changes_said(old: Json, new: Json) -> None:
    written = written_down(old, diff(old, new))
    read = stored.changes(row(2, stored.pack_operations(written)))
    assert content_bytes(apply(old, read, strict=False)) == content_bytes(new)


def written_down(document: Json, changes: list[Change]) -> list[Json]:
    """Write changes as codec 2 does, each on the document as it stands then."""
    operations: list[Json] = []
    for change in changes:
        above, _, _ = change.path.rpartition("/")
        in_list = bool(change.path) and isinstance(pointer.get(document, above), list)
        operations.append(stored.operation(document, change, in_list=in_list))
        document = apply(document, [change])
    return operations


@given(st.binary(max_size=2_000))
def test_packing_gives_back_the_same(content: bytes) -> None:
    assert stored.whole(row(1, pack(content))) == content
