"""Breaking: what fails again and again is left alone, and one probe finds out when it is back."""

from datetime import UTC, datetime, timedelta

import pytest

from console.breakers.breaker import Breaker, after, ask, pause
from console.breakers.operations.guarding import allow, note
from console.breakers.queries import not_closed, standing
from tests.racing import race

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
BANK = "connector:here:bank"


def seconds(number: float) -> datetime:
    return START + timedelta(seconds=number)


@pytest.mark.parametrize(
    ("openings", "expected"), [(1, 10), (2, 20), (3, 40), (5, 160), (6, 300), (40, 300)]
)
def test_the_pause_doubles_and_stays_below_five_minutes(openings: int, expected: int) -> None:
    assert pause(openings) == timedelta(seconds=expected)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("xxxx", "closed"),
        ("xxxxx", "open"),
        ("xxxxoxxxx", "closed"),
        ("xxxxoxxxxx", "open"),
        # Four calls that were already under way make it wait no longer.
        ("xxxxxxxxx", "open"),
    ],
)
def test_five_failures_in_a_row_open_it(said: str, status: str) -> None:
    breaker = Breaker()
    for each in said:
        breaker = after(breaker, START, ok=each == "o")
    assert breaker.status == status
    assert breaker.until == (seconds(10) if status == "open" else None)


@pytest.mark.parametrize(
    ("breaker", "at", "may_call"),
    [
        (Breaker(), 0, True),
        (Breaker("closed", 4), 0, True),
        (Breaker("open", 5, 1, seconds(10)), 9.999, False),
        (Breaker("open", 5, 1, seconds(10)), 10, True),
        (Breaker("probing", 5, 1, seconds(20)), 19, False),
        (Breaker("probing", 5, 1, seconds(20)), 20, True),
    ],
)
def test_an_open_one_lets_a_probe_through_in_its_time(
    breaker: Breaker, at: float, may_call: bool
) -> None:
    assert ask(breaker, seconds(at))[0] is may_call


def test_a_probe_that_fails_waits_twice_as_long() -> None:
    _, probing = ask(Breaker("open", 5, 1, seconds(10)), seconds(12))
    assert after(probing, seconds(13), ok=False) == Breaker("open", 6, 2, seconds(33))
    assert after(probing, seconds(13), ok=True) == Breaker()


@pytest.mark.django_db
def test_what_never_failed_is_called_and_leaves_no_row() -> None:
    assert allow(BANK, now=START)
    note(BANK, ok=True, now=START)
    assert standing([BANK]) == {}


@pytest.mark.django_db
def test_all_processes_see_that_it_is_open_until_a_success() -> None:
    for _ in range(5):
        note(BANK, ok=False, now=START, problem="connect refused")
    assert not allow(BANK, now=seconds(9))
    assert [(each.name, each.problem) for each in not_closed()] == [(BANK, "connect refused")]
    assert allow("connector:here:other", now=seconds(9))
    assert allow(BANK, now=seconds(10))
    assert not allow(BANK, now=seconds(11))
    note(BANK, ok=True, now=seconds(12))
    assert allow(BANK, now=seconds(12))
    assert standing([BANK])[BANK].failures == 0


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_eight_that_ask_at_once_one_probes() -> None:
    for _ in range(5):
        note(BANK, ok=False, now=START)
    with race(8) as runners:
        said = runners.run(*[lambda: allow(BANK, now=seconds(10))] * 8)
    assert sorted(said) == [False] * 7 + [True]


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_failures_at_the_same_instant_are_all_counted() -> None:
    with race(4) as runners:
        runners.run(*[lambda: note(BANK, ok=False, now=START)] * 4)
    assert standing([BANK])[BANK].failures == 4
