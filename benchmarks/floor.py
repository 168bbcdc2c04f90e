"""In a hand: what does the database itself cost, with nothing of ours around it?"""

import functools
import time
from datetime import UTC, datetime
from uuid import uuid4

import orjson
import psycopg

from console.supervision import addresses

_TABLE = """
    CREATE TABLE IF NOT EXISTS floor_step (
        run uuid NOT NULL, index int NOT NULL, name text NOT NULL, input jsonb NOT NULL,
        output jsonb, started_at timestamptz NOT NULL, PRIMARY KEY (run, index))
"""
_INSERT = "INSERT INTO floor_step VALUES (%s, %s, %s, %s::jsonb, %s::jsonb, %s)"


CHANNEL = "floor"


def connect() -> psycopg.Connection[tuple[object, ...]]:
    """Return a plain connection where every statement is a transaction."""
    return psycopg.connect(addresses.default_database_url(), autocommit=True)


def notify() -> None:
    """Ring a bell that says when it was rung."""
    _ringing().execute("SELECT pg_notify(%s, %s)", [CHANNEL, repr(time.time())])


@functools.cache
def _ringing() -> psycopg.Connection[tuple[object, ...]]:
    return connect()


def insert(rows: int) -> float:
    """Insert small rows, one prepared statement and one commit each; return rows per second."""
    run = uuid4()
    with connect() as connection:
        connection.execute(_TABLE)
        cursor = connection.cursor()
        began = time.monotonic()
        for index in range(rows):
            asked = orjson.dumps({"i": index}).decode()
            values = (run, index, "noop", asked, str(index), datetime.now(UTC))
            cursor.execute(_INSERT, values, prepare=True)
        return rows / (time.monotonic() - began)
