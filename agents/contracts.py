"""Does a value keep its contract: is it something, does it fit its schema, do its checks hold?

Ready-made checks read the value by patterns of JSON Pointers (`*` is any one segment). What a
schema asks for is left to the schema: a check says nothing about a value that is not there.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any, Final

from jsonschema import Draft202012Validator

from agents.declarations import Check, Contract, Memo, Role
from console.canonical import Json
from snapshots import pointer
from snapshots.content import content_bytes
from snapshots.pointer import NothingThere

OBJECTIONS_AT_MOST: Final = 20
NOTHING: Final = "An empty result is no result: say what was found, or why nothing was."
_MESSAGE_AT_MOST = 300
_PLACE = re.compile(r"\{([^{}]*)\}")


def objections(contract: Contract, value: Json, record: Any) -> list[str]:
    """Say what of a value breaks its contract: nothing at all, its schema, then its checks.

    The checks are asked in their order, and only of what fits the schema.
    """
    if is_nothing(value):
        return [NOTHING]
    if found := _misfits(contract.schema, value):
        return found
    said = (_checked(check, value, record) for check in contract.checks)
    return [sentence for sentence in said if sentence]


def is_nothing(value: Json) -> bool:
    """Say whether a value is empty: null, blank, or a container of nothing else."""
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, Mapping):
        return all(is_nothing(part) for part in value.values())
    if isinstance(value, list | tuple):
        return all(is_nothing(part) for part in value)
    return value is None


def memo_for(role: Role, subject: str) -> Memo | None:
    """Return the type of memory that a subject belongs to: the one that says most of it."""
    fitting = [memo for memo in role.memory if subject.startswith(memo.prefix)]
    return max(fitting, key=lambda memo: len(memo.prefix), default=None)


def objection_to_memo(role: Role, subject: str, value: Json) -> str | None:
    """Say why an agent may not keep this, or nothing; a role without types keeps what it likes."""
    if not role.memory:
        return None
    memo = memo_for(role, subject)
    if memo is None:
        known = ", ".join(f"{each.prefix!r}" for each in role.memory)
        return f"{role.name} keeps nothing about {subject!r}; its subjects begin with {known}."
    found = _misfits(memo.schema, value)
    return f"About {subject!r}: {found[0]}" if found else None


def totals_add_up(items: str, total: str, within: str = "0") -> Check:
    """Check that amounts add up to a total, exactly or `within` so much."""

    def objection(value: Any, _record: Any) -> str | None:
        parts = [_number(part, place) for place, part in _at(value, items)]
        whole = [_number(part, place) for place, part in _at(value, total)]
        if not whole or abs(sum(parts, Decimal()) - whole[0]) <= Decimal(within):
            return None
        return f"{items} come to {sum(parts, Decimal())}, and {total} says {whole[0]}."

    return Check(f"totals_add_up {total}", objection)


def ids_exist(path: str, among: str) -> Check:
    """Check that the record has an entry for every id: a key there, or the `id` of an item."""

    def objection(value: Any, record: Any) -> str | None:
        known = {one for _, part in _at(record, among) for one in _ids(part)}
        unknown = [str(one) for _, one in _at(value, path) if str(one) not in known]
        return f"{among} of the record has no {', '.join(unknown)}." if unknown else None

    return Check(f"ids_exist {path}", objection)


def dates_in_order(*paths: str) -> Check:
    """Check that days do not go back from one path to the next; the same day is in order."""

    def objection(value: Any, _record: Any) -> str | None:
        found = [(place, _day(day, place)) for path in paths for place, day in _at(value, path)]
        for (place, before), (next_place, after) in pairwise(found):
            if after < before:
                return f"{next_place} is {after}, which is before {place}, {before}."
        return None

    return Check(f"dates_in_order {paths[0]}", objection)


def within_range(path: str, low: str, high: str) -> Check:
    """Check that numbers lie between two bounds, both included.

    A bound is a number, or a pointer into the record in which `{/drug}` is filled from the value:
    `/formulary/{/drug}/routes/{/route}/from`.
    """

    def objection(value: Any, record: Any) -> str | None:
        found = [(place, _number(part, place)) for place, part in _at(value, path)]
        if not found:
            return None
        least, most = _bound(low, value, record), _bound(high, value, record)
        for place, number in found:
            if not least <= number <= most:
                return f"{place} is {number}, and must lie between {least} and {most}."
        return None

    return Check(f"within_range {path}", objection)


def one_of_the_record(path: str, among: str) -> Check:
    """Check that values are what the record says somewhere, to the letter."""

    def objection(value: Any, record: Any) -> str | None:
        known = {content_bytes(part) for _, part in _at(record, among)}
        for place, part in _at(value, path):
            if content_bytes(part) not in known:
                return f"{place} is {_short(part)}, which the record says nowhere at {among}."
        return None

    return Check(f"one_of_the_record {path}", objection)


def _misfits(schema: Mapping[str, Any], value: Json) -> list[str]:
    try:
        found = list(Draft202012Validator(dict(schema)).iter_errors(value))
    except Exception as error:  # noqa: BLE001  (a schema that cannot be asked objects as well)
        return [f"The schema could not be asked: {_short(error)}"]
    said = sorted((pointer.build(map(str, each.absolute_path)), each.message) for each in found)
    return [f"{place}: {_short(text)}" if place else _short(text) for place, text in said][
        :OBJECTIONS_AT_MOST
    ]


def _checked(check: Check, value: Json, record: Any) -> str | None:
    try:
        sentence = check.objection(value, record)
    except Exception as error:  # noqa: BLE001  (a check that cannot say yes has not said it)
        return f"{check.name} could not be checked: {type(error).__name__}: {_short(error)}"
    return f"{check.name}: {sentence}" if sentence else None


def _at(document: Any, pattern: str) -> list[tuple[str, Any]]:
    """Return what stands at a pattern, each with its path."""
    return [(pointer.build(parts), part) for parts, part in _down(document, pointer.parse(pattern))]


def _down(document: Any, parts: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not parts:
        if document is not None:
            yield (), document
        return
    for name, child in _children(document, parts[0]):
        for below, found in _down(child, parts[1:]):
            yield (name, *below), found


def _children(document: Any, part: str) -> Iterator[tuple[str, Any]]:
    named: dict[str, Any] = {}
    if isinstance(document, Mapping):
        named = dict(document)
    elif isinstance(document, list):
        named = {str(index): item for index, item in enumerate(document)}
    if part == "*":
        yield from named.items()
    elif part in named:
        yield part, named[part]


def _ids(part: Any) -> list[str]:
    if isinstance(part, Mapping):
        return [str(key) for key in part]
    if isinstance(part, list):
        return [str(item["id"]) if isinstance(item, Mapping) else str(item) for item in part]
    return [str(part)]


def _bound(written: str, value: Any, record: Any) -> Decimal:
    if not written.startswith("/"):
        return _number(written, "the bound")

    def filled(match: re.Match[str]) -> str:
        return pointer.escape(str(pointer.get(value, match.group(1))))

    place = _PLACE.sub(filled, written)
    try:
        return _number(pointer.get(record, place), place)
    except NothingThere as error:
        raise ValueError(f"the record has no bound at {place}") from error


def _number(written: Any, place: str) -> Decimal:
    if isinstance(written, bool):
        raise TypeError(f"{place} is no number")
    try:
        number = Decimal(str(written))
    except InvalidOperation as error:
        raise ValueError(f"{place} is no number: {_short(written)}") from error
    if not number.is_finite():
        raise ValueError(f"{place} is no number: {_short(written)}")
    return number


def _day(written: Any, place: str) -> date:
    try:
        return datetime.fromisoformat(str(written)).date()
    except ValueError as error:
        raise ValueError(f"{place} is no day: {_short(written)}") from error


def _short(said: object) -> str:
    return str(said)[:_MESSAGE_AT_MOST]
