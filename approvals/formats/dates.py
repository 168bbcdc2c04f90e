"""How is a day or a moment written, and how much sooner or later is another?

Only forms that can be read in one way are read: ISO 8601, or the form that the field declares.
`03/04/2026` without a declaration is shown as it is.
"""

import re
from datetime import date, datetime, timedelta

from approvals.formats.shown import Formatted, shown
from console.canonical import Json

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})?",
    re.ASCII,
)
_DECLARED = {
    "MM/DD/YYYY": re.compile(r"(?P<m>[0-9]{2})/(?P<d>[0-9]{2})/(?P<y>[0-9]{4})", re.ASCII),
    "DD/MM/YYYY": re.compile(r"(?P<d>[0-9]{2})/(?P<m>[0-9]{2})/(?P<y>[0-9]{4})", re.ASCII),
    "DD.MM.YYYY": re.compile(r"(?P<d>[0-9]{2})\.(?P<m>[0-9]{2})\.(?P<y>[0-9]{4})", re.ASCII),
}
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def read(value: Json, unit: str | None) -> date | None:
    """Read a day, or a moment with or without its distance from UTC."""
    if not isinstance(value, str):
        return None
    try:
        if _DAY.fullmatch(value):
            return date.fromisoformat(value)
        if _MOMENT.fullmatch(value):
            return datetime.fromisoformat(value)
        return _read_declared(value, unit)
    except ValueError:
        return None


def show(value: Json, when: date, other: date | None, unit: str | None) -> Formatted:
    """Show a day with its weekday, a moment also with its time and zone."""
    day = f"{_DAYS[when.weekday()]} {when.day} {_MONTHS[when.month - 1]} {when.year:04}"
    if not isinstance(when, datetime):
        return shown(day, value)
    seconds = "seconds" if when.second or when.microsecond else "minutes"
    clock = when.time().replace(microsecond=0).isoformat(seconds)
    return shown(f"{day}, {clock} {_zone(when)}", value)


def compare(before: date, after: date, unit: str | None) -> str:
    """Say how much sooner or later: in days, within a day in hours and minutes."""
    moments = isinstance(before, datetime), isinstance(after, datetime)
    if any(moments) and not all(moments):
        return "one is a day, the other a moment"
    if isinstance(before, datetime) and isinstance(after, datetime):
        return _between_moments(before, after)
    return _apart(after - before)


def _between_moments(before: datetime, after: datetime) -> str:
    if (before.tzinfo is None) != (after.tzinfo is None):
        return "only one of them has a time zone"
    zones = "" if before.utcoffset() == after.utcoffset() else ", in another time zone"
    return _apart(after - before) + zones


def _apart(step: timedelta) -> str:
    way = "sooner" if step < timedelta(0) else "later"
    step = abs(step)
    minutes = step.seconds // 60
    parts = [
        _counted(step.days, "day"),
        _counted(minutes // 60, "hour"),
        _counted(minutes % 60, "minute"),
    ]
    said = " ".join(filter(None, parts)) or "less than a minute"
    return f"{said} {way}"


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}" if count else ""


def _zone(when: datetime) -> str:
    offset = when.utcoffset()
    if offset is None:
        return "(no time zone)"
    return "UTC" if not offset else f"UTC{when.isoformat()[-6:]}"


def _read_declared(value: str, unit: str | None) -> date | None:
    form = _DECLARED.get(unit or "")
    found = form.fullmatch(value) if form else None
    return date(int(found["y"]), int(found["m"]), int(found["d"])) if found else None
