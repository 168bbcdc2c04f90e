"""Which value of the diff does somebody have to type before they sign, and did they?

One of the changed values, another one for every person and every wording, so that nobody types it
from memory or from a colleague's note.
"""

import json
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from approvals.fields import Row
from approvals.formats import Formatted
from console.canonical import Json, sha256

_ACCOUNTS: Final = frozenset({"account", "iban"})
_NUMBERS: Final = frozenset({"money", "dose", "integer", "decimal"})
_LAST: Final = 4
LONGEST: Final = 40
# A point, and what people group digits with.
_GROUPING: Final = str.maketrans(dict.fromkeys(" ,'’_\u00a0\u202f\u2009"))


@dataclass(frozen=True, slots=True)
class FactAsked:
    """What somebody is asked to type: the value's name, how to write it, and what is right."""

    label: str
    hint: str
    expected: str
    is_number: bool = False


def fact_asked(revision_digest: str, person_ref: str, rows: Sequence[Row]) -> FactAsked | None:
    """Return what one person has to type for one wording; nothing where nothing can be typed."""
    found = [(row, asked) for row in rows if (asked := _asked(row))]
    telling = [each for each in found if each[0].kind in _ACCOUNTS | _NUMBERS]
    described = [each for each in found if each[0].described]
    choices = telling or described or found
    if not choices:
        return None
    drawn = int(sha256(f"{revision_digest} {person_ref}".encode()), 16)
    return choices[drawn % len(choices)][1]


def is_right(asked: FactAsked, typed: str) -> bool:
    """Say whether what was typed is the value; spaces, case and grouped digits do not matter."""
    if asked.is_number:
        return _number(typed) is not None and _number(typed) == _number(asked.expected)
    return bool(_plain(typed)) and _plain(typed) == _plain(asked.expected)


def _asked(row: Row) -> FactAsked | None:
    side = row.after or row.before
    if side is None or row.op == "move":
        return None
    which = "New" if row.after else "Old"
    label = f"{which} value of “{_named(row)}”"
    value: Json = json.loads(side.title)
    if row.kind in _ACCOUNTS and isinstance(value, str):
        end = _plain(value)[-_LAST:].upper()
        return FactAsked(label, f"Its last {_LAST} characters", end) if end else None
    written = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if row.kind in _NUMBERS and _number(written) is not None:
        return FactAsked(label, "The number, without its unit", written, is_number=True)
    if isinstance(value, dict | list | bool) or value is None or not _can_be_typed(side, written):
        return None
    return FactAsked(label, "Exactly as it stands there", written)


def _named(row: Row) -> str:
    return " · ".join(filter(None, [row.label, row.secondary]))


def _can_be_typed(side: Formatted, written: str) -> bool:
    plain = all(part.kind == "plain" for part in side.segments)
    return plain and bool(_plain(written)) and len(written) <= LONGEST


def _number(text: str) -> Decimal | None:
    plain = unicodedata.normalize("NFKC", text).translate(_GROUPING).replace("\u2212", "-")
    digits = "".join(_kept(plain))
    try:
        return Decimal(digits)
    except InvalidOperation:
        return None


def _kept(text: str) -> Iterable[str]:
    """Leave out a currency or a unit around a number, never a sign, a digit or a second number."""
    return text.strip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ€$£%µ/")


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split()).casefold()
