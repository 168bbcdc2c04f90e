"""As what can a value be read, so that two ways of writing it are found to be the same?

98.7 is 98.70, `DE89 3704` is `DE893704`, 20 May 2025 is 2025-05-20, 6 AM is 06:00. Where a writing
can mean two things (1,234; 04/05/2025), it is read as both.
"""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Final

from console.canonical import Json

# An account number or the like is found although it is written in groups.
ID_FROM: Final = 8
_LONGEST_NUMBER = _LONGEST_TOKEN = 60
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = rf"({'|'.join(_MONTHS)})[a-z]*\.?"
_NTH = r"(\d{1,2})(?:st|nd|rd|th)?"
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:[.,'\u00a0\u202f]\d+)*(?!\w)")
_GROUPED = re.compile(r"[-+]?\d{1,3}([.,])\d{3}(?:\1\d{3})*")
_ISO_DAY = re.compile(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})(?!\d)")
_DIGIT = re.compile(r"\d")
_MONTH_NAMED = re.compile("|".join(_MONTHS), re.IGNORECASE)
_DAY_MONTH = re.compile(rf"(?<!\d){_NTH}\.?\s+{_MONTH},?\s+(\d{{4}})", re.IGNORECASE)
_MONTH_DAY = re.compile(rf"\b{_MONTH}\s+{_NTH},?\s+(\d{{4}})", re.IGNORECASE)
_SLASHED = re.compile(r"(?<!\d)(\d{1,2})[/.](\d{1,2})[/.](\d{4})(?!\d)")
_CLOCK = re.compile(r"(?<![\d:])(\d{1,2})(?::(\d{2}))?\s*([ap])\.?m\b", re.IGNORECASE)
_HOURS = re.compile(r"(?<![\d:])(\d{1,2}):(\d{2})(?![\d:])")


def readings(value: Json) -> list[str]:
    """Return what a whole value can be read as, the most exact first."""
    if value is None or isinstance(value, bool | dict | list):
        return []
    if not isinstance(value, str):
        return _number(str(value))
    text = value.strip()
    if not text:
        return []
    whole = list(_wholes(text)) if len(text) <= _LONGEST_TOKEN else []
    return [*whole, f"text {folded(text)}", f"id {squeezed(text)}"]


def _wholes(text: str) -> Iterator[str]:
    if text[0].isdigit() or text[0] in "+-" or text[:3].casefold() in _MONTHS:
        for reading, start, end in tokens(text):
            if (start, end) == (0, len(text)):
                yield reading


def tokens(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the numbers, days and times within a text as they are compared, and their places."""
    if not _DIGIT.search(text):
        return
    has_month = _MONTH_NAMED.search(text) is not None
    for pattern, read in _READERS.items():
        if pattern in _WITH_MONTH and not has_month:
            continue
        for found in pattern.finditer(text):
            for reading in read(found):
                yield reading, found.start(), found.end()


def folded(text: str) -> str:
    """Return a text without its capitals and line ends."""
    return " ".join(text.casefold().split())


def squeezed(text: str) -> str:
    """Return a text without what groups an account number."""
    return "".join(text.casefold().replace("-", "").split())


def spelled(value: str) -> re.Pattern[str]:
    """Return the pattern of a text as it may be spelled: with other spaces, an id in groups."""
    close = re.sub(r"[\s-]", "", value)
    if len(close) >= ID_FROM and close.isalnum() and any(map(str.isdigit, close)):
        inner = r"[\s-]?".join(map(re.escape, close))
    else:
        inner = r"\s+".join(map(re.escape, value.split()))
    return re.compile(rf"(?<!\w){inner}(?!\w)", re.IGNORECASE)


def _numbers(found: re.Match[str]) -> list[str]:
    plain = re.sub(r"['\u00a0\u202f]", "", found[0])
    last = max(plain.rfind(","), plain.rfind("."))
    if last < 0:
        return _number(plain)
    meant = []
    if plain.count(plain[last]) == 1:
        meant += _number(f"{re.sub('[.,]', '', plain[:last])}.{plain[last + 1 :]}")
    if _GROUPED.fullmatch(plain):
        meant += _number(re.sub("[.,]", "", plain))
    return meant


def _number(written: str) -> list[str]:
    number = Decimal(written)
    if not number.is_finite() or abs(number.adjusted()) > _LONGEST_NUMBER:
        return []
    return [f"number {number.normalize() + 0:f}"]


def _iso(found: re.Match[str]) -> list[str]:
    return _day(found[1], int(found[2]), found[3])


def _day_month(found: re.Match[str]) -> list[str]:
    return _day(found[3], _MONTHS.index(found[2].casefold()) + 1, found[1])


def _month_day(found: re.Match[str]) -> list[str]:
    return _day(found[3], _MONTHS.index(found[1].casefold()) + 1, found[2])


def _slashed(found: re.Match[str]) -> list[str]:
    # Whether the month comes first, only the writer knows.
    year, one, other = found[3], found[1], found[2]
    return [*_day(year, int(one), other), *_day(year, int(other), one)]


def _day(year: str, month: int, day: str) -> list[str]:
    try:
        return [f"day {date(int(year), month, int(day)).isoformat()}"]
    except ValueError:
        return []


def _clock(found: re.Match[str]) -> list[str]:
    hour = int(found[1]) % 12 + (12 if found[3].casefold() == "p" else 0)
    return [f"time {hour:02d}:{found[2] or '00'}"]


def _hours(found: re.Match[str]) -> list[str]:
    return [f"time {int(found[1]):02d}:{found[2]}"]


_READERS = {
    _NUMBER: _numbers,
    _ISO_DAY: _iso,
    _DAY_MONTH: _day_month,
    _MONTH_DAY: _month_day,
    _SLASHED: _slashed,
    _CLOCK: _clock,
    _HOURS: _hours,
}
_WITH_MONTH = {_DAY_MONTH, _MONTH_DAY}
