"""When are two JSON values the same, and which bytes do we trust?

The strict parser refuses what two readers could read differently (duplicate keys, NaN, lone
surrogates, numbers beyond a double's exact range); the canonical form (RFC 8785) gives one
byte string per value, so that a digest means the same to everyone who computes it.
"""

import hashlib
import json
import math
import re
from dataclasses import dataclass
from typing import ClassVar, Union

import orjson
import rfc8785

Json = Union[None, bool, int, float, str, list["Json"], dict[str, "Json"]]  # noqa: UP007

LARGEST_EXACT = 2**53 - 1
# Possessive, and an open string runs to the end: each byte is looked at once.
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKETS = re.compile(rb"[\[{\]}]")
_DIGITS_AT_MOST = 400
_WRITTEN_ALIKE = frozenset({str, int, bool, type(None)})
_ALIKE = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER


class Unreadable(ValueError):
    """The text is not JSON that everybody would read the same way."""

    status: ClassVar[int] = 422

    def __init__(self, code: str, sentence: str, *, status: int = 422) -> None:
        """Keep a stable code and the sentence that explains it."""
        self.code = code
        self.sentence = sentence
        self.http_status = status
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a JSON text may be: bytes, nesting, and number of values."""

    max_bytes: int = 1_000_000
    max_depth: int = 32
    max_values: int = 20_000


REQUEST_LIMITS = Limits()
FILE_LIMITS = Limits(max_bytes=64_000_000, max_depth=32, max_values=4_000_000)


def parse(text: bytes, limits: Limits = REQUEST_LIMITS) -> Json:
    """Return the value that `text` (UTF-8, no byte order mark) writes.

    Raises: Unreadable, with a code; 413 when too large, 400 when not JSON, else 422.
    """
    if len(text) > limits.max_bytes:
        sentence = f"The body has {len(text)} bytes; at most {limits.max_bytes} are read."
        raise Unreadable("body_too_large", sentence, status=413)
    if _is_deeper(text, limits.max_depth):
        raise Unreadable("json_too_deep", f"Values nest deeper than {limits.max_depth} levels.")
    try:
        value: Json = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_int,
        )
    except UnicodeDecodeError as error:
        raise Unreadable("not_utf8", "The body is not UTF-8 text.", status=400) from error
    except json.JSONDecodeError as error:
        sentence = f"Not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        raise Unreadable("malformed_json", sentence, status=400) from error
    check(value, limits)
    return value


def check(value: Json, limits: Limits = REQUEST_LIMITS) -> None:
    """Refuse a value that could not be kept and read back the same.

    Raises: Unreadable, with a code.
    """
    stack = [value]
    count = 0
    while stack:
        item = stack.pop()
        count += 1
        if isinstance(item, str):
            _check_text(item)
        elif isinstance(item, dict):
            for key in item:
                _check_text(key)
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, int | float):
            _check_number(item)
        if count + len(stack) > limits.max_values:
            raise Unreadable(
                "too_many_values", f"More than {limits.max_values} values in one body."
            )


def canonical_bytes(value: Json) -> bytes:
    """Return the one byte string that stands for `value`.

    Source: RFC 8785 (JSON Canonicalization Scheme).
    """
    if _is_written_alike(value):
        try:
            return orjson.dumps(value, option=_ALIKE)
        except TypeError:
            # What cannot be written at all is for the rule itself to refuse.
            return rfc8785.dumps(value)
    return rfc8785.dumps(value)


def digest(value: Json) -> str:
    """Return the SHA-256 of the canonical bytes, 64 lowercase hex digits."""
    return sha256(canonical_bytes(value))


def sha256(data: bytes) -> str:
    """Return the SHA-256 of `data`, 64 lowercase hex digits."""
    return hashlib.sha256(data).hexdigest()


def _is_written_alike(value: Json) -> bool:
    """Say whether a general JSON writer that sorts keys writes the same bytes as RFC 8785.

    They differ in fractions, and in the order of keys beyond ASCII. Ten times faster for the rest.
    """
    stack = [value]
    while stack:
        item = stack.pop()
        kind = type(item)
        if kind is dict:
            for key in item:  # type: ignore[union-attr]
                if type(key) is not str or not key.isascii():
                    return False
            stack.extend(item.values())  # type: ignore[union-attr]
        elif kind is list:
            stack.extend(item)  # type: ignore[arg-type]
        elif kind not in _WRITTEN_ALIKE:
            return False
    return True


def _is_deeper(text: bytes, most: int) -> bool:
    depth = 0
    for bracket in _BRACKETS.finditer(_STRINGS.sub(b"", text)):
        depth += 1 if bracket.group() in b"[{" else -1
        if depth > most:
            return True
    return False


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise Unreadable("duplicate_key", f"The key {twice!r} stands twice in one object.")
    return members


def _constant(name: str) -> Json:
    raise Unreadable("not_finite", f"{name} is not a JSON number.", status=400)


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number) or len(digits) > _DIGITS_AT_MOST:
        raise Unreadable("number_out_of_range", f"{digits[:40]} does not fit a double.")
    return number


def _int(digits: str) -> int:
    if len(digits) > len(str(LARGEST_EXACT)) + 1 or abs(int(digits)) > LARGEST_EXACT:
        sentence = f"{digits[:40]} is beyond ±(2^53-1); send it as a string."
        raise Unreadable("number_out_of_range", sentence)
    return int(digits)


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise Unreadable("nul_character", "A text holds the NUL character, which is not stored.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        sentence = "A text holds half of a surrogate pair, which is not a character."
        raise Unreadable("lone_surrogate", sentence) from error


def _check_number(number: float) -> None:
    # The database gives 1e16 back as an integer, which is another value.
    if not abs(number) <= LARGEST_EXACT:
        sentence = f"{number} is beyond ±(2^53-1); send it as a string."
        raise Unreadable("number_out_of_range", sentence)
