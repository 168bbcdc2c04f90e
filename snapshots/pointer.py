"""Which value of a document does a path name?

Source: RFC 6901 (JSON Pointer). `~1` stands for `/` and `~0` for `~`; the empty pointer names
the whole document. Patterns are pointers in which `*` stands for any one segment and a closing
`**` for whatever follows, also nothing.
"""

import re
from collections.abc import Iterable, Sequence

from console.canonical import Json

_INDEX = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_BAD_ESCAPE = re.compile(r"~(?![01])")


class BadPointer(ValueError):
    """The text is not a JSON Pointer."""


class NothingThere(ValueError):
    """The document has no value at this path."""


def parse(pointer: str) -> tuple[str, ...]:
    """Split a pointer into its segments.

    Raises: BadPointer.
    """
    if pointer == "":
        return ()
    if not pointer.startswith("/"):
        raise BadPointer(f"A path begins with a slash: {pointer!a} does not.")
    if "~" not in pointer:
        return tuple(pointer[1:].split("/"))
    if _BAD_ESCAPE.search(pointer):
        raise BadPointer(f"In a path, ~ is followed by 0 or 1: {pointer!a} is not a path.")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/"))


def build(parts: Iterable[str]) -> str:
    """Join segments into a pointer."""
    return "".join("/" + escape(part) for part in parts)


def escape(part: str) -> str:
    """Write one segment so that it can stand between slashes."""
    return part.replace("~", "~0").replace("/", "~1")


def get(document: Json, path: str) -> Json:
    """Read the value that a pointer names.

    Raises: BadPointer, NothingThere.
    """
    found = document
    for part in parse(path):
        if isinstance(found, dict) and part in found:
            found = found[part]
        elif isinstance(found, list) and (index := position(part, len(found))) is not None:
            found = found[index]
        else:
            raise NothingThere(f"The record has nothing at {path}.")
    return found


def position(part: str, length: int) -> int | None:
    """Read a segment as the index of one of `length` items, or None where it names none."""
    if _INDEX.fullmatch(part) and (index := int(part)) < length:
        return index
    return None


def matches(pattern: Sequence[str], parts: Sequence[str]) -> bool:
    """Tell whether a parsed path fits a parsed pattern."""
    if pattern and pattern[-1] == "**":
        pattern = pattern[:-1]
        parts = parts[: len(pattern)]
    return len(pattern) == len(parts) and all(
        want in ("*", part) for want, part in zip(pattern, parts, strict=True)
    )
