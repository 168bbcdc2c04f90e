"""Filters read from an address: what they ask for, and which are refused."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from approvals.filtering import FilterInvalid, read

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked", "name", "value"),
    [
        ({"risk_gte": "3"}, "risk_gte", 3),
        ({"level": "0"}, "level", 0),
        ({"amount_gte": "1500.25", "currency": "EUR"}, "amount_gte", Decimal("1500.25")),
        ({"due_before": "90m"}, "due_before", timedelta(minutes=90)),
        ({"due_before": "3d"}, "due_before", timedelta(days=3)),
        ({"due_before": "2026-11-21T13:00+01:00"}, "due_before", NOON),
        ({"agent": "  clerk "}, "agent", "clerk"),
        ({"sort": "deadline"}, "sort", "deadline"),
        ({}, "status", "open"),
        ({"status": "expired"}, "status", "expired"),
    ],
)
def test_reads_what_is_written(asked: dict[str, str], name: str, value: object) -> None:
    assert getattr(read(asked), name) == value


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"risk_gte": "4"}, "risk_gte"),
        ({"risk_gte": "high"}, "risk_gte"),
        ({"level": "-1"}, "level"),
        ({"amount_gte": "1e3", "currency": "EUR"}, "amount_gte"),
        ({"amount_gte": "-5", "currency": "EUR"}, "amount_gte"),
        ({"amount_gte": "5"}, "currency"),
        ({"currency": "eur"}, "currency"),
        ({"due_before": "0h"}, "due_before"),
        ({"due_before": "2026-11-21T13:00"}, "due_before"),
        ({"due_before": "soon"}, "due_before"),
        ({"due_before": "9999-12-31T23:59:59-14:00"}, "due_before"),
        ({"due_before": "0001-01-01T00:00+14:00"}, "due_before"),
        ({"assignee": "ana"}, "assignee"),
        ({"eligible": "none"}, "eligible"),
        ({"status": "done"}, "status"),
        ({"sort": "amount"}, "sort"),
        ({"agent": "x\x00"}, "agent"),
        ({"q": "x" * 201}, "q"),
        ({"status": "approved", "risk_gte": "2"}, "risk_gte"),
        ({"status": "expired", "sort": "queue"}, "sort"),
    ],
)
def test_refuses_what_cannot_be_meant(asked: dict[str, str], field: str) -> None:
    with pytest.raises(FilterInvalid) as refused:
        read(asked)
    assert refused.value.details["field"] == field


def test_looks_only_at_what_is_open_where_a_filter_can_do_no_more() -> None:
    assert read({}, status="").status == ""
    assert read({"q": "pay"}, status="").status == "open"
    assert read({"sort": "queue"}, status="").status == "open"
    assert read({"agent": "clerk"}, status="").status == ""


def test_a_span_is_counted_from_now_each_time() -> None:
    filters = read({"due_before": "2h"})
    assert filters.due_by(NOON) == NOON + timedelta(hours=2)
    assert filters.due_by(NOON + timedelta(hours=1)) == NOON + timedelta(hours=3)


def test_an_address_says_the_same_again_and_nothing_of_strangers() -> None:
    filters = read({"q": "a & b", "risk_gte": "2", "cursor": "x", "utm": "y"})
    assert filters.address == "q=a+%26+b&risk_gte=2"
    assert filters.narrowing == ["q", "risk_gte"]
    assert not filters.is_personal
    assert read({"snoozed": "me"}).is_personal
