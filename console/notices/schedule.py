"""When is something tried again, and when does a person's digest go out?"""

import zoneinfo
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

# Standard Webhooks, "Deliverability and reliability": ten tries over a little more than three days.
RETRIES = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
FAILING_AT_MOST = timedelta(days=3)
# A mail that comes a day late says nothing that the queue does not say better.
MAIL_RETRIES = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
    timedelta(hours=12),
)
DIGEST_HOUR = 8


@dataclass(frozen=True, slots=True)
class Slot:
    """A digest's moment: which day it is of where the person is, and when that is."""

    day: date
    at: datetime


def retry_after(tries: int) -> timedelta | None:
    """Return how long to wait after that many failed tries of a delivery; nothing ends it."""
    return RETRIES[tries - 1] if tries <= len(RETRIES) else None


def mail_retry_after(tries: int) -> timedelta | None:
    """Return how long to wait after that many failed tries of a mail; nothing ends it."""
    return MAIL_RETRIES[tries - 1] if tries <= len(MAIL_RETRIES) else None


def has_failed_for_too_long(failing_since: datetime | None, now: datetime) -> bool:
    """Tell whether a webhook that fails without a break since then is to be switched off."""
    return failing_since is not None and now - failing_since >= FAILING_AT_MOST


def slot(now: datetime, hour: int, zone: str) -> Slot:
    """Return the latest moment, now or before, at which a digest of this hour and zone is due."""
    here = now.astimezone(zone_of(zone))
    day = here.date() if here.hour >= hour else here.date() - timedelta(days=1)
    at = datetime(day.year, day.month, day.day, hour, tzinfo=zone_of(zone))
    return Slot(day, at.astimezone(UTC))


def zone_of(name: str) -> zoneinfo.ZoneInfo:
    """Return a time zone; one that nobody knows any more is UTC."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return zoneinfo.ZoneInfo("UTC")


def is_zone(name: str) -> bool:
    """Tell whether this is a time zone's name."""
    return name in zones()


def zones() -> list[str]:
    """Return the names of all time zones that people choose from."""
    return sorted(name for name in zoneinfo.available_timezones() if "/" in name or name == "UTC")
