"""The clock of deadlines and leases goes on while the machine sleeps."""

import time

import pytest

from console import steady as clocks
from console.steady import steady


def test_goes_on_while_the_machine_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(time, "CLOCK_BOOTTIME"):
        pytest.skip("this system has no such clock")
    real = time.clock_gettime
    slept = 3600.0

    def after_sleep(clock: int) -> float:
        return real(clock) + (slept if clock == time.CLOCK_BOOTTIME else 0)

    before = steady()
    monkeypatch.setattr(time, "clock_gettime", after_sleep)
    assert steady() - before >= slept


def test_is_monotonic_where_there_is_no_such_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "_CLOCK", None)
    assert abs(steady() - time.monotonic()) < 1
