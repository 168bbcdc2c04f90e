"""Retrying waits longer each time, and never longer than is of use."""

from datetime import UTC, datetime, timedelta

import pytest

from approvals.retrying import LATE_AT_MOST, after_silence, after_try, is_too_late

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("tries", "seconds"), [(1, 2), (2, 4), (3, 8), (6, 64), (7, 120), (40, 120)]
)
def test_what_failed_waits_twice_as_long_each_time(tries: int, seconds: int) -> None:
    assert after_try(tries, NOON) == NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("waited", "seconds"), [(-5, 1), (0, 1), (4, 1), (40, 10), (240, 60), (86_400, 60)]
)
def test_what_was_not_reached_is_tried_after_a_quarter_of_the_wait(
    waited: int, seconds: int
) -> None:
    since = NOON - timedelta(seconds=waited)
    assert after_silence(since, NOON) == NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("deadline", "due", "late"),
    [
        (timedelta(minutes=1), timedelta(hours=-5), False),
        (timedelta(0), timedelta(hours=-5), True),
        (timedelta(hours=-1), -LATE_AT_MOST, True),
        (timedelta(hours=-1), -LATE_AT_MOST + timedelta(seconds=1), False),
    ],
)
def test_is_too_late_after_its_deadline_and_a_quarter_of_an_hour(
    deadline: timedelta, due: timedelta, late: bool
) -> None:
    assert is_too_late(NOON + deadline, NOON + due, NOON) is late
