"""Paths, by the examples of RFC 6901 and by what goes wrong."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.canonical import Json
from snapshots import pointer

RFC_DOCUMENT: Json = {
    "foo": ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("", RFC_DOCUMENT),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ("/g|h", 4),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
    ],
)
def test_reads_the_examples_of_the_rfc(path: str, value: Json) -> None:
    assert pointer.get(RFC_DOCUMENT, path) == value


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("", ()),
        ("/", ("",)),
        ("//", ("", "")),
        ("/~01", ("~1",)),  # unescaping in the wrong order would give a slash
        ("/a~1~0b/c", ("a/~b", "c")),
    ],
)
def test_parses(path: str, parts: tuple[str, ...]) -> None:
    assert pointer.parse(path) == parts
    assert pointer.build(parts) == path


@pytest.mark.parametrize("path", ["foo", " /foo", "/~", "/~2", "/a~", "#/foo"])
def test_refuses_what_is_no_path(path: str) -> None:
    with pytest.raises(pointer.BadPointer, match=r"path"):
        pointer.parse(path)


@pytest.mark.parametrize(
    "path",
    [
        "/none",
        "/foo/2",
        "/foo/-",
        "/foo/-1",
        "/foo/01",  # a leading zero is no index
        "/foo/1e0",
        "/foo/\u0661",  # ARABIC-INDIC DIGIT ONE is a digit to Python, not to the RFC
        "/foo/" + "9" * 5_000,
        "/foo/0/deeper",
        "//deeper",
    ],
)
def test_finds_nothing_where_nothing_is(path: str) -> None:
    with pytest.raises(pointer.NothingThere, match="The record has nothing at /"):
        pointer.get(RFC_DOCUMENT, path)


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("/lines", "/lines", True),
        ("/lines", "/lines/0", False),
        ("/lines/*", "/lines/0", True),
        ("/lines/*", "/lines", False),
        ("/lines/*", "/lines/0/amount", False),
        ("/invoices/*/iban", "/invoices/INV-7/iban", True),
        ("/invoices/*/iban", "/invoices/INV-7/bic", False),
        ("/notes/**", "/notes", True),
        ("/notes/**", "/notes/0/text", True),
        ("/notes/**", "/note", False),
        ("/**", "", True),
        ("", "", True),
        ("", "/x", False),
        ("/*", "/", True),
    ],
)
def test_matches_patterns(pattern: str, path: str, fits: bool) -> None:
    assert pointer.matches(pointer.parse(pattern), pointer.parse(path)) is fits


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(), max_size=6))
def test_building_and_parsing_are_inverse(parts: list[str]) -> None:
    assert pointer.parse(pointer.build(parts)) == tuple(parts)
