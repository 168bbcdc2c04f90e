"""Which inputs does a person need to change the parameters of an action, and what did they type?

The schema of the parameters says what can be typed; the fields of the action type say how it is
called. What is no single value, or may be of several kinds, is shown and cannot be typed.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final, Literal, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from approvals.fields import Field
from console.canonical import Json

Kind = Literal["text", "integer", "number", "decimal", "date", "boolean", "choice", "fixed"]
Params = dict[str, Any]

_NESTED_AT_MOST = 3
_INTEGER = re.compile(r"[+-]?\d{1,15}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?\d{1,18}(\.\d{1,12})?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
# A schema says "an amount" or "a day, as a string" by a pattern; these tell which one it is.
_AMOUNTS: Final = ("1.00", "1.5", "1.000", "1.0000")
_A_DAY: Final = "2026-11-30"
_OTHERS: Final = ("a", "A.B", "A1.00", "AB12")
_SENTENCES: Final[dict[str, str]] = {
    "minimum": "At least {limit}.",
    "exclusiveMinimum": "More than {limit}.",
    "maximum": "At most {limit}.",
    "exclusiveMaximum": "Less than {limit}.",
    "multipleOf": "A multiple of {limit}.",
    "minLength": "At least {limit} characters.",
    "maxLength": "At most {limit} characters.",
    "pattern": "This has not the form that is asked for: {limit}",
    "format": "This has not the form that is asked for: {limit}",
    "required": "This cannot be left out.",
    "enum": "Choose one of those that are offered.",
}


class NotTyped(ValueError):
    """What was typed is no such value; the message says what is."""


@dataclass(frozen=True, slots=True)
class Input:
    """One thing to type: `name` is the dotted place in the parameters, `text` what stands there.

    `choices` are pairs of what is sent and what is read. One of kind `fixed` is only shown.
    """

    name: str
    label: str
    kind: Kind
    text: str
    required: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    at_most: int | None = None
    hint: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was typed, as parameters, or what is wrong with it, by the name of the input."""

    params: Params
    errors: Mapping[str, str]


def inputs(
    schema: Mapping[str, Any],
    params: Params,
    fields: Sequence[Field] = (),
    *,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> list[Input]:
    """Return what a person may type, in the order of the schema; what they typed before is kept."""
    labels = {field.path.rpartition("/")[2]: field.label for field in fields}
    return [_input(place, labels, typed or {}, errors or {}) for place in _places(schema, params)]


def read(schema: Mapping[str, Any], params: Params, typed: Mapping[str, str]) -> Reading:
    """Return the parameters with what was typed; what was not sent, or is fixed, stays."""
    new: Params = dict(params)
    errors: dict[str, str] = {}
    for place in _places(schema, params):
        if place.name not in typed or place.kind == "fixed":
            continue
        try:
            _put(new, place, _value(place, typed[place.name]))
        except NotTyped as error:
            errors[place.name] = str(error)
    return Reading(new, {**_objections(schema, new), **errors})


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one parameter is, what its schema says, and what is there now."""

    parts: tuple[str, ...]
    schema: Mapping[str, Any]
    kind: Kind
    value: Json
    is_there: bool
    required: bool

    @property
    def name(self) -> str:
        return ".".join(self.parts)

    @property
    def is_nullable(self) -> bool:
        return "null" in _types(self.schema)


def _places(
    schema: Mapping[str, Any], params: Mapping[str, Any], above: tuple[str, ...] = ()
) -> Iterator[_Place]:
    said: Mapping[str, Any] = schema.get("properties", {})
    required = schema.get("required", [])
    for name in dict.fromkeys([*said, *params]):
        inner, value = said.get(name, {}), params.get(name)
        if not isinstance(inner, dict):
            inner = {}
        if inner.get("properties") and isinstance(value, dict) and len(above) < _NESTED_AT_MOST:
            yield from _places(inner, value, (*above, name))
            continue
        parts = (*above, name)
        kind = _kind(inner, value, parts)
        yield _Place(parts, inner, kind, value, name in params, name in required)


def _kind(schema: Mapping[str, Any], value: Json, parts: tuple[str, ...]) -> Kind:
    # A dot in a name would be read as a place within; several kinds need more than one input.
    if any("." in part for part in parts) or {"const", "oneOf", "anyOf", "$ref"} & schema.keys():
        return "fixed"
    if isinstance(schema.get("enum"), list):
        return "choice"
    types = [kind for kind in _types(schema) if kind != "null"] or _types_of(value)
    if types == ["string"]:
        return _kind_of_text(schema)
    kinds: dict[str, Kind] = {"integer": "integer", "number": "number", "boolean": "boolean"}
    return kinds.get(types[0], "fixed") if len(types) == 1 else "fixed"


def _kind_of_text(schema: Mapping[str, Any]) -> Kind:
    if schema.get("format") == "date":
        return "date"
    try:
        form = re.compile(str(schema.get("pattern", "")))
    except re.error:
        return "text"
    if any(form.search(other) for other in _OTHERS):
        return "text"
    if form.search(_A_DAY):
        return "date"
    return "decimal" if any(form.search(amount) for amount in _AMOUNTS) else "text"


def _types(schema: Mapping[str, Any]) -> list[str]:
    said = schema.get("type", [])
    return [said] if isinstance(said, str) else list(said)


def _types_of(value: Json) -> list[str]:
    """Return the type of a value of which the schema says nothing."""
    if isinstance(value, bool):
        return ["boolean"]
    known = {str: "string", int: "integer", float: "number"}
    return [known[type(value)]] if type(value) in known else []


def _input(
    place: _Place, labels: Mapping[str, str], typed: Mapping[str, str], errors: Mapping[str, str]
) -> Input:
    name = place.name
    given = place.schema.get("title") or labels.get(place.parts[-1])
    return Input(
        name=name,
        label=str(given or " · ".join(map(_words, place.parts))),
        kind=place.kind,
        text=typed.get(name, _text(place.value) if place.is_there else ""),
        required=place.required and not place.is_nullable,
        choices=_choices(place),
        at_most=place.schema.get("maxLength"),
        hint=str(place.schema.get("description", ""))[:200],
        error=errors.get(name, ""),
    )


def _words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ").capitalize()


def _choices(place: _Place) -> tuple[tuple[str, str], ...]:
    if place.kind == "boolean":
        return (("true", "Yes"), ("false", "No"))
    if place.kind != "choice":
        return ()
    nothing = [] if place.required and place.is_there else [("", "–")]
    offered = [value for value in place.schema["enum"] if value is not None]
    return (*nothing, *((_text(value), _text(value)) for value in offered))


def _text(value: Json) -> str:
    """Return a value as it stands in an input."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int | float) else _shown(value)


def _shown(value: Json) -> str:
    if isinstance(value, list):
        return f"{len(value)} items" if value else "nothing"
    return ", ".join(cast("dict[str, Json]", value)) or "nothing"


class _Nothing:
    """Nothing was typed, so that the parameter is left out."""


_NOTHING: Final = _Nothing()


def _value(place: _Place, text: str) -> Json | _Nothing:
    said = text.replace("\r\n", "\n")
    if not said.strip() and place.kind != "text":
        return _empty(place)
    if not said and (not place.is_there or place.value is None):
        return _empty(place)
    if place.kind == "text":
        return said
    return _READERS[place.kind](place, said.strip())


def _empty(place: _Place) -> Json | _Nothing:
    if place.is_nullable and (place.required or place.is_there):
        return None
    if place.required:
        raise NotTyped("This cannot be left out.")
    return _NOTHING


def _integer(_place: _Place, text: str) -> Json:
    if not _INTEGER.fullmatch(text):
        raise NotTyped("A whole number in digits, such as 1200.")
    return int(text)


def _number(_place: _Place, text: str) -> Json:
    if not _DECIMAL.fullmatch(text):
        raise NotTyped("A number with a point, such as 48200.50.")
    number = Decimal(text)
    return int(number) if number == number.to_integral_value() else float(number)


def _decimal(_place: _Place, text: str) -> Json:
    """Return an amount as the string it is kept as: money never becomes a float."""
    if not _DECIMAL.fullmatch(text):
        raise NotTyped("An amount with a point and without separators, such as 48200.00.")
    return text


def _day(_place: _Place, text: str) -> Json:
    try:
        # Longer forms of ISO 8601 are read, too, but nothing says that they are kept alike.
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        raise NotTyped("A day as year-month-day, such as 2026-11-30.")
    return text


def _boolean(_place: _Place, text: str) -> Json:
    if text not in {"true", "false"}:
        raise NotTyped("Choose yes or no.")
    return text == "true"


def _choice(place: _Place, text: str) -> Json:
    for value in place.schema["enum"]:
        if value is not None and _text(value) == text:
            return cast("Json", value)
    raise NotTyped(_SENTENCES["enum"])


_READERS: Final = {
    "integer": _integer,
    "number": _number,
    "decimal": _decimal,
    "date": _day,
    "boolean": _boolean,
    "choice": _choice,
}


def _put(params: Params, place: _Place, value: Json | _Nothing) -> None:
    """Set one value; what is above it is copied, so that the parameters given stay as they are."""
    inside = params
    for part in place.parts[:-1]:
        inside[part] = dict(inside.get(part, {}))
        inside = inside[part]
    if isinstance(value, _Nothing):
        inside.pop(place.parts[-1], None)
    elif not place.is_there or _text(place.value) != _text(value) or place.value is None:
        inside[place.parts[-1]] = value


def _objections(schema: Mapping[str, Any], params: Params) -> dict[str, str]:
    validator = Draft202012Validator({"additionalProperties": False, **schema})
    found: dict[str, str] = {}
    for error in sorted(validator.iter_errors(params), key=lambda item: str(item.path)):
        found.setdefault(_name(error), _sentence(error))
    return found


def _name(error: ValidationError) -> str:
    place = [str(part) for part in error.absolute_path]
    if error.validator == "required":
        missing = re.match(r"'([^']+)'", error.message)
        place += [missing.group(1)] if missing else []
    return ".".join(place)


def _sentence(error: ValidationError) -> str:
    told = _SENTENCES.get(str(error.validator))
    return told.format(limit=error.validator_value) if told else error.message[:300]
