"""May a dependency that has failed before be called now, and what does another outcome change?

Closed, everybody calls. After some failures in a row it opens and nobody does. When its time has
come one call goes through as a probe: if that works it closes, else it stays open twice as long.
Source: M. Nygard, Release It!, "Circuit Breaker".
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

Status = Literal["closed", "open", "probing"]
FAILURES_AT_MOST = 5
FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(minutes=5)
# Whoever probes may die; then somebody else may, soon: two probes hurt less than a long silence.
PROBE_LASTS = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Breaker:
    """How a dependency has behaved: failures in a row, how often it opened since, and until when.

    `until` is when an open breaker lets a probe through, or a probe that was never heard of again
    is given up.
    """

    status: Status = "closed"
    failures: int = 0
    openings: int = 0
    until: datetime | None = None


def ask(breaker: Breaker, now: datetime) -> tuple[bool, Breaker]:
    """Say whether a call may go out now, and how the breaker stands after that."""
    if breaker.status == "closed":
        return True, breaker
    if breaker.until is not None and now < breaker.until:
        return False, breaker
    return True, replace(breaker, status="probing", until=now + PROBE_LASTS)


def after(breaker: Breaker, now: datetime, *, ok: bool) -> Breaker:
    """Return how a breaker stands after one outcome."""
    if ok:
        return Breaker()
    failures = breaker.failures + 1
    if breaker.status == "open" or (breaker.status == "closed" and failures < FAILURES_AT_MOST):
        # Calls that were under way when it opened say nothing new about how long to wait.
        return replace(breaker, failures=failures)
    openings = breaker.openings + 1
    return Breaker("open", failures, openings, now + pause(openings))


def pause(openings: int) -> timedelta:
    """Return for how long a breaker stays open the n-th time in a row."""
    return min(FIRST_PAUSE * (1 << min(openings - 1, 10)), LONGEST_PAUSE)
