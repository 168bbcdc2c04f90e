"""How is an account number written so that two of them can be compared by eye?

Source: ISO 13616 (form of an IBAN), ISO 7064 MOD 97-10 (its check digits).
"""

import re
from itertools import zip_longest

from approvals.formats.shown import Formatted, Group, exact
from console.canonical import Json

_NUMBER = re.compile(r"[A-Za-z0-9]+(?:[ \-][A-Za-z0-9]+)*", re.ASCII)
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", re.ASCII)
_GROUP = 4


def read(value: Json, unit: str | None) -> str | None:
    """Read an account number: ASCII letters and digits, without the spaces between them."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if value >= 0 else None
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        return None
    return re.sub(r"[ \-]", "", value)


def read_iban(value: Json, unit: str | None) -> str | None:
    """Read an account number and write its letters large."""
    number = read(value, unit)
    return None if number is None else number.upper()


def show(value: Json, number: str, other: str | None, unit: str | None) -> Formatted:
    """Show a number in groups of four, each marked where the other side's differs."""
    ours, theirs = _groups(number), _groups(number if other is None else other)
    groups = tuple(
        Group(mine, mine != its) for mine, its in zip_longest(ours, theirs, fillvalue="") if mine
    )
    return Formatted(text=" ".join(ours), title=exact(value), groups=groups)


def compare_iban(before: str, after: str, unit: str | None) -> str:
    """Say when the country of an account changes."""
    if before[:2] == after[:2]:
        return ""
    return f"country changes from {before[:2]} to {after[:2]}"


def check_iban(number: str, unit: str | None) -> str:
    """Say whether an IBAN's check digits are right."""
    if not _IBAN.fullmatch(number):
        return "not in the form of an IBAN"
    return "check digits are right" if has_right_digits(number) else "check digits are wrong"


def has_right_digits(iban: str) -> bool:
    """Tell whether the number, country and check digits put last, leaves 1 modulo 97."""
    turned = iban[4:] + iban[:4]
    return int("".join(str(int(letter, 36)) for letter in turned)) % 97 == 1


def _groups(number: str) -> list[str]:
    return [number[i : i + _GROUP] for i in range(0, len(number), _GROUP)]
