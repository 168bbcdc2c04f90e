"""How is a value shown of which nothing is known but its type?

As it is. What a reader would overlook is said beside it: another way of writing a number or a
date, and letters of two alphabets in one word.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from approvals.deceptive import deceptive, name
from approvals.formats import numbers, words
from approvals.formats.shown import Formatted, as_it_is, kind_of, written
from console.canonical import Json

# A sign is read only right before its digits: the minus of `-$5.00` or `5.00-` must not be lost.
_NUMBER_WITHIN = re.compile(
    r"(?P<lead>(?:[^\d(\-\u2212]{0,3}[^\w(\-\u2212])??)"
    r"(?P<whole>-?[0-9]{1,3}(?:,[0-9]{3})+|-?[0-9]{1,30})"
    r"(?:\.(?P<part>[0-9]{1,30}))?(?P<tail>[^\d)\-\u2212]{0,12})",
)
_SEPARATED = re.compile(r"[0-9]+(?:[/.:T \-][0-9]+)+", re.ASCII)
_GROUPED_FROM = 1_000
_LONG = 80


@dataclass(frozen=True, slots=True)
class Plain:
    """A value with its type, so that true is not taken for 1; lists and objects as their text."""

    kind: str
    value: str | float | bool | None


@dataclass(frozen=True, slots=True)
class _Numeral:
    number: Decimal
    lead: str
    tail: str
    grouped: bool
    decimals: int

    def picture(self) -> str:
        point = "." + "#" * self.decimals if self.decimals else ""
        return f"{self.lead}{'#,###' if self.grouped else '#'}{point}{self.tail}"

    def is_written_like(self, other: "_Numeral") -> bool:
        small = min(abs(self.number), abs(other.number)) < _GROUPED_FROM
        return (self.lead, self.tail, self.decimals) == (
            other.lead,
            other.tail,
            other.decimals,
        ) and (small or self.grouped == other.grouped)


def read(value: Json, unit: str | None) -> Plain:
    """Take a value with its type."""
    return Plain(kind_of(value), written(value) if isinstance(value, list | dict) else value)


def show(value: Json, reading: Plain, other: Plain | None, unit: str | None) -> Formatted:
    """Show a value as it is, a long text with its changed words marked."""
    texts = [each.value for each in (reading, other) if each and each.kind == "text"]
    if isinstance(value, str) and max(len(str(text)) for text in texts) > _LONG:
        return words.show(value, value, str(texts[1]) if texts[1:] else None, unit)
    return as_it_is(value)


def compare(before: Plain, after: Plain, unit: str | None) -> str:
    """Say what a reader would overlook between two values of one type."""
    if before.kind != after.kind:
        return ""
    if isinstance(before.value, str) and isinstance(after.value, str):
        return _compare_texts(before.value, after.value) if before.kind == "text" else ""
    old, new = numbers.read(before.value), numbers.read(after.value)
    return "" if old is None or new is None else numbers.compare_number(old, new, None)


def check(reading: Plain, unit: str | None) -> str:
    """Say when a word is written with letters of two alphabets."""
    if not isinstance(reading.value, str) or reading.value.isascii():
        return ""
    text = reading.value
    odd = next((part for part in deceptive(text) if part.kind == "mixed_scripts"), None)
    return f"two alphabets in one word: {name(text[odd.start])}" if odd else ""


def _compare_texts(before: str, after: str) -> str:
    old, new = _numeral(before), _numeral(after)
    if old and new:
        if not old.is_written_like(new):
            return f"format changed from {old.picture()} to {new.picture()}"
        if old.decimals or old.tail.strip():
            return numbers.compare_number(old.number, new.number, None)
    elif _SEPARATED.fullmatch(before) and _SEPARATED.fullmatch(after):
        pictures = [re.sub(r"[0-9]+", "#", text) for text in (before, after)]
        if pictures[0] != pictures[1]:
            return f"format changed from {pictures[0]} to {pictures[1]}"
    return ""


def _numeral(text: str) -> _Numeral | None:
    found = _NUMBER_WITHIN.fullmatch(text)
    if found is None or not text.isprintable():
        return None
    whole, part = found["whole"], found["part"] or ""
    number = Decimal(whole.replace(",", "") + (f".{part}" if part else ""))
    return _Numeral(number, found["lead"], found["tail"], "," in whole, len(part))
