"""How is one value of a past action changed, so that only somebody who looks finds it?

The change is one that people and agents really make: two digits swapped, a decimal point moved, a
month too far, another account. The rest stays as it was, also the evidence, which says otherwise.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation

from approvals.fields import Field, Row, rows
from console.canonical import Json
from snapshots import pointer
from snapshots.diff import ABSENT, Change

Mutate = Callable[[Json], Json | None]
_MONTH = timedelta(days=30)
_SHORTEST_ACCOUNT = 6


@dataclass(frozen=True, slots=True)
class Mutation:
    """The changes with one value altered: where, what stood there, and what stands there now."""

    changes: tuple[Change, ...]
    path: str
    label: str
    before: Json
    after: Json


def mutation(changes: Sequence[Change], fields: Sequence[Field], seed: str) -> Mutation | None:
    """Return the changes with one value altered, chosen by the seed, or nothing to alter."""
    found = list(_candidates(changes, fields))
    if not found:
        return None
    choice = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8])
    row, value, other = found[choice % len(found)]
    altered = list(changes)
    altered[row.change_index] = _altered(changes[row.change_index], row, other)
    return Mutation(tuple(altered), row.path, row.label, value, other)


def _candidates(
    changes: Sequence[Change], fields: Sequence[Field]
) -> Iterator[tuple[Row, Json, Json]]:
    """Return every described value that can be altered, with what it would become."""
    for row in rows(changes, fields, None, None):
        change = changes[row.change_index]
        mutate = _MUTATIONS.get(row.kind)
        if mutate is None or not row.described or change.value is ABSENT:
            continue
        value = _value(change, row)
        if (other := mutate(value)) is not None and other != value:
            yield row, value, other


def _value(change: Change, row: Row) -> Json:
    whole: Json = change.value  # type: ignore[assignment]
    inside = row.path[len(change.path) :] if row.part_of else ""
    try:
        return pointer.get(whole, inside)
    except pointer.NothingThere:
        return None


def _altered(change: Change, row: Row, value: Json) -> Change:
    inside = pointer.parse(row.path[len(change.path) :]) if row.part_of else ()
    whole: Json = change.value  # type: ignore[assignment]
    return Change(change.op, change.path, change.old, _with(whole, inside, value))


def _with(whole: Json, parts: Sequence[str], value: Json) -> Json:
    """Return a copy of `whole` in which one place holds another value."""
    if not parts:
        return value
    first, rest = parts[0], parts[1:]
    if isinstance(whole, dict):
        return {**whole, first: _with(whole[first], rest, value)}
    if isinstance(whole, list):
        at = int(first)
        return [*whole[:at], _with(whole[at], rest, value), *whole[at + 1 :]]
    return whole


def _ten_times(value: Json) -> Json | None:
    """Move the decimal point by one place, in the form that the number has."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    if not number.is_finite() or not number:
        return None
    if isinstance(value, str):
        return str((number * 10).quantize(number))
    return value * 10


def _swapped(value: Json) -> Json | None:
    """Swap two neighbouring digits of an amount, or move its point where all are alike."""
    if not isinstance(value, str):
        return _ten_times(value)
    for at in range(len(value) - 1):
        one, other = value[at], value[at + 1]
        if one.isdigit() and other.isdigit() and one != other and not (at == 0 and other == "0"):
            return f"{value[:at]}{other}{one}{value[at + 2 :]}"
    return _ten_times(value)


def _other_account(value: Json) -> Json | None:
    """Change the last digit of an account; an IBAN gets the check digits that belong to it."""
    if not isinstance(value, str) or len(value) < _SHORTEST_ACCOUNT or not value[-1].isdigit():
        return None
    body = f"{value[:-1]}{(int(value[-1]) + 3) % 10}"
    if value[:2].isalpha() and value[2:4].isdigit() and value.isalnum() and value.isascii():
        return f"{body[:2]}{_check_digits(body[:2], body[4:])}{body[4:]}"
    return body


def _check_digits(country: str, account: str) -> str:
    """Return the check digits of an IBAN. Source: ISO 7064, MOD 97-10."""
    digits = "".join(str(int(letter, 36)) for letter in f"{account}{country}00")
    return f"{98 - int(digits) % 97:02d}"


def _later(value: Json) -> Json | None:
    """Return a date a month on, in the form that it has."""
    if not isinstance(value, str):
        return None
    try:
        return (date.fromisoformat(value) + _MONTH).isoformat()
    except (ValueError, OverflowError):
        return None


_MUTATIONS: dict[str, Mutate] = {
    "money": _swapped,
    "decimal": _swapped,
    "integer": _ten_times,
    "dose": _ten_times,
    "iban": _other_account,
    "account": _other_account,
    "date": _later,
}
