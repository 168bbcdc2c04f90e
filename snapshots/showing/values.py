"""How is a JSON value written for a reader, to the letter?"""

import json

from console.canonical import Json

_KINDS = {dict: "object", list: "list", str: "text", bool: "yes or no", int: "number"}


def exact(value: Json) -> str:
    """Write a value as its JSON text: a string stays apart from a number, `1.0` from `1`."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def pretty(value: Json) -> str:
    """Write a value as JSON text with a line for each member."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2)


def shortened(text: str, at_most: int) -> tuple[str, int]:
    """Return the beginning of a text, and how many characters were left out."""
    return text[:at_most], max(0, len(text) - at_most)


def size(count: int) -> str:
    """Say how large a document is."""
    for unit, step in (("MB", 1_000_000), ("kB", 1_000)):
        if count >= step:
            return f"{count / step:.1f} {unit}"
    return f"{count} bytes"


def kind(value: Json) -> str:
    """Name a value's JSON type."""
    return "nothing" if value is None else _KINDS.get(type(value), "number")
