"""Touching is told by places that outlive what happens beside them, and found again by marks."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.canonical import Json
from snapshots import touching
from snapshots.content import content_bytes
from snapshots.diff import Change, apply, diff
from snapshots.touching import Area, carried_over, marks, marks_asked, place_of, places
from tests.snapshots.test_content import documents

STATE = UUID("01960000-0000-7000-8000-000000000001")
KEYS = {"/patients": "mrn", "/patients/*/drugs": "code"}
BOOK: Json = {
    "balance": 5,
    "payments": [{"id": "p1", "amount": 1}, {"id": "p2", "amount": 2}, {"note": "no key"}],
    "patients": [{"mrn": 7, "id": "x", "drugs": [{"code": "a/b", "dose": 1}]}],
    "tags": ["a", "b"],
    "grid": [[{"id": 1}], [{"id": 2}]],
    "0": {"1": "digits"},
}


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("", ""),
        ("/balance", "/balance"),
        ("/payments/1/amount", "/payments/[p2]/amount"),
        ("/payments/2/note", "/payments"),
        ("/payments/9", "/payments"),
        ("/payments", "/payments"),
        ("/patients/0/drugs/0/dose", "/patients/[7]/drugs/[a~1b]/dose"),
        ("/tags/1", "/tags"),
        ("/grid/1/0/id", "/grid"),
        ("/0/1", "/0/1"),
        ("/new/thing", "/new/thing"),
    ],
)
def test_the_place_of_a_path(path: str, place: str) -> None:
    assert place_of(BOOK, path, KEYS) == place


@pytest.mark.parametrize(
    ("change", "touched"),
    [
        (Change("replace", "/balance", 5, 6), {"/balance"}),
        (Change("replace", "/payments/0/amount", 1, 3), {"/payments/[p1]/amount"}),
        (Change("remove", "/payments/0", old={}), {"/payments/[p1]"}),
        (Change("add", "/payments/0", value={"id": "p9"}), {"/payments/[p9]"}),
        (Change("add", "/payments/0", value={"x": 1}), {"/payments"}),
        (Change("add", "/payments/0", value="text"), {"/payments"}),
        (
            Change("replace", "/payments/0", {}, {"id": "p9"}),
            {"/payments/[p1]", "/payments/[p9]"},
        ),
        (Change("replace", "/payments/0/id", "p1", "p9"), {"/payments/[p1]", "/payments/[p9]"}),
        (Change("remove", "/payments/0/id", old="p1"), {"/payments/[p1]", "/payments"}),
        (Change("replace", "/patients/0/mrn", 7, 8), {"/patients/[7]", "/patients/[8]"}),
        (Change("replace", "/patients/0/id", "x", "y"), {"/patients/[7]/id"}),
        (Change("move", "/payments/1", {}, from_path="/payments/0"), {"/payments"}),
        (Change("move", "/kept", {}, from_path="/payments/0"), {"/kept", "/payments"}),
        (Change("add", "/grid/1/0", value={"id": 3}), {"/grid"}),
        (Change("add", "/tags/0", value="c"), {"/tags"}),
        (Change("replace", "", BOOK, {}), {""}),
    ],
)
def test_what_a_change_touches(change: Change, touched: set[str]) -> None:
    assert places(BOOK, [change], KEYS) == touched


def test_follows_a_list_that_shifts() -> None:
    changes = [
        Change("remove", "/payments/0", old={}),
        Change("replace", "/payments/0/amount", 2, 9),
    ]
    assert places(BOOK, changes, {}) == {"/payments/[p1]", "/payments/[p2]/amount"}


@pytest.mark.parametrize(
    ("one", "other", "do"),
    [
        ("/a", "/a", True),
        ("/a", "/a/b", True),
        ("/a/b", "/a", True),
        ("", "/a", True),
        ("/a", "", True),
        ("/a", "/ab", False),
        ("/a/b", "/a/c", False),
        ("/l/[1]", "/l/[12]", False),
    ],
)
def test_which_places_overlap(one: str, other: str, do: bool) -> None:
    assert Area({other, "/elsewhere"}).meets(one) is do


names = st.lists(st.sampled_from(["a", "b", "[1]", "[2]", "c/d"]), max_size=5)
wide = st.integers(0, 200).map(lambda n: f"/l/[{n % 40}]/{n}")
some_places = names.map(lambda parts: "".join(f"/{part}" for part in parts))


@given(
    st.sets(some_places, max_size=200) | st.sets(some_places | wide, min_size=60),
    some_places | wide,
)
def test_every_version_that_touched_a_place_is_found(touched: set[str], asked: str) -> None:
    written = marks(STATE, touched)
    assert len(written) <= touching.MARKS_AT_MOST
    assert written == sorted(set(written))
    if Area(touched).meets(asked):
        assert set(written) & set(marks_asked(STATE, asked))


def test_what_was_not_touched_is_not_found() -> None:
    written = set(marks(STATE, {"/payments/[p1]/amount", "/balance"}))
    for asked in ("/payments/[p2]", "/payments/[p1]/id", "/tags", "/balances"):
        assert not written & set(marks_asked(STATE, asked)), asked


def test_marks_of_one_state_say_nothing_about_another() -> None:
    other = UUID("01960000-0000-7000-8000-000000000002")
    assert not set(marks(STATE, {"/a"})) & set(marks(other, {"/a"}))


def test_marks_are_the_same_for_ever() -> None:
    # BLAKE2b of "at /a" and of "in ", 8 bytes, keyed with the State.
    assert marks(STATE, {"/a"}) == [-3642724455568379475, 4347889922321524893]


def test_many_places_are_written_as_the_places_above() -> None:
    written = set(marks(STATE, {f"/memory/k{n}/score" for n in range(300)} | {"/balance"}))
    assert written & set(marks_asked(STATE, "/memory/k5/score"))
    assert written & set(marks_asked(STATE, "/balance"))
    assert not written & set(marks_asked(STATE, "/tags"))


def test_many_values_in_items_are_found_exactly_and_their_items_among_others() -> None:
    touched = {f"/memory/k{n}/{name}" for n in range(30) for name in ("text", "score")}
    written = set(marks(STATE, touched | {"/counters/steps"}))
    assert 60 < len(written) <= touching.MARKS_AT_MOST
    for asked in (
        "/memory/k7/score",
        "/memory/k7",
        "/memory",
        "",
        "/counters",
        "/memory/k7/text/x",
    ):
        assert written & set(marks_asked(STATE, asked)), asked
    for asked in ("/memory/k7/kind", "/memory/k31/score", "/counters/tokens", "/balance"):
        assert not written & set(marks_asked(STATE, asked)), asked


def test_carries_changes_over_to_shifted_lists() -> None:
    mine = [
        Change("replace", "/payments/1/amount", 2, 9),
        Change("add", "/payments/2", value={"id": "p3"}),
        Change("remove", "/payments/0", old={"id": "p1", "amount": 1}),
    ]
    newer = apply(
        BOOK,
        [
            Change("add", "/payments/0", value={"id": "p0"}),
            Change("replace", "/balance", 5, 6),
        ],
    )
    carried = carried_over(mine, BOOK, newer, {})
    assert [change.path for change in carried] == [
        "/payments/2/amount",
        "/payments/3",
        "/payments/1",
    ]
    merged = apply(newer, carried)
    assert [item.get("id") for item in merged["payments"]] == ["p0", "p2", "p3", None]  # type: ignore[index, call-overload, union-attr]


@given(documents, documents)
def test_carries_changes_over_to_the_same_document(old: Json, new: Json) -> None:
    changes = diff(old, new)
    assert content_bytes(apply(old, carried_over(changes, old, old, {}))) == content_bytes(new)
