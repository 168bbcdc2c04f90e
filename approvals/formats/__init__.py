"""How is a changed value shown to the person who answers for it?

Every kind of field reads a value, shows it, and says how far it is from the other side. A value
that cannot be read as its kind is shown exactly as it is, with a note that says so.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Generic, Literal, TypeVar

from approvals.deceptive import name
from approvals.formats import accounts, codes, dates, doses, numbers, plain, words
from approvals.formats.shown import (
    Formatted,
    Group,
    Pair,
    Segment,
    as_it_is,
    kind_of,
    shown,
    visible,
    visible_text,
)
from console.canonical import Json
from snapshots.diff import Absent

__all__ = [
    "KINDS",
    "Formatted",
    "Group",
    "Kind",
    "Pair",
    "Segment",
    "pair",
    "shown",
    "visible",
    "visible_text",
]

Kind = Literal[
    "money",
    "dose",
    "account",
    "iban",
    "date",
    "enum",
    "bool",
    "text",
    "integer",
    "decimal",
    "auto",
]
Side = Json | Absent
T = TypeVar("T")
_NAMED_AT_MOST = 3


def pair(kind: Kind, before: Side, after: Side, *, unit: str | None = None) -> Pair:
    """Show both sides of a change as a kind of field, with a note on the step between them."""
    return KINDS[kind](before, after, unit)


def _nothing(*_: object) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class _Rule(Generic[T]):
    misfit: str
    read: Callable[[Json, str | None], T | None]
    show: Callable[[Json, T, T | None, str | None], Formatted]
    compare: Callable[[T, T, str | None], str] = _nothing
    check: Callable[[T, str | None], str] = _nothing

    def pair(self, before: Side, after: Side, unit: str | None) -> Pair:
        old, new = self._reading(before, unit), self._reading(after, unit)
        unread = [
            (side, value)
            for side, value, reading in (("old", before, old), ("new", after, new))
            if reading is None and value is not None and not isinstance(value, Absent)
        ]
        if unread:
            return self._as_they_are(before, after, unread)
        notes = [_type_note(before, after)]
        if old is not None and new is not None:
            step = self.compare(old, new, unit) if old != new else "same value, written differently"
            notes.append(step)
        if new is not None:
            notes.append(self.check(new, unit))
        return Pair(
            self._shown(before, old, new, unit), self._shown(after, new, old, unit), _said(notes)
        )

    def _reading(self, value: Side, unit: str | None) -> T | None:
        return None if value is None or isinstance(value, Absent) else self.read(value, unit)

    def _shown(
        self, value: Side, reading: T | None, other: T | None, unit: str | None
    ) -> Formatted | None:
        if isinstance(value, Absent):
            return None
        return as_it_is(value) if reading is None else self.show(value, reading, other, unit)

    def _as_they_are(self, before: Side, after: Side, unread: Sequence[tuple[str, Json]]) -> Pair:
        both = _PLAIN.pair(before, after, None)
        sides = [
            f"the {side} value is {self.misfit}{_odd_letters(value)}" for side, value in unread
        ]
        return Pair(both.before, both.after, _said([*sides, both.note]))


def _type_note(before: Side, after: Side) -> str:
    if isinstance(before, Absent) or isinstance(after, Absent):
        return ""
    old, new = kind_of(before), kind_of(after)
    return f"type changed from {old} to {new}" if old != new else ""


def _odd_letters(value: Json) -> str:
    """Name letters and digits that only look like those from A to Z and 0 to 9."""
    if not isinstance(value, str):
        return ""
    odd = dict.fromkeys(each for each in value if each.isalnum() and not each.isascii())
    named = ", ".join(name(each) for each in list(odd)[:_NAMED_AT_MOST])
    return f" (it contains {named})" if named else ""


def _said(notes: list[str]) -> str:
    return "; ".join(filter(None, notes))


_PLAIN: Final = _Rule("", plain.read, plain.show, plain.compare, plain.check)

KINDS: Final[Mapping[str, Callable[[Side, Side, str | None], Pair]]] = MappingProxyType(
    {
        "money": _Rule(
            "not a plain amount",
            numbers.read,
            numbers.show_money,
            numbers.compare_money,
            numbers.check_money,
        ).pair,
        "dose": _Rule("not a plain dose", doses.read, doses.show, doses.compare, doses.check).pair,
        "account": _Rule("not an account number", accounts.read, accounts.show).pair,
        "iban": _Rule(
            "not an account number",
            accounts.read_iban,
            accounts.show,
            accounts.compare_iban,
            accounts.check_iban,
        ).pair,
        "date": _Rule("not a date", dates.read, dates.show, dates.compare).pair,
        "enum": _Rule("not a plain word", codes.read, codes.show, codes.compare).pair,
        "bool": _Rule("not a yes or no", codes.read_bool, codes.show_bool).pair,
        "text": _Rule("not a text", words.read, words.show).pair,
        "integer": _Rule(
            "not a whole number", numbers.read_whole, numbers.show_number, numbers.compare_number
        ).pair,
        "decimal": _Rule(
            "not a plain number", numbers.read, numbers.show_number, numbers.compare_number
        ).pair,
        "auto": _PLAIN.pair,
    }
)
