"""How is a dose written so that nobody reads ten times too much?

Source: ISMP, List of Error-Prone Abbreviations, Symbols, and Dose Designations: a zero before the
point always, after it never, units in words, commas from a thousand on.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from approvals.formats import numbers
from approvals.formats.shown import Formatted, shown
from console.canonical import Json

_DOSE = re.compile(r"([0-9]{0,12}(?:\.[0-9]{1,12})?) ?([A-Za-zµμ%]+(?:/[A-Za-zµμ]+)*)?")
_NAMES = {
    "ng": "nanogram",
    "mcg": "microgram",
    "ug": "microgram",
    "µg": "microgram",
    "μg": "microgram",
    "mg": "milligram",
    "g": "gram",
    "kg": "kilogram",
    "ml": "millilitre",
    "l": "litre",
    "u": "unit",
    "iu": "international unit",
    "mmol": "millimole",
    "meq": "milliequivalent",
    "h": "hour",
    "hr": "hour",
    "d": "day",
    "min": "minute",
}
_IN_NANOGRAMS = {
    "nanogram": Decimal(1),
    "microgram": Decimal(10) ** 3,
    "milligram": Decimal(10) ** 6,
    "gram": Decimal(10) ** 9,
    "kilogram": Decimal(10) ** 12,
}


@dataclass(frozen=True, slots=True)
class Dose:
    """An amount and its unit, the unit in words and in the singular."""

    amount: Decimal
    unit: str


def read(value: Json, unit: str | None) -> Dose | None:
    """Read a number in the declared unit, or a string such as `0.5 mg` that brings its own."""
    number = numbers.read(value)
    if number is not None:
        return Dose(number, _named(unit)) if number >= 0 else None
    found = _DOSE.fullmatch(value) if isinstance(value, str) else None
    if found is None or not found[1]:
        return None
    return Dose(Decimal(found[1]), _named(found[2] or unit))


def show(value: Json, dose: Dose, other: Dose | None, unit: str | None) -> Formatted:
    """Show a dose with its unit spelled out."""
    return shown(_written(dose.amount, dose.unit), value)


def compare(before: Dose, after: Dose, unit: str | None) -> str:
    """Say how many times higher or lower a dose becomes, and by how much."""
    if before.unit != after.unit:
        changed = f"unit changed from {_plural(before.unit)} to {_plural(after.unit)}"
        return ", ".join(filter(None, (changed, _across_units(before, after))))
    step = numbers.minus(after.amount, before.amount)
    by = (numbers.MINUS if step < 0 else "+") + _written(step.copy_abs(), before.unit)
    return ", ".join(filter(None, (numbers.times(before.amount, after.amount), by)))


def check(dose: Dose, unit: str | None) -> str:
    """Say when a value brings another unit than the one declared for its field."""
    declared = _named(unit)
    if not declared or dose.unit == declared:
        return ""
    return f"written in {_plural(dose.unit)}, where {_plural(declared)} are expected"


def _across_units(before: Dose, after: Dose) -> str:
    if before.unit not in _IN_NANOGRAMS or after.unit not in _IN_NANOGRAMS:
        return ""
    start = numbers.EXACT.multiply(before.amount, _IN_NANOGRAMS[before.unit])
    end = numbers.EXACT.multiply(after.amount, _IN_NANOGRAMS[after.unit])
    return "the same amount" if start == end else numbers.times(start, end)


def _named(unit: str | None) -> str:
    parts = (unit or "").split("/")
    return " per ".join(_NAMES.get(part.strip().lower(), part.strip()) for part in parts)


def _written(amount: Decimal, unit: str) -> str:
    word = unit if amount == 1 else _plural(unit)
    return f"{numbers.bare(amount)} {word}".rstrip()


def _plural(unit: str) -> str:
    first, per, rest = unit.partition(" per ")
    return (f"{first}s" if first in _NAMES.values() else first) + per + rest
