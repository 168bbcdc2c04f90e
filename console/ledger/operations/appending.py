"""Append one line to a workspace's ledger.

Two prepared statements: one takes the end of the chain, the other writes the line and moves it.
Every verb ends with this, and all verbs of a workspace wait for each other here.
"""

from datetime import datetime
from typing import Any

import orjson
import psycopg
from django.db import connection, transaction
from psycopg.rows import TupleRow

from console.actors import Actor
from console.canonical import Json
from console.ids import new_id
from console.ledger.chain import GENESIS, Line
from console.ledger.models import Chain, Entry
from console.live import ring
from console.locking import patiently

# The clock is read after the lock is ours, so that lines are in order of time.
_TAKE_END = """
    WITH chain AS MATERIALIZED (
        SELECT seq, digest FROM ledger_chain WHERE workspace_id = %(workspace)s
        FOR NO KEY UPDATE)
    SELECT seq, digest, clock_timestamp() FROM chain
"""
_WRITE = """
    WITH moved AS (
        UPDATE ledger_chain SET seq = %(seq)s, digest = %(digest)s
        WHERE workspace_id = %(workspace)s)
    INSERT INTO ledger_entry
        (id, workspace_id, seq, at, actor, verb, subject, body, previous, digest)
    VALUES (%(id)s, %(workspace)s, %(seq)s, %(at)s, %(actor)s::jsonb, %(verb)s, %(subject)s,
        %(body)s::jsonb, %(previous)s, %(digest)s)
"""


def append(actor: Actor, verb: str, subject: str, body: dict[str, Json]) -> Entry:
    """Write the next line of the actor's workspace; part of the caller's transaction.

    Locks: the workspace's chain until the transaction ends, so operations append last.
    Time: the database's clock, read under the lock, so that lines are in order of time.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("The ledger is written with what it records.")
    seq, previous, at = _end(actor)
    line = Line(
        workspace=str(actor.workspace_id),
        seq=seq + 1,
        at=at,
        actor=actor.to_json(),
        verb=verb,
        subject=subject,
        body=body,
    )
    entry = Entry(
        id=new_id(),
        workspace_id=actor.workspace_id,
        seq=line.seq,
        at=at,
        actor=line.actor,
        verb=verb,
        subject=subject,
        body=body,
        previous=previous,
        digest=line.digest(previous),
    )
    _write(entry)
    ring("ledger", actor.workspace_id)
    return entry


def _end(actor: Actor) -> tuple[int, str, datetime]:
    """Take the end of the chain; a workspace's first line makes it."""
    values = {"workspace": actor.workspace_id}
    with patiently():
        end = _execute(_TAKE_END, values).fetchone()
        if end is None:
            chain = Chain(workspace_id=actor.workspace_id, seq=0, digest=GENESIS)
            Chain.objects.bulk_create([chain], ignore_conflicts=True)
            end = _execute(_TAKE_END, values).fetchone()
    if end is None:
        raise Chain.DoesNotExist
    return end[0], end[1], end[2]


def _write(entry: Entry) -> None:
    values = {
        "id": entry.id,
        "workspace": entry.workspace_id,
        "seq": entry.seq,
        "at": entry.at,
        "actor": orjson.dumps(entry.actor).decode(),
        "verb": entry.verb,
        "subject": entry.subject,
        "body": orjson.dumps(entry.body).decode(),
        "previous": entry.previous,
        "digest": entry.digest,
    }
    _execute(_WRITE, values)
    entry._state.adding, entry._state.db = False, connection.alias  # noqa: SLF001  (no other way)


def _execute(sql: str, values: dict[str, Any]) -> psycopg.Cursor[TupleRow]:
    connection.ensure_connection()
    with connection.wrap_database_errors:
        # Django's cursor binds on the client; this one lets the server prepare a statement once.
        return psycopg.Cursor(connection.connection).execute(sql, values, prepare=True)
