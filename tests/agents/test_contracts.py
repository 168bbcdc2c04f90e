"""Contracts: nothing is no result, then the schema, then the checks in their order."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import contracts
from agents.contracts import (
    NOTHING,
    dates_in_order,
    ids_exist,
    is_nothing,
    memo_for,
    objection_to_memo,
    objections,
    one_of_the_record,
    totals_add_up,
    within_range,
)
from agents.declarations import Check, Contract, Memo, Role

RECORD: Any = {
    "vendors": {"V-1": {"bank": {"iban": "DE89"}}, "V-2": {"bank": {"iban": "LT12"}}},
    "mailbox": [{"id": "M-1"}, {"id": "M-2"}],
    "formulary": {"digoxin": {"oral": {"from": "0.0625", "to": "0.25"}}},
}


def said(check: Check, value: Any, record: Any = RECORD) -> str:
    """Return what one check says of a value, empty where it has no objection."""
    found = objections(Contract(checks=(check,)), value, record)
    return found[0] if found else ""


class TestNothing:
    @pytest.mark.parametrize(
        "value", [None, "", "  \n", [], {}, [None], {"a": ""}, {"a": [{}], "b": None}]
    )
    def test_is_no_success(self, value: Any) -> None:
        assert objections(Contract(), value, RECORD) == [NOTHING]

    @pytest.mark.parametrize("value", [{"n": 0}, {"found": False}, {"a": None, "b": "x"}])
    def test_is_not_what_only_looks_like_it(self, value: Any) -> None:
        assert objections(Contract(), value, RECORD) == []

    @given(
        st.recursive(
            st.sampled_from([None, "", " "]),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
        )
    )
    def test_stays_nothing_however_deep_it_is_packed(self, value: Any) -> None:
        assert is_nothing(value)
        assert not is_nothing({"packed": value, "one": 0})


class TestASchema:
    CONTRACT = Contract(
        {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}},
        (Check("never", lambda _value, _record: "asked"),),
    )

    def test_names_the_place_that_does_not_fit_and_leaves_the_checks_out(self) -> None:
        assert objections(self.CONTRACT, {"n": "x"}, RECORD) == ["/n: 'x' is not of type 'integer'"]

    def test_is_followed_by_the_checks_of_what_fits(self) -> None:
        assert objections(self.CONTRACT, {"n": 1}, RECORD) == ["never: asked"]

    def test_that_cannot_be_asked_objects(self) -> None:
        found = objections(Contract({"$ref": "#/nowhere"}), {"n": 1}, RECORD)
        assert found[0].startswith("The schema could not be asked")

    def test_lists_only_so_many_objections(self) -> None:
        contract = Contract({"items": {"type": "integer"}})
        assert len(objections(contract, ["x"] * 500, RECORD)) == contracts.OBJECTIONS_AT_MOST


def test_a_check_that_raises_objects() -> None:
    broken = Check("broken", lambda _value, _record: str(1 // 0))
    assert said(broken, {"n": 1}) == (
        "broken could not be checked: ZeroDivisionError: integer division or modulo by zero"
    )


def test_checks_are_all_heard_in_their_order() -> None:
    checks = tuple(Check(name, lambda _v, _r: "no") for name in ("b", "a"))
    assert objections(Contract(checks=checks), {"n": 1}, RECORD) == ["b: no", "a: no"]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"lines": [{"sum": "3.10"}, {"sum": "4.21"}], "total": "7.31"}, ""),
        ({"lines": [{"sum": "0.1"}, {"sum": "0.2"}], "total": 0.3}, ""),
        ({"lines": [{"sum": "3.10"}, {"sum": "4.21"}], "total": "7.30"}, "come to 7.31"),
        ({"lines": [{"sum": "three"}], "total": "3"}, "could not be checked"),
        ({"lines": [{"sum": True}], "total": "1"}, "could not be checked"),
        ({"lines": [{"sum": "NaN"}], "total": "1"}, "could not be checked"),
        ({"lines": [], "total": "5"}, "come to 0"),
        ({"lines": [{"sum": "1"}]}, ""),
    ],
)
def test_totals_add_up(value: Any, problem: str) -> None:
    found = said(totals_add_up("/lines/*/sum", "/total"), value)
    assert problem in found
    assert bool(found) == bool(problem)


def test_totals_may_be_off_by_what_is_allowed_and_no_more() -> None:
    check = totals_add_up("/lines/*", "/total", within="0.01")
    assert said(check, {"lines": ["1.00", "2.00"], "total": "3.01"}) == ""
    assert "come to 3.00" in said(check, {"lines": ["1.00", "2.00"], "total": "3.02"})


@pytest.mark.parametrize(
    ("path", "among", "value", "problem"),
    [
        ("/vendor", "/vendors", {"vendor": "V-1"}, ""),
        ("/vendor", "/vendors", {"vendor": "V-9"}, "/vendors of the record has no V-9."),
        ("/messages/*", "/mailbox", {"messages": ["M-1", "M-2"]}, ""),
        ("/messages/*", "/mailbox", {"messages": ["M-1", "M-7", "M-8"]}, "has no M-7, M-8."),
        ("/vendor", "/nowhere", {"vendor": "V-1"}, "has no V-1."),
        ("/vendor", "/vendors", {"other": "x"}, ""),
    ],
)
def test_ids_exist(path: str, among: str, value: Any, problem: str) -> None:
    found = said(ids_exist(path, among), value)
    assert problem in found
    assert bool(found) == bool(problem)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"from": "2026-11-20", "to": "2026-11-21"}, ""),
        ({"from": "2026-11-20", "to": "2026-11-20"}, ""),
        ({"from": "2026-11-20T23:00:00Z", "to": "2026-11-20"}, ""),
        ({"from": "2026-11-21", "to": "2026-11-20"}, "/to is 2026-11-20, which is before /from"),
        ({"from": "2026-11-31", "to": "2026-12-01"}, "could not be checked"),
        ({"from": "2026-11-20"}, ""),
    ],
)
def test_dates_in_order(value: Any, problem: str) -> None:
    found = said(dates_in_order("/from", "/to"), value)
    assert problem in found
    assert bool(found) == bool(problem)


@pytest.mark.parametrize(
    ("dose", "problem"),
    [
        ("0.0625", ""),
        ("0.125", ""),
        ("0.25", ""),
        ("1.25", "/dose is 1.25, and must lie between 0.0625 and 0.25"),
        ("0.0624", "must lie between"),
        ("0,125", "could not be checked"),
        (True, "could not be checked"),
        ("Infinity", "could not be checked"),
    ],
)
def test_a_dose_within_the_range_of_the_record(dose: Any, problem: str) -> None:
    place = "/formulary/{/drug}/{/route}/"
    check = within_range("/dose", f"{place}from", f"{place}to")
    found = said(check, {"drug": "digoxin", "route": "oral", "dose": dose})
    assert problem in found
    assert bool(found) == bool(problem)


def test_a_range_that_the_record_does_not_have_cannot_be_kept() -> None:
    check = within_range("/dose", "/formulary/{/drug}/oral/from", "5")
    assert "the record has no bound" in said(check, {"drug": "morphine", "dose": "1"})
    assert said(check, {"drug": "morphine"}) == ""


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"iban": "DE89"}, ""),
        ({"iban": "de89"}, "/iban is de89, which the record says nowhere"),
        ({"iban": 89}, "which the record says nowhere"),
        ({"other": "x"}, ""),
    ],
)
def test_one_of_the_record(value: Any, problem: str) -> None:
    found = said(one_of_the_record("/iban", "/vendors/*/bank/iban"), value)
    assert problem in found
    assert bool(found) == bool(problem)


class TestAMemo:
    ROLE = Role(
        "clerk",
        "Keeps books",
        "",
        memory=(
            Memo("V-", {"type": "object"}),
            Memo("V-1 limit", {"type": "integer"}, timedelta(days=7)),
        ),
    )

    @pytest.mark.parametrize(
        ("subject", "value", "problem"),
        [
            ("V-7 account", {"iban": "DE89"}, None),
            ("V-1 limit", 5, None),
            ("V-1 limit", {"iban": "DE89"}, "About 'V-1 limit': "),
            ("V-7 account", "free text", "About 'V-7 account': "),
            ("weather", {"a": 1}, "clerk keeps nothing about 'weather'"),
        ],
    )
    def test_is_of_a_type_that_the_role_declares(
        self, subject: str, value: Any, problem: str | None
    ) -> None:
        found = objection_to_memo(self.ROLE, subject, value)
        assert found is None if problem is None else found and found.startswith(problem)

    def test_is_of_the_type_that_says_most_of_its_subject(self) -> None:
        found = memo_for(self.ROLE, "V-1 limit of today")
        assert found is not None
        assert found.expires_in == timedelta(days=7)

    def test_may_be_anything_for_a_role_without_types(self) -> None:
        assert objection_to_memo(Role("clerk", "", ""), "weather", "sunny") is None
