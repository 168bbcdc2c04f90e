"""How is a version written as bytes, and how are the bytes read back?

Every format that was ever written is read for ever; `docs/storage.md` describes them byte by
byte. Codec 1 is a whole document, or changes with what stood there before. Codec 2 is operations
without old values, because the version before has them. Codec 3 is a document in parts (see
`snapshots/splitting.py`). Codec 4 has no bytes: its content is that of the snapshot named by
`base_number`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Final, cast

import orjson

from console.canonical import Json
from snapshots import pointer
from snapshots.content import DamagedContent, pack, parse, unpack
from snapshots.diff import ABSENT, Change, Op, Operation

FIRST, COMPACT, SPLIT, REFERENCE = 1, 2, 3, 4

# A capital letter works on a list, where it gives the items behind it another number.
_LETTERS: Final[Mapping[Op, str]] = MappingProxyType({"replace": "rR", "add": "aA", "remove": "dD"})
_MOVES: Final[Mapping[tuple[bool, bool], str]] = MappingProxyType(
    {(False, False): "m", (True, True): "M", (False, True): "n", (True, False): "N"}
)
_OPS: Final[Mapping[str, Op]] = MappingProxyType(
    {letter: op for op, letters in _LETTERS.items() for letter in letters}
    | dict.fromkeys("mMnN", "move")
)
_MEMBERS: Final[Mapping[Op, int]] = MappingProxyType(
    {"replace": 3, "add": 3, "remove": 2, "move": 3}
)


@dataclass(frozen=True, slots=True)
class Stored:
    """How the content of one version is stored; `data` is None where it was let go."""

    number: int
    base_number: int
    codec: int
    data: bytes | None
    digest: str


def operation(document: Json, change: Change, *, in_list: bool) -> list[Json]:
    """Write one change as codec 2 does; `document` is what it is about to be carried out on.

    Shape: `[letter, path, value]`, `[letter, path]` for a removal, `[letter, to, from]` for a
    move; `in_list` says whether `path` is a place in a list.
    """
    if change.op == "move":
        source = change.from_path or ""
        letter = _MOVES[_is_in_list(document, source), in_list]
        return [letter, change.path, source]
    letter = _LETTERS[change.op][in_list]
    if change.op == "remove":
        return [letter, change.path]
    return [letter, change.path, cast("Json", change.value)]


def _is_in_list(document: Json, path: str) -> bool:
    above, _, _ = path.rpartition("/")
    return isinstance(pointer.get(document, above), list)


def pack_operations(operations: list[Json]) -> bytes:
    """Write operations as the data of codec 2."""
    return pack(orjson.dumps(operations))


def operations(row: Stored) -> list[Operation]:
    """Read what a row of codec 2 does. Raises: DamagedContent."""
    return [_operation(item) for item in _items(row)]


def _items(row: Stored) -> list[Json]:
    written = parse(unpack(row.data or b""))
    if not isinstance(written, list):
        raise DamagedContent("What is stored is no list of changes.")
    return written


def _operation(written: Json) -> Operation:
    letter, change = _change(written)
    if change.op == "move":
        return Operation(change, from_list=letter in "MN", to_list=letter in "Mn")
    return Operation(change, letter.isupper(), letter.isupper())


def _change(written: Json) -> tuple[str, Change]:
    """Read an operation and the letter that it is written with."""
    if not isinstance(written, list) or not 1 < len(written) < 4:  # noqa: PLR2004  (see operation)
        raise DamagedContent("A stored operation is none that is known.")
    letter, path = written[0], written[1]
    if not isinstance(letter, str) or not isinstance(path, str) or letter not in _OPS:
        raise DamagedContent("A stored operation is none that is known.")
    op = _OPS[letter]
    if len(written) != _MEMBERS[op]:
        raise DamagedContent("A stored operation has too much or too little.")
    if op == "move":
        return letter, Change(op, path, from_path=_text(written[2]))
    return letter, Change(op, path, ABSENT, ABSENT if op == "remove" else written[2])


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise DamagedContent("A stored path is no text.")
    return value


def changes(row: Stored) -> list[Change]:
    """Read what a row of codec 1 or 2 changes on the version before it.

    Raises: DamagedContent, BadChange.
    """
    if row.codec == COMPACT:
        return [_change(item)[1] for item in _items(row)]
    if row.codec != FIRST:
        raise DamagedContent(f"Codec {row.codec} holds no changes.")
    return [Change.from_json(item) for item in _items(row)]


def whole(row: Stored) -> bytes:
    """Read the content bytes of a row of codec 1 that holds a whole document.

    Raises: DamagedContent.
    """
    return unpack(row.data or b"")


def readable(rows: Sequence[Stored]) -> list[Stored]:
    """Return the rows that a version is read from, of those that lead to it in order.

    The first is a whole document, each other changes the one before or refers to it. What was
    let go is passed over: the next one changes the last that still has its content.
    Raises: DamagedContent.
    """
    starts = [nth for nth, row in enumerate(rows) if _is_start(row)]
    if not starts:
        raise DamagedContent("There is no whole document to begin with.")
    needed = rows[starts[-1] :]
    for before, row in pairwise(needed):
        expected = row.base_number if row.codec == REFERENCE else row.number - 1
        if before.number != expected:
            raise DamagedContent(f"The row of snapshot {expected} is missing.")
    return [row for row in needed if not is_let_go(row)]


def is_let_go(row: Stored) -> bool:
    """Say whether the content was let go by retention; a reference has none of its own."""
    return row.data is None and row.codec != REFERENCE


def _is_start(row: Stored) -> bool:
    is_whole = row.base_number == row.number and row.codec in (FIRST, SPLIT)
    return is_whole and not is_let_go(row)
