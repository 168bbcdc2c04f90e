"""What is one change, and how is it told that it does not fit?

A change is an RFC 6902 operation that also carries what stood there before, so one record is
the diff that a reviewer reads, the check that the world has not moved, and its own undo.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final, Literal, TypeGuard, cast

from console.canonical import Json
from snapshots import pointer

Op = Literal["add", "replace", "remove", "move"]

_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"add": ("value",), "replace": ("old", "value"), "remove": ("old",), "move": ("from",)}
)
_QUOTED_AT_MOST = 80


class Absent(Enum):
    """The one value that says there is no value; null is a value."""

    ABSENT = "nothing there"


class Need(Enum):
    """What a change needs at a place, where it does not need one certain value."""

    CONTAINER = "an object or a list"
    POSITION = "a position in the list"


ABSENT: Final = Absent.ABSENT


class BadChange(ValueError):
    """This is not a change that could ever be carried out."""


class DoesNotFit(ValueError):
    """The record is not what the change expects."""

    def __init__(self, path: str, expected: Json | Absent | Need, found: Json | Absent) -> None:
        """Keep the place, what the change expects there and what stands there."""
        self.path = path
        self.expected = expected
        self.found = found
        says = "has nothing" if isinstance(found, Absent) else f"says {_quoted(found)}"
        wants = expected.value if isinstance(expected, Absent | Need) else _quoted(expected)
        place = path if path.isprintable() else json.dumps(path)
        where = f"At {place}" if path else "At its top"
        super().__init__(f"{where} the record {says}, the change expects {wants}.")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: what stood at a path, and what stands there afterwards.

    Shape: `old` is absent for add, `value` for remove; a move takes the item at `from_path` out
    of its list and puts it back at `path`, `old` being the item as it was when it moved.
    """

    op: Op
    path: str
    old: Json | Absent = ABSENT
    value: Json | Absent = ABSENT
    from_path: str | None = None

    def to_json(self) -> dict[str, Json]:
        """Write the change as `{"op", "from", "path", "old", "value"}` without what is absent."""
        written: dict[str, Json] = {"op": self.op, "path": self.path}
        if self.from_path is not None:
            written["from"] = self.from_path
        if not isinstance(self.old, Absent):
            written["old"] = self.old
        if not isinstance(self.value, Absent):
            written["value"] = self.value
        return written

    @classmethod
    def from_json(cls, written: Json) -> "Change":
        """Read what `to_json` wrote.

        Raises: BadChange.
        """
        if not isinstance(written, dict):
            raise BadChange("A change is an object with op and path.")
        op, path, source = written.get("op"), written.get("path"), written.get("from")
        if not isinstance(op, str) or op not in _MEMBERS:
            raise BadChange("A change's op is add, replace, remove or move.")
        if missing := [name for name in ("path", *_MEMBERS[op]) if name not in written]:
            raise BadChange(f"A change with op {op} has {' and '.join(missing)}.")
        _require_pointer(path)
        if op == "move":
            _require_pointer(source)
        return cls(
            op=cast("Op", op),
            path=cast("str", path),
            old=ABSENT if op == "add" else written.get("old", ABSENT),
            value=written["value"] if op in ("add", "replace") else ABSENT,
            from_path=cast("str", source) if op == "move" else None,
        )


def invert(changes: Sequence[Change]) -> list[Change]:
    """List the changes that undo these."""
    return [_inverse(change) for change in reversed(changes)]


def _inverse(change: Change) -> Change:
    if change.op == "move" and change.from_path is not None:
        return Change("move", change.from_path, change.old, from_path=change.path)
    back: dict[Op, Op] = {"add": "remove", "remove": "add"}
    return Change(back.get(change.op, change.op), change.path, change.value, change.old)


def _require_pointer(path: Json) -> None:
    if not isinstance(path, str):
        raise BadChange("A change's path is text.")
    try:
        pointer.parse(path)
    except pointer.BadPointer as error:
        raise BadChange(str(error)) from error


def _quoted(value: Json) -> str:
    """Write a value for a sentence: quotes only where it could be taken for something else."""
    written = value if _is_plain_word(value) else json.dumps(value, sort_keys=True)
    return written if len(written) <= _QUOTED_AT_MOST else f"{written[:_QUOTED_AT_MOST]}…"


def _is_plain_word(value: Json) -> TypeGuard[str]:
    return (
        isinstance(value, str)
        and value.isprintable()
        and value.strip() == value
        and value not in ("true", "false", "null")
        and any(letter.isalpha() for letter in value)
    )
