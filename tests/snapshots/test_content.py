"""Content comes back exactly as it was put in, or is refused."""

import math
from datetime import UTC, datetime
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.canonical import Json
from snapshots import content

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("document", "written"),
    [
        ({"b": 1, "a": 2}, b'{"a":2,"b":1}'),
        (250000.0, b"250000.0"),
        (250000, b"250000"),
        (-0.0, b"-0.0"),
        (True, b"true"),
        ("Z\u00fcrich", '"Zürich"'.encode()),
        ({"\U0001f600": 1, "\ufb33": 2}, '{"\ufb33":2,"\U0001f600":1}'.encode()),
    ],
)
def test_writes(document: Json, written: bytes) -> None:
    assert content.content_bytes(document) == written


def test_names_content_by_its_sha256() -> None:
    # printf '{"a":1}' | sha256sum
    assert content.content_digest({"a": 1}) == (
        "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
    )


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ({"a": 1, "b": [2]}, {"b": [2], "a": 1}, True),
        (1, 1.0, False),
        (1, True, False),
        (0, False, False),
        (0.0, -0.0, False),
        ([1], [True], False),
        ({"a": [1.0]}, {"a": [1]}, False),
        ("1", 1, False),
        (None, False, False),
        ("\u00e9", "e\u0301", False),
    ],
)
def test_tells_what_is_the_same(one: Json, other: Json, alike: bool) -> None:
    assert content.same(one, other) is alike


@pytest.mark.parametrize(
    "document",
    [
        math.nan,
        {"deep": [None, {"er": math.inf}]},
        [-math.inf],
        {1: "a number as key"},
        {None: "null as key"},
        2**64,
        -(2**63) - 1,
        "\ud800",
        {"\udc00": 1},
        datetime(2026, 11, 14, tzinfo=UTC),
        {"set": {1}},
        b"bytes",
    ],
)
def test_refuses_what_could_not_come_back(document: object) -> None:
    with pytest.raises(content.NotContent, match="cannot be kept as content"):
        content.content_bytes(cast("Json", document))


def test_null_is_no_hidden_nan() -> None:
    assert content.content_bytes({"a": None, "text": "null"}) == b'{"a":null,"text":"null"}'


@pytest.mark.parametrize("damaged", [b"", b"{", b"NaN", b"\xff", b'{"a":1}x'])
def test_says_when_stored_content_is_damaged(damaged: bytes) -> None:
    with pytest.raises(content.DamagedContent):
        content.parse(damaged)


def test_says_when_a_packed_byte_is_wrong() -> None:
    packed = bytearray(content.pack(content.content_bytes(["Nordlicht GmbH"] * 50)))
    packed[-1] ^= 1
    with pytest.raises(content.DamagedContent):
        content.unpack(bytes(packed))
    with pytest.raises(content.DamagedContent):
        content.unpack(b"not packed at all")


def test_packing_saves_space() -> None:
    written = content.content_bytes([{"id": f"rec-{n:06d}", "kind": "fact"} for n in range(1_000)])
    assert len(content.pack(written)) < len(written) / 5


@settings(max_examples=200, deadline=None)
@given(documents)
def test_gives_back_exactly_what_was_put_in(document: Json) -> None:
    written = content.content_bytes(document)
    back = content.parse(content.unpack(content.pack(written)))
    assert content.same(back, document)
    assert content.content_bytes(back) == written
