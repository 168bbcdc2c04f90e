"""How are durations, names of tools and JSON values said to a person?"""

import json
from datetime import timedelta
from typing import Final

from console.canonical import Json

SHOWN_AT_MOST = 20_000
WHOLE = 2_000_000
_VALUE_AT_MOST = 60
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
# The first word of a tool's name as what was done; a name with another first word was "called".
_DONE: Final = {
    "calculate": "Calculated",
    "check": "Checked",
    "compare": "Compared",
    "count": "Counted",
    "fetch": "Fetched",
    "find": "Looked for",
    "get": "Looked up",
    "kb": "Searched the knowledge base:",
    "list": "Listed",
    "lookup": "Looked up",
    "match": "Matched",
    "read": "Read",
    "search": "Searched",
    "validate": "Checked",
    "verify": "Verified",
}


def span(length: timedelta) -> str:
    """Say how long something took: 3 ms, 0.9 s, 17 min 40 s, 2 h 5 min, 3 days."""
    seconds = max(0.0, length.total_seconds())
    if seconds < 0.001:  # noqa: PLR2004
        return "<1 ms"
    if seconds < 0.1:  # noqa: PLR2004
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    return _long_span(round(seconds))


def _long_span(seconds: int) -> str:
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return _two(seconds // _MINUTE, "min", seconds % _MINUTE, "s")
    if seconds < 2 * _DAY:
        return _two(seconds // _HOUR, "h", seconds % _HOUR // _MINUTE, "min")
    return f"{seconds // _DAY} days"


def _two(large: int, unit: str, small: int, smaller: str) -> str:
    return f"{large} {unit} {small} {smaller}" if small else f"{large} {unit}"


def called(name: str, arguments: Json) -> str:
    """Say what a tool call did: `get_vendor` with V-17 reads Looked up vendor V-17."""
    first, _, rest = name.partition("_")
    verb = _DONE.get(first)
    what = rest.replace("_", " ") if verb else name.replace("_", " ")
    return " ".join(filter(None, [verb or "Called", what, *_plain_values(arguments)]))


def _plain_values(arguments: Json, at_most: int = 3) -> list[str]:
    values = arguments.values() if isinstance(arguments, dict) else [arguments]
    plain = [v for v in values if isinstance(v, str | int | float) and not isinstance(v, bool)]
    return [cut(str(value), _VALUE_AT_MOST) for value in plain[:at_most]]


def cut(text: str, at_most: int) -> str:
    """Shorten a text to its beginning, visibly."""
    line = " ".join(text.split())
    return line if len(line) <= at_most else f"{line[:at_most]}…"


def pretty(value: Json) -> str:
    """Write a value as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def opening(value: Json, *, at_most: int = SHOWN_AT_MOST) -> tuple[str, int]:
    """Return the beginning of a value's JSON, and how many characters were left out."""
    text = pretty(value)
    return text[:at_most], max(0, len(text) - at_most)
