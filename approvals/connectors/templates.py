"""How do an order's parameters get into a request, as values and never as syntax?

A template is a JSON tree. A string that is one placeholder becomes the value itself, with its type;
one among other text is written into it. `{{/a/b}}` is a JSON Pointer into the parameters, with `?`
behind it one that may be absent; `{{key}}` and `{{at}}` are the order's own.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Final
from urllib.parse import quote

from approvals.connectors.protocol import CannotBuild, Order
from console.canonical import Json, Unreadable, canonical_bytes, check
from snapshots.pointer import BadPointer, NothingThere, get, parse

PATH_AT_MOST = 2_000
_HOLE = re.compile(r"\{\{([^{}]*)\}\}")
_OWN = ("key", "at")


class _Nothing:
    """A value that may be absent, and is."""


NOTHING: Final = _Nothing()
Value = Json | _Nothing


def objection_to(template: Json, *, also: tuple[str, ...] = ()) -> str:
    """Say why this is no template, or nothing; `also` names what else may stand in holes."""
    for text in _texts(template):
        if problem := _objection_to_text(text, (*_OWN, *also)):
            return problem
    return ""


def holes(template: Json) -> set[str]:
    """Return what a template asks for."""
    return {hole for text in _texts(template) for hole in _HOLE.findall(text)}


def body(template: Json, order: Order) -> bytes:
    """Return the JSON bytes of an order; the same order makes the same. Raises: CannotBuild."""
    return written(fill(template, values_of(order)))


def written(value: Json) -> bytes:
    """Return the canonical bytes of a value. Raises: CannotBuild."""
    try:
        check(value)
        return canonical_bytes(value)
    except (Unreadable, ValueError) as error:
        raise CannotBuild(f"The body cannot be written as JSON: {error}") from None


def values_of(order: Order) -> Mapping[str, Json]:
    """Return what an order says to every template, beside its parameters."""
    return {"": dict(order.params), "key": order.key, "at": moment(order)}


def moment(order: Order) -> str:
    """Return when an order was approved, in UTC and to the second."""
    return order.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def fill(template: Json, values: Mapping[str, Json]) -> Json:
    """Put values into a JSON tree. Raises: CannotBuild."""
    filled = _filled(template, values)
    if isinstance(filled, _Nothing):
        return None
    return filled


def path(template: str, values: Mapping[str, Json]) -> str:
    """Put values into a path, each within its own segment. Raises: CannotBuild."""
    before, mark, query = template.partition("?")
    whole = _HOLE.sub(lambda hole: _segment(hole[1], values), before)
    if mark:
        whole += "?" + _HOLE.sub(lambda hole: quote(_text(hole[1], values), safe=""), query)
    if any(part in {".", ".."} for part in whole.partition("?")[0].split("/")):
        raise CannotBuild("A path does not climb.")
    if len(whole) > PATH_AT_MOST:
        raise CannotBuild(f"A path has at most {PATH_AT_MOST} characters.")
    return whole


def text(template: str, values: Mapping[str, Json]) -> str:
    """Put values into a text. Raises: CannotBuild."""
    return _HOLE.sub(lambda hole: _text(hole[1], values), template)


def _filled(template: Json, values: Mapping[str, Json]) -> Value:
    if isinstance(template, dict):
        members = {name: _filled(each, values) for name, each in template.items()}
        return {name: each for name, each in members.items() if not isinstance(each, _Nothing)}
    if isinstance(template, list):
        items = [_filled(each, values) for each in template]
        return [each for each in items if not isinstance(each, _Nothing)]
    if not isinstance(template, str):
        return template
    if whole := _HOLE.fullmatch(template):
        return _value(whole[1], values)
    return text(template, values)


def _value(hole: str, values: Mapping[str, Json]) -> Value:
    if not hole.startswith("/"):
        return values[hole]
    pointer, may_be_absent = hole.removesuffix("?"), hole.endswith("?")
    try:
        return get(values[""], pointer)
    except (NothingThere, BadPointer):
        if may_be_absent:
            return NOTHING
        raise CannotBuild(f"The order has no parameter {pointer}.") from None


def _text(hole: str, values: Mapping[str, Json]) -> str:
    value = _value(hole, values)
    if isinstance(value, _Nothing):
        return ""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, dict | list):
        raise CannotBuild(f"{hole} is no text or number, and cannot stand within a text.")
    return canonical_bytes(value).decode()


def _segment(hole: str, values: Mapping[str, Json]) -> str:
    found = _text(hole, values)
    # Encoded, some servers still read %2F as a slash and %00 as an end.
    if not found or not found.isprintable() or set("/\\") & set(found):
        raise CannotBuild(f"{hole} cannot stand in a path.")
    return quote(found, safe="")


def _texts(template: Json) -> Iterator[str]:
    if isinstance(template, str):
        yield template
    elif isinstance(template, dict):
        for each in template.values():
            yield from _texts(each)
    elif isinstance(template, list):
        for each in template:
            yield from _texts(each)


def _objection_to_text(text: str, names: tuple[str, ...]) -> str:
    if "{{" in _HOLE.sub("", text) or "}}" in _HOLE.sub("", text):
        return f"{text!a} has braces that name nothing"
    for hole in _HOLE.findall(text):
        if hole in names:
            continue
        try:
            parse(hole.removesuffix("?"))
        except BadPointer:
            return f"{{{{{hole}}}}} is none of {', '.join(names)}, and no path that begins with /"
        if not hole.startswith("/"):
            return f"{{{{{hole}}}}} is none of {', '.join(names)}, and no path that begins with /"
    return ""
