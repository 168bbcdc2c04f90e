"""How are amounts and counts written, and how far is it from one to the other?

Decimal only, from the digits as they are written: nothing is rounded and nothing passes through
a binary fraction. A minus is a true minus sign, which cannot be taken for a dash.
"""

import re
from decimal import ROUND_HALF_UP, Context, Decimal

from approvals.formats.shown import Formatted, shown
from console.canonical import Json

MINUS = "\u2212"
_PLAIN = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?", re.ASCII)
_LARGEST = Decimal(10) ** 40
_SMALLEST = Decimal(1).scaleb(-40)
# Wide enough for every number that is read; the default context would round to 28 digits.
EXACT = Context(prec=200, rounding=ROUND_HALF_UP)
_TENTH = Decimal("0.1")
_TIMES_FROM = 2
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
# ISO 4217; every other currency has two.
_NO_MINOR = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW"}
    | {"PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"}
)
_THREE_MINOR = frozenset(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"])


def read(value: Json, unit: str | None = None) -> Decimal | None:
    """Read a number, or a string that is nothing but a plain decimal number."""
    if isinstance(value, str):
        return Decimal(value) if _PLAIN.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    number = Decimal(repr(value))
    return number if number == 0 or _SMALLEST <= number.copy_abs() < _LARGEST else None


def read_whole(value: Json, unit: str | None = None) -> Decimal | None:
    """Read a number that is written without a decimal point."""
    number = read(value, unit)
    return number if number is not None and "." not in format(number, "f") else None


def show_money(value: Json, number: Decimal, other: Decimal | None, unit: str | None) -> Formatted:
    """Show an amount: currency, sign, grouped digits, at least the currency's minor digits."""
    return shown(f"{unit} {_money(number, unit)}" if unit else grouped(number), value)


def compare_money(before: Decimal, after: Decimal, unit: str | None) -> str:
    """Say by how much an amount changes, absolutely and in percent."""
    step = EXACT.subtract(after, before)
    sign = MINUS if step < 0 else "+"
    return _joined(f"{sign}{_money(step.copy_abs(), unit)}", percent(before, step))


def check_money(number: Decimal, unit: str | None) -> str:
    """Say when an amount is finer than its currency."""
    minor = _minor_digits(unit)
    if minor is None or decimals(number) <= minor:
        return ""
    return f"finer than {unit}, which has {minor} decimals"


def show_number(value: Json, number: Decimal, other: Decimal | None, unit: str | None) -> Formatted:
    """Show a number with its digits grouped and its unit behind it."""
    return shown(f"{grouped(number)} {unit}" if unit else grouped(number), value)


def compare_number(before: Decimal, after: Decimal, unit: str | None) -> str:
    """Say by how much a number changes, absolutely and in percent."""
    step = EXACT.subtract(after, before)
    by = f"{signed(step)} {unit}" if unit else signed(step)
    return _joined(by, percent(before, step))


def grouped(number: Decimal) -> str:
    """Write a number's digits as they are, in groups of three."""
    return f"{number:,f}".replace("-", MINUS)


def signed(number: Decimal) -> str:
    """Write a number with its sign, plus included."""
    return grouped(number) if number < 0 else f"+{grouped(number)}"


def percent(before: Decimal, step: Decimal) -> str:
    """Write a step as percent of the size it starts from; nothing can be said from zero."""
    if before == 0 or step == 0:
        return ""
    share = EXACT.divide(EXACT.multiply(step, Decimal(100)), before.copy_abs())
    rounded = share.quantize(_TENTH, context=EXACT)
    if rounded == 0:
        return f"less than {MINUS if step < 0 else '+'}0.1%"
    return f"{signed(rounded)}%"


def times(before: Decimal, after: Decimal) -> str:
    """Say how many times higher or lower, from two times on."""
    if before <= 0 or after <= 0:
        return ""
    higher = after > before
    ratio = EXACT.divide(max(before, after), min(before, after))
    if ratio < _TIMES_FROM:
        return ""
    rounded = ratio.quantize(_TENTH, context=EXACT)
    about = "" if rounded == ratio else "about "
    return f"{about}{bare(rounded)} times {'higher' if higher else 'lower'}"


def bare(number: Decimal) -> str:
    """Write a number without trailing zeros, and always with a digit before the point."""
    written = grouped(number)
    return written.rstrip("0").rstrip(".") if "." in written else written


def decimals(number: Decimal) -> int:
    """Count the digits after the point that matter."""
    return len(bare(number).partition(".")[2])


def minus(after: Decimal, before: Decimal) -> Decimal:
    """Subtract exactly."""
    return EXACT.subtract(after, before)


def _money(number: Decimal, unit: str | None) -> str:
    minor = _minor_digits(unit)
    if minor is None or -int(number.as_tuple().exponent) >= minor:
        return grouped(number)
    return f"{number:,.{minor}f}".replace("-", MINUS)


def _minor_digits(unit: str | None) -> int | None:
    if unit is None or not _CURRENCY.fullmatch(unit):
        return None
    if unit in _NO_MINOR:
        return 0
    return 3 if unit in _THREE_MINOR else 2


def _joined(*parts: str) -> str:
    return ", ".join(filter(None, parts))
