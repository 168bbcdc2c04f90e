"""Drifting: shares, growth, and the limits that a measurement passes."""

from typing import Any

import pytest

from agents import drifting
from agents.drifting import Figures, Limits, Mark

CALM: dict[str, Any] = {
    "entries": 40,
    "stale": 0,
    "contradicting": 0,
    "differing": None,
    "document_bytes": 900,
    "jobs": 7,
    "growth": None,
}


def figures(**more: Any) -> Figures:
    return Figures(**{**CALM, **more})


def test_tells_the_shares_of_all_entries() -> None:
    found = figures(stale=6, contradicting=9)
    assert (found.stale_share, found.contradicting_share) == (0.15, 0.225)


def test_has_no_share_of_nothing() -> None:
    assert figures(entries=0).stale_share == 0


@pytest.mark.parametrize(
    ("then", "now", "growth"),
    [
        (None, Mark(500, 9_000), None),
        (Mark(100, 4_000), Mark(119, 9_000), None),
        (Mark(100, 4_000), Mark(120, 9_000), 250_000.0),
        (Mark(100, 9_000), Mark(350, 4_000), -20_000.0),
        (Mark(0, 500), Mark(4_000, 500), 0.0),
    ],
)
def test_tells_growth_in_a_thousand_jobs(
    then: Mark | None, now: Mark, growth: float | None
) -> None:
    assert drifting.growth(then, now) == growth


@pytest.mark.parametrize(
    ("found", "limits", "over"),
    [
        ({}, Limits(0.5, 0.2, 20, 5_000_000), []),
        ({"stale": 20}, Limits(0.5), []),
        ({"stale": 21}, Limits(0.5), ["stale_share"]),
        ({"stale": 40}, Limits(None), []),
        ({"stale": 1}, Limits(0.0), ["stale_share"]),
        ({"entries": 9, "stale": 9}, Limits(0.1), []),
        ({"entries": 10, "stale": 9}, Limits(0.1), ["stale_share"]),
        ({"contradicting": 9}, Limits(0.9, 0.2), ["contradicting_share"]),
        ({"differing": 3, "entries": 0}, Limits(differing=3), []),
        ({"differing": 4, "entries": 0}, Limits(differing=3), ["differing"]),
        ({"growth": 1_001.0}, Limits(growth=1_000), ["growth"]),
        ({"growth": -5_000.0}, Limits(growth=1_000), []),
        (
            {"growth": 2.0, "stale": 30, "contradicting": 10},
            Limits(0.5, 0.2, None, 1),
            ["stale_share", "contradicting_share", "growth"],
        ),
    ],
)
def test_finds_the_limits_that_are_passed(
    found: dict[str, Any], limits: Limits, over: list[str]
) -> None:
    assert [each.measure for each in drifting.over(figures(**found), limits)] == over


@pytest.mark.parametrize(
    ("found", "limits", "says"),
    [
        (
            {"stale": 25},
            Limits(0.5),
            "25 of 40 entries are stale (62.5 %); the limit is 50 %.",
        ),
        (
            {"contradicting": 9},
            Limits(contradicting_share=0.2),
            "The record contradicts 9 of 40 entries (22.5 %); the limit is 20 %.",
        ),
        (
            {"differing": 1_234},
            Limits(differing=20),
            "1,234 fields differ from the outside record; the limit is 20.",
        ),
        (
            {"growth": 7_250_000.0},
            Limits(growth=5_000_000),
            "It grows by 7.25 MB in 1,000 jobs; the limit is 5 MB.",
        ),
    ],
)
def test_says_with_both_numbers_what_is_too_much(
    found: dict[str, Any], limits: Limits, says: str
) -> None:
    [over] = drifting.over(figures(**found), limits)
    assert over.says == says


def test_crosses_only_what_the_measurement_before_had_not_passed() -> None:
    now = drifting.over(figures(stale=30, contradicting=10), Limits(0.5, 0.2))
    [new] = drifting.crossed(now, [now[0].to_json()])
    assert new.measure == "contradicting_share"
    assert drifting.crossed(now, []) == now


@pytest.mark.parametrize(
    ("measure", "value", "said"),
    [
        ("growth", None, "–"),
        ("growth", -999.4, "−999 bytes"),
        ("growth", 0.0, "0 bytes"),
        ("growth", 999.6, "1 kB"),
        ("growth", 12_345.0, "12.3 kB"),
        ("growth", 5e12, "5,000 GB"),
        ("stale_share", 0.0, "0 %"),
        ("stale_share", 1.0, "100 %"),
        ("contradicting_share", 0.0833333, "8.33 %"),
        ("differing", 4.0, "4"),
    ],
)
def test_says_each_measure_with_its_unit(measure: str, value: float | None, said: str) -> None:
    assert drifting.shown(measure, value) == said
