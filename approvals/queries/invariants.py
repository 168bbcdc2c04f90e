"""Is there anything in this database that must never be there?

Asks the sentences of `invariants.sql`, and changes nothing: any role that may read can ask.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.db import OperationalError, connection, transaction

_NAME = re.compile(r"^-- (name|liveness): (.+)$", re.MULTILINE)
# A sentence of life says what has to happen in time; tests stop the clocks, so they leave it out.
_OF_LIFE = re.compile(r"^-- liveness\b", re.MULTILINE)
SHOWN_AT_MOST = 20
SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Invariant:
    """A sentence that holds, and the query whose rows would break it."""

    sentence: str
    query: str
    is_liveness: bool = False


@dataclass(frozen=True, slots=True)
class Broken:
    """A sentence that does not hold, and the first ids that break it."""

    sentence: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one sentence; `problem` says why it could not be asked."""

    invariant: Invariant
    ids: tuple[str, ...] = ()
    problem: str = ""


@cache
def invariants() -> tuple[Invariant, ...]:
    """Return the sentences of `invariants.sql`, in its order."""
    parts = _NAME.split(Path(__file__).with_suffix(".sql").read_text())
    triples = zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
    return tuple(
        Invariant(name.strip(), _bare(query), kind == "liveness" or bool(_OF_LIFE.search(query)))
        for kind, name, query in triples
    )


def broken() -> list[Broken]:
    """Return every sentence that does not hold, over all workspaces; none of life is asked."""
    asked = tuple(each for each in invariants() if not each.is_liveness)
    found = zip(asked, _ids_of_all(asked), strict=True)
    return [Broken(each.sentence, ids) for each, ids in found if ids]


def answers(*, seconds: float = SECONDS) -> Iterator[Answer]:
    """Ask one sentence after another, each for so many seconds at most."""
    for each in invariants():
        try:
            with _reading_only(seconds):
                answer = Answer(each, _ids(each.query))
        except OperationalError as error:
            answer = Answer(each, problem=str(error).strip().partition("\n")[0])
        yield answer


def _ids_of_all(asked: tuple[Invariant, ...]) -> list[tuple[str, ...]]:
    """Ask everything in one round trip, as statements that are not parsed twice."""
    with _reading_only(SECONDS), connection.cursor() as cursor:
        cursor.execute(";\n".join(f"{each.query}\nLIMIT {SHOWN_AT_MOST}" for each in asked))
        return [_first_columns(each) for each in _results(cursor.cursor)]


def _results(cursor: Any) -> Iterator[Any]:
    yield cursor
    while cursor.nextset():
        yield cursor


def _ids(query: str) -> tuple[str, ...]:
    with connection.cursor() as cursor:
        cursor.execute(f"{query}\nLIMIT {SHOWN_AT_MOST}")
        return _first_columns(cursor)


def _first_columns(cursor: Any) -> tuple[str, ...]:
    return tuple(str(row[0]) for row in cursor.fetchall())


@contextmanager
def _reading_only(seconds: float) -> Iterator[None]:
    """Let nothing be written meanwhile; what was set is given back, within a transaction, too."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "SET LOCAL transaction_read_only = on; "
                f"SET LOCAL statement_timeout = {round(seconds * 1000)}"
            )
        yield
        transaction.set_rollback(True)


def _bare(query: str) -> str:
    """Return a query without the semicolon that ends it."""
    return query.strip().rstrip(";")
