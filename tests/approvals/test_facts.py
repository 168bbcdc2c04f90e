"""A fact from the diff: which one is asked of whom, and what counts as right."""

from typing import Any

import pytest

from approvals.facts import FactAsked, fact_asked, is_right
from approvals.fields import Field, Row, rows
from snapshots.diff import Change

FIELDS = (
    Field("/iban", "IBAN", "iban"),
    Field("/amount", "Amount", "money", unit="EUR"),
    Field("/dose", "Dose", "dose", unit="mg"),
    Field("/note", "Note", "text"),
)


def laid(*changes: Change) -> list[Row]:
    return rows(list(changes), FIELDS, {}, {})


def changed(path: str, value: Any, old: Any = None) -> Change:
    return Change("replace", path, old, value)


def asked(*changes: Change, digest: str = "d", person: str = "person:1") -> FactAsked | None:
    return fact_asked(digest, person, laid(*changes))


class TestWhich:
    """One of the changed values, another one for another person or wording."""

    CHANGES = (
        changed("/iban", "LT121000011101001000", "DE89370400440532013000"),
        changed("/amount", "31000.00", "30000.00"),
        changed("/dose", 5, 10),
        changed("/note", "called back", "none"),
    )

    def test_is_the_same_for_the_same_person_and_wording(self) -> None:
        assert asked(*self.CHANGES) == asked(*self.CHANGES)

    def test_varies_with_both(self) -> None:
        people = {asked(*self.CHANGES, person=f"person:{n}") for n in range(40)}
        wordings = {asked(*self.CHANGES, digest=f"{n}") for n in range(40)}
        assert len(people) == len(wordings) == 3

    def test_prefers_numbers_and_accounts_to_words(self) -> None:
        labels = {asked(*self.CHANGES, digest=f"{n}") for n in range(40)}
        assert not any(each and "Note" in each.label for each in labels)

    def test_asks_for_words_where_there_is_nothing_else(self) -> None:
        found = asked(changed("/note", "called back", "none"))
        assert found == FactAsked(
            "New value of “Note”", "Exactly as it stands there", "called back"
        )

    def test_asks_for_the_old_value_of_what_goes(self) -> None:
        found = asked(Change("remove", "/amount", "30000.00"))
        assert found is not None
        assert (found.label, found.expected) == ("Old value of “Amount”", "30000.00")

    def test_asks_for_what_nobody_described_rather_than_for_nothing(self) -> None:
        found = asked(changed("/other", "seven", "eight"))
        assert found is not None
        assert found.expected == "seven"

    @pytest.mark.parametrize(
        "value", [True, None, {}, [], "x" * 41, "a\u202eb", "", "  ", "\u200b"]
    )
    def test_asks_for_nothing_that_cannot_be_typed(self, value: Any) -> None:
        assert asked(changed("/other", value, "before")) is None

    def test_asks_for_nothing_where_nothing_changes(self) -> None:
        assert asked() is None


@pytest.mark.parametrize(
    ("change", "typed", "right"),
    [
        (changed("/iban", "LT121000011101001000"), "1000", True),
        (changed("/iban", "LT121000011101001000"), " 10 00 ", True),
        (changed("/iban", "LT121000011101001000"), "1001", False),
        (changed("/iban", "LT121000011101001000"), "LT12", False),
        (changed("/iban", "LT12100001110100ABCD"), "abcd", True),
        (changed("/amount", "31000.00"), "31000", True),
        (changed("/amount", "31000.00"), "31,000.00", True),
        (changed("/amount", "31000.00"), "31 000", True),
        (changed("/amount", "31000.00"), "EUR 31’000", True),
        (changed("/amount", "31000.00"), "€31000.00", True),
        (changed("/amount", "31000.00"), "3100.00", False),
        (changed("/amount", "31000.00"), "-31000", False),
        (changed("/amount", "31000.00"), "31000 30000", False),
        (changed("/amount", "-5.00"), "\u22125", True),
        (changed("/amount", "31000.00"), "", False),
        (changed("/amount", "31000.00"), "NaN", False),
        (changed("/dose", 2.5), "2.5 mg", True),
        (changed("/dose", 2.5), "25", False),
        (changed("/note", "Called back"), "called  BACK", True),
        (changed("/note", "Called back"), "called", False),
        (changed("/note", "Called back"), "", False),
    ],
)
def test_what_counts_as_right(change: Change, typed: str, right: bool) -> None:
    found = asked(change)
    assert found is not None
    assert is_right(found, typed) is right
