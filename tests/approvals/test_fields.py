"""Which rows a reviewer reads, and that no change is ever missing from them."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from approvals.fields import OTHER_CHANGES, BadField, Catalogue, Field, Row, rows
from console.canonical import Json
from snapshots import pointer
from snapshots.content import content_bytes
from snapshots.diff import ABSENT, Absent, Change, apply, diff

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

IBAN = Field("/invoices/*/iban", "IBAN", "iban", group="Payee", sensitivity="personal", risk=2)
AMOUNT = Field("/invoices/*/amount", "Amount", "money", unit="../currency", group="Amount")
CURRENCY = Field("/invoices/*/currency", "Currency", "enum", group="Amount")
DUE = Field("/invoices/*/due", "Due", "date", group="Timing")
INVOICE = (IBAN, AMOUNT, CURRENCY, DUE)

BEFORE: Json = {
    "invoices": {
        "INV-7": {
            "iban": "DE89370400440532013000",
            "amount": "45000.00",
            "currency": "EUR",
            "due": "2026-11-30",
            "approved_by": "Ana",
        }
    }
}


def changed(path: str, value: Json) -> Json:
    old = pointer.get(BEFORE, path)
    return apply(BEFORE, [Change("replace", path, old, value)])


def laid_out(after: Json, *fields: Field, before: Json = BEFORE) -> list[Row]:
    return rows(diff(before, after), fields, before, after)


def brief_of(row: Row) -> tuple[str, str | None, str | None, str]:
    before = row.before.text if row.before else None
    return row.label, before, row.after.text if row.after else None, row.note


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("/invoices/INV-7/iban", "literal"),
        ("/invoices/INV-8/iban", "one star"),
        ("/orders/INV-8/iban", "two stars"),
        ("/invoices/INV-8/lines/0/sum", "the rest"),
        ("/invoices/INV-8", "the rest"),
        ("/invoices", "the rest"),
        ("/invoices/INV-8/note", "any member"),
        ("/nowhere", None),
    ],
)
def test_the_most_specific_field_describes_a_path(path: str, label: str | None) -> None:
    catalogue = Catalogue(
        [
            Field("/invoices/**", "the rest", "auto"),
            Field("/*/*/iban", "two stars", "iban"),
            Field("/invoices/*/*", "any member", "auto"),
            Field("/invoices/*/iban", "one star", "iban"),
            Field("/invoices/INV-7/iban", "literal", "iban"),
            Field("/invoices/*/iban", "declared twice", "text"),
        ]
    )
    found = catalogue.field_for(pointer.parse(path))
    assert (found.label if found else None) == label


def test_a_described_change_is_one_row_in_its_words() -> None:
    after = changed("/invoices/INV-7/iban", "GB82WEST12345698765432")
    [row] = laid_out(after, *INVOICE)
    assert brief_of(row) == (
        "IBAN",
        "DE89 3704 0044 0532 0130 00",
        "GB82 WEST 1234 5698 7654 32",
        "country changes from DE to GB; check digits are right",
    )
    assert (row.group, row.secondary, row.sensitivity, row.risk) == (
        "Payee",
        "INV-7",
        "personal",
        2,
    )
    assert (row.described, row.change_index, row.part_of, row.op) == (True, 0, "", "replace")


def test_an_undescribed_change_stands_among_the_others_under_its_raw_path() -> None:
    [row] = laid_out(changed("/invoices/INV-7/approved_by", "Ben"), *INVOICE)
    assert brief_of(row) == ("/invoices/INV-7/approved_by", "Ana", "Ben", "")
    assert (row.group, row.secondary) == (OTHER_CHANGES, "Approved by")
    assert not row.described


def test_a_label_never_carries_a_hidden_character() -> None:
    [row] = laid_out(apply(BEFORE, [Change("add", "/\u202eon", value=1)]))
    assert row.label == "/[U+202E RIGHT-TO-LEFT OVERRIDE]on"
    assert row.secondary.startswith("[U+202E")


def test_a_unit_is_taken_from_the_neighbouring_value_of_each_side() -> None:
    [row] = laid_out(changed("/invoices/INV-7/amount", "48200.00"), *INVOICE)
    assert brief_of(row) == ("Amount", "EUR 45,000.00", "EUR 48,200.00", "+3,200.00, +7.1%")
    assert row.unit == "EUR"


def test_a_changed_unit_leaves_no_difference_to_calculate() -> None:
    after = apply(
        BEFORE,
        [
            Change("replace", "/invoices/INV-7/amount", "45000.00", "48200.00"),
            Change("replace", "/invoices/INV-7/currency", "EUR", "JPY"),
        ],
    )
    amount = laid_out(after, *INVOICE)[0]
    assert brief_of(amount) == (
        "Amount",
        "EUR 45,000.00",
        "JPY 48,200.00",
        "unit changed from EUR to JPY",
    )


def test_a_unit_that_is_not_there_is_said_to_be_missing() -> None:
    before = cast("Json", {"invoices": {"a": {"amount": "1.00"}}})
    after = cast("Json", {"invoices": {"a": {"amount": "2.00"}}})
    [row] = laid_out(after, AMOUNT, before=before)
    assert brief_of(row) == (
        "Amount",
        "1.00",
        "2.00",
        "no unit found at ../currency; +1.00, +100.0%",
    )


def test_a_unit_is_not_guessed_where_items_changed_their_numbers() -> None:
    lines = Field("/lines/*/sum", "Sum", "money", unit="../currency")
    before = cast(
        "Json",
        {
            "lines": [
                {"id": 1, "sum": "5.00", "currency": "USD"},
                {"id": 2, "sum": "5.00", "currency": "EUR"},
            ]
        },
    )
    after = cast("Json", {"lines": [{"id": 2, "sum": "7.00", "currency": "EUR"}]})
    gone, kept = [row for row in laid_out(after, lines, before=before) if row.label == "Sum"]
    assert brief_of(gone) == ("Sum", "USD 5.00", None, "")  # read inside the removed item itself
    assert brief_of(kept)[3] == "no unit found at ../currency; +2.00, +40.0%"


def test_an_added_object_is_one_row_for_each_of_its_values() -> None:
    invoice = {"iban": "DE89370400440532013000", "amount": 12, "currency": "EUR", "memo": "x"}
    change = Change("add", "/invoices/INV-8", value=cast("Json", invoice))
    found = laid_out(apply(BEFORE, [change]), *INVOICE)
    assert [brief_of(row) for row in found] == [
        ("IBAN", None, "DE89 3704 0044 0532 0130 00", "check digits are right"),
        ("Amount", None, "EUR 12.00", ""),
        ("Currency", None, "EUR", ""),
        ("/invoices/INV-8/memo", None, "x", ""),
    ]
    assert {(row.change_index, row.part_of, row.op) for row in found} == {
        (0, "/invoices/INV-8", "add")
    }
    assert [row.described for row in found] == [True, True, True, False]


def test_a_large_object_is_one_row_unless_fields_describe_its_values() -> None:
    forty = cast("Json", {f"k{n:02}": n for n in range(40)})
    forty_one = cast("Json", {f"k{n:02}": n for n in range(41)})
    assert len(laid_out({"x": forty}, before={})) == 40
    [whole] = laid_out({"x": forty_one}, before={})
    assert (whole.path, whole.label, whole.described) == ("/x", "/x", False)
    assert whole.after is not None
    assert json.loads(whole.after.text) == forty_one
    assert len(laid_out({"x": forty_one}, Field("/x/*", "Each", "integer"), before={})) == 41


def test_a_large_object_described_in_part_is_shown_whole_and_in_part() -> None:
    large = cast("Json", {"iban": "GB82WEST12345698765432", **{f"k{n}": n for n in range(41)}})
    found = laid_out({"invoices": {"a": large}}, IBAN, before={"invoices": {}})
    assert [(row.path, row.described) for row in found] == [
        ("/invoices/a", False),
        ("/invoices/a/iban", True),
    ]


def test_a_described_whole_describes_its_values_too() -> None:
    notes = Field("/notes", "Notes", "text", group="Chart")
    found = laid_out({"notes": [{"by": "Ana", "at_bed": True}]}, notes, before={})
    assert [(row.label, row.kind, row.group, row.described) for row in found] == [
        ("Notes: Item 1: By", "auto", "Chart", True),
        ("Notes: Item 1: At bed", "auto", "Chart", True),
    ]


def test_a_move_says_which_item_moves_where() -> None:
    before = cast("Json", [{"id": "a", "name": "Holt AG"}, {"id": "b"}, {"id": "c"}])
    after = cast("Json", [{"id": "b"}, {"id": "c"}, {"id": "a", "name": "Holt AG"}])
    [row] = laid_out(after, before=before)
    assert brief_of(row) == ("/2", "position 1", "position 3", "moved down 2 places")
    assert (row.op, row.secondary) == ("move", "Holt AG")


def test_a_move_between_objects_names_both_places() -> None:
    [row] = rows([Change("move", "/b/x", from_path="/a/x")], [], {}, {})
    assert brief_of(row) == ("/b/x", "/a/x", "/b/x", "moved from /a/x")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([1, 2], [1, 3], [("/x/1", "2", "3", "+1, +50.0%")]),
        ({"a": 1}, {"b": 1}, [("/x/a", "1", None, ""), ("/x/b", None, "1", "")]),
        (
            None,
            {"a": 1},
            [("/x", "null", "{}", "type changed from empty to object"), ("/x/a", None, "1", "")],
        ),
        (
            {"a": 1},
            None,
            [("/x/a", "1", None, ""), ("/x", "{}", "null", "type changed from object to empty")],
        ),
        ({"a": 1}, [1], [("/x", '{"a": 1}', "[1]", "type changed from object to list")]),
        ([1], "1", [("/x", "[1]", "1", "type changed from list to text")]),
        ({}, [], [("/x", "{}", "[]", "type changed from object to list")]),
        (5, 5, [("/x", "5", "5", "same value, written differently")]),
        ({"a": 1}, {"a": 1}, [("/x", '{"a": 1}', '{"a": 1}', "same value, written differently")]),
    ],
)
def test_a_replaced_whole_shows_what_differs(
    old: Json, new: Json, expected: list[tuple[str, str | None, str | None, str]]
) -> None:
    found = rows([Change("replace", "/x", old, new)], [], {"x": old}, {"x": new})
    assert [brief_of(row) for row in found] == expected


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ([], "A field is an object with path, label and kind."),
        ({"path": "/a", "label": "A"}, "The kind of a field is text."),
        ({"path": "a", "label": "A", "kind": "text"}, "A path begins with a slash: 'a' does not."),
        ({"path": "/a", "label": "A", "kind": "cash"}, "/a has the unknown kind 'cash'."),
        ({"path": "/**/a", "label": "A", "kind": "text"}, "In /**/a, ** stands before the end."),
        ({"path": "/a", "label": "A", "kind": "text", "colour": 1}, "A field has no colour."),
        (
            {"path": "/a", "label": "A", "kind": "text", "risk": True},
            "The risk of /a is a whole number from 0.",
        ),
        (
            {"path": "/a", "label": "A", "kind": "text", "sensitivity": "high"},
            "/a has the unknown sensitivity 'high'.",
        ),
        (
            {"path": "/a", "label": "A", "kind": "money", "unit": "../"},
            "/a takes its unit from '../', which names nothing.",
        ),
    ],
)
def test_from_json_refuses(written: Json, sentence: str) -> None:
    with pytest.raises(BadField) as caught:
        Field.from_json(written)
    assert str(caught.value) == sentence


def test_from_json_reads_what_to_json_writes_and_fills_in_the_rest() -> None:
    assert Field.from_json(IBAN.to_json()) == IBAN
    short = Field.from_json({"path": "/a", "label": "A", "kind": "text"})
    assert asdict(short) == {
        "path": "/a",
        "label": "A",
        "kind": "text",
        "unit": None,
        "group": None,
        "sensitivity": "none",
        "risk": 0,
    }


def flat(path: str, value: Json | Absent) -> dict[str, bytes]:
    """List the values within a value, by path."""
    if isinstance(value, Absent):
        return {}
    if isinstance(value, dict) and value:
        parts = {f"{path}/{pointer.escape(key)}": part for key, part in value.items()}
    elif isinstance(value, list) and value:
        parts = {f"{path}/{n}": part for n, part in enumerate(value)}
    else:
        return {path: content_bytes(value)}
    return {at: written for name, part in parts.items() for at, written in flat(name, part).items()}


def assert_nothing_is_missing(changes: list[Change], found: list[Row]) -> None:
    """Recover from the rows alone what each change adds and removes."""
    for index, change in enumerate(changes):
        mine = [row for row in found if row.change_index == index]
        if change.op == "move":
            assert [(row.op, row.path) for row in mine] == [("move", change.path)]
            continue
        old: dict[str, bytes] = {}
        new: dict[str, bytes] = {}
        for row in mine:
            if row.before:
                old |= flat(row.path, json.loads(row.before.title))
            if row.after:
                new |= flat(row.path, json.loads(row.after.title))
        was, now = flat(change.path, change.old), flat(change.path, change.value)
        assert distinct(was, now).items() <= old.items()
        assert distinct(now, was).items() <= new.items()


def distinct(these: dict[str, bytes], those: dict[str, bytes]) -> dict[str, bytes]:
    """Keep what one side has and the other has not; a list that is filled was no value itself."""
    filled = {path[:end] for path in those for end in range(len(path)) if path[end] == "/"}
    return {
        path: written
        for path, written in these.items()
        if those.get(path) != written and not (path in filled and written in (b"[]", b"{}"))
    }


scalars = st.sampled_from([None, True, 0, 1, 1.0, "", "a\u200b", "2026-11-14", "12.00", "EUR"])
names = st.sampled_from(["iban", "amount", "currency", "id", "a/b", "\u202e", "0"])
documents: st.SearchStrategy[Json] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=60,
)
FIELDS = (
    Field("/**", "Anything", "auto"),
    Field("/*/amount", "Amount", "money", unit="../currency"),
    Field("/iban", "IBAN", "iban"),
    Field("/*/*/currency", "Currency", "enum"),
)


@settings(max_examples=300, deadline=None)
@given(before=documents, after=documents, fields=st.sets(st.sampled_from(FIELDS)))
def test_the_rows_hold_every_change(before: Json, after: Json, fields: set[Field]) -> None:
    changes = diff(before, after)
    found = rows(changes, fields, before, after)
    assert {row.change_index for row in found} == set(range(len(changes)))
    assert [row.change_index for row in found] == sorted(row.change_index for row in found)
    assert_nothing_is_missing(changes, found)


@settings(max_examples=200, deadline=None)
@given(old=documents, new=documents)
def test_the_rows_hold_a_change_that_another_program_made(old: Json, new: Json) -> None:
    changes = [
        Change("replace", "/x", old, new),
        Change("remove", "/y", old),
        Change("add", "/z", ABSENT, new),
    ]
    found = rows(changes, FIELDS[1:], {}, {})
    assert {row.change_index for row in found} == {0, 1, 2}
    assert_nothing_is_missing(changes, found)


@pytest.mark.data
@pytest.mark.parametrize("world", ["bank", "telehealth"])
def test_the_rows_hold_exactly_the_recorded_changes(world: str) -> None:
    folder = DATA / world
    if not folder.is_dir():
        pytest.skip(f"the recorded {world} jobs are not beside the checkout ({folder})")
    state: Json = json.loads((folder / "state.json").read_text())
    for job in json.loads((folder / "jobs.json").read_text()):
        before = apply(state, map(Change.from_json, job["initial_overrides"]), strict=False)
        for call in job["calls"]:
            changes = [Change.from_json(change) for change in call["changes"]]
            after = apply(before, changes)
            found = rows(changes, [], before, after)
            assert [changes[index] for index in sorted({row.change_index for row in found})] == (
                changes
            )
            assert_nothing_is_missing(changes, found)
            before = after
