"""Is there anything in this database that must never be there?"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.db import connection

_NAME = re.compile(r"^-- name: (.+)$", re.MULTILINE)
SHOWN_AT_MOST = 20


@dataclass(frozen=True, slots=True)
class Invariant:
    """A sentence that holds, and the query whose rows would break it."""

    sentence: str
    query: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A sentence that does not hold, and the first ids that break it."""

    sentence: str
    ids: tuple[str, ...]


@cache
def invariants() -> tuple[Invariant, ...]:
    """Return the sentences of `invariants.sql`, in its order."""
    parts = _NAME.split(Path(__file__).with_suffix(".sql").read_text())
    pairs = zip(parts[1::2], parts[2::2], strict=True)
    return tuple(Invariant(name.strip(), query.strip().rstrip(";")) for name, query in pairs)


def broken() -> list[Broken]:
    """Return every sentence that does not hold, over all workspaces."""
    found = [Broken(each.sentence, _ids(each.query)) for each in invariants()]
    return [item for item in found if item.ids]


def _ids(query: str) -> tuple[str, ...]:
    with connection.cursor() as cursor:
        cursor.execute(f"{query} LIMIT {SHOWN_AT_MOST}")
        return tuple(str(row[0]) for row in cursor.fetchall())
