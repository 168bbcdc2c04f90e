"""When is an execution begun again that could not be finished, and when is it too late?

Arithmetic on times: what failed in a way that nobody foresaw waits longer each time, and what
could not reach its provider waits the longer the longer it has waited.
"""

from datetime import datetime, timedelta
from typing import Final

# How long after its time something may be carried out although its deadline has passed.
LATE_AT_MOST: Final = timedelta(minutes=15)
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=2), timedelta(minutes=2)
_SOONEST, _LATEST = timedelta(seconds=1), timedelta(seconds=60)
_OF_LEASE: Final = 0.8
_DOUBLED_AT_MOST = 10


def after_try(tries: int, now: datetime) -> datetime:
    """Return when to begin again what was begun so often and did not end."""
    return now + min(_FIRST_PAUSE * (1 << min(tries - 1, _DOUBLED_AT_MOST)), _LONGEST_PAUSE)


def after_silence(waiting_since: datetime, now: datetime) -> datetime:
    """Return when to knock again at a provider that could not be reached."""
    return now + min(max((now - waiting_since) / 4, _SOONEST), _LATEST)


def time_to_send(promised: timedelta, lease: timedelta) -> timedelta:
    """Return how long reaching and sending may take: less than the lease of whoever does it.

    So nobody begins again what may still be under way.
    """
    return min(promised, lease * _OF_LEASE)


def is_too_late(deadline: datetime, due_at: datetime, now: datetime) -> bool:
    """Say whether something waited past its deadline, for more than just its hold."""
    return now >= max(deadline, due_at + LATE_AT_MOST)
