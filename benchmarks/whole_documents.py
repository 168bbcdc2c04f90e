"""In a hand: every version a whole compressed document, one row and one statement each.

The floor under reading: whoever keeps everything whole reads one row, unpacks and parses it.
Nobody checks a digest here.
"""

import functools
from typing import Any

import orjson
import psycopg
import zstandard

from benchmarks import floor
from benchmarks.documents import Load, versions
from benchmarks.footprints import footprint
from benchmarks.keeping import Written, timed

TABLE = "whole_document"
_MAKE = f"""
    CREATE TABLE IF NOT EXISTS {TABLE} (
        document int NOT NULL, number int NOT NULL, data bytea NOT NULL,
        PRIMARY KEY (document, number));
    ALTER TABLE {TABLE} ALTER COLUMN data SET STORAGE EXTERNAL;
    TRUNCATE {TABLE}
"""
_INSERT = f"INSERT INTO {TABLE} VALUES (%s, %s, %s)"  # noqa: S608
_SELECT = f"SELECT data FROM {TABLE} WHERE document = %s AND number = %s"  # noqa: S608
_written: list[Load] = []


def write(load: Load) -> Written:
    """Write every version of every document; later questions are about these."""
    _written[:] = [load]
    kept = [versions(load, seed) for seed in range(load.documents)]
    cursor = _connection().cursor()
    _connection().execute(_MAKE)
    _connection().execute("CHECKPOINT")
    before, took = footprint(cursor, [TABLE]), []
    for seed, documents in enumerate(kept):
        for number, document in enumerate(documents):
            took.append(timed(functools.partial(_insert, seed, number, document))[0])
    after = footprint(cursor, [TABLE])
    return Written(took, *after.since(before, len(took)))


def read_newest(times: int) -> list[float]:
    """Read the newest version, some times."""
    [load] = _written
    return [_read(nth % load.documents, load.steps) for nth in range(times)]


def read_any(times: int) -> list[float]:
    """Read versions from all over the history."""
    [load] = _written
    return [_read(nth % load.documents, nth * 37 % (load.steps + 1)) for nth in range(times)]


def _insert(seed: int, number: int, document: object) -> None:
    packed = zstandard.compress(orjson.dumps(document), 3)
    _connection().execute(_INSERT, [seed, number, packed], binary=True, prepare=True)


def _read(seed: int, number: int) -> float:
    return timed(functools.partial(_select, seed, number))[0]


def _select(seed: int, number: int) -> object:
    rows: Any = _connection().execute(_SELECT, [seed, number], binary=True, prepare=True)
    [(packed,)] = rows.fetchall()
    return orjson.loads(zstandard.decompress(packed))


@functools.cache
def _connection() -> psycopg.Connection[tuple[object, ...]]:
    return floor.connect()
