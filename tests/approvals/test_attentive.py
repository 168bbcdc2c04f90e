"""Attentive: what a page may report, what is too quick, and how sure a share is."""

import pytest

from approvals.attentive import Share, floor, noticed


@pytest.mark.parametrize(("fields", "seconds"), [(0, 2.0), (1, 3.0), (7, 9.0)])
def test_nobody_reads_faster_than_the_floor(fields: int, seconds: float) -> None:
    assert floor(fields) == seconds


@pytest.mark.parametrize(("seconds", "is_under"), [("4.9", True), ("5.0", False), ("61", False)])
def test_a_decision_is_held_against_the_floor(seconds: str, is_under: bool) -> None:
    assert noticed({"visible_seconds": seconds}, 3)["under_floor"] is is_under


def test_what_a_page_reports_is_kept_as_durations_and_counts() -> None:
    reported = {
        "visible_seconds": "41.27",
        "hidden_seconds": "3",
        "reached_end": "1",
        "evidence_opened": "2",
        "keystrokes": "secret",
    }
    assert noticed(reported, 4) == {
        "fields": 4,
        "visible_seconds": 41.3,
        "hidden_seconds": 3.0,
        "reached_end": True,
        "evidence_opened": 2,
        "under_floor": False,
    }


@pytest.mark.parametrize("seconds", ["", "soon", "-1", "nan", "inf", "1e9", "86401"])
def test_what_cannot_be_is_as_if_nothing_was_reported(seconds: str) -> None:
    assert noticed({"visible_seconds": seconds}, 1) == {}


@pytest.mark.parametrize(
    ("count", "of", "percent", "interval"),
    [
        # Wilson's interval; the table of Newcombe 1998 has 81 of 263 as 0.2553 to 0.3662.
        (81, 263, 31, (26, 37)),
        (0, 10, 0, (0, 28)),
        (10, 10, 100, (72, 100)),
        (3, 4, 75, (30, 95)),
    ],
)
def test_a_share_says_how_sure_it_is(
    count: int, of: int, percent: int, interval: tuple[int, int]
) -> None:
    share = Share(count, of)
    assert (share.percent, share.interval) == (percent, interval)


def test_of_nothing_there_is_no_share() -> None:
    assert (Share(0, 0).percent, Share(0, 0).interval) == (None, None)
