"""The hot path of storage, few prepared statements: read a chain, write the next version.

Raw, because a version is written by one statement that also is the check that nobody was faster.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import psycopg
from django.db import connection
from psycopg.rows import TupleRow

from console.canonical import Json
from console.ids import new_id
from snapshots.content import DamagedContent, pack, unpack
from snapshots.stored import REFERENCE, Stored

# One statement each, because retention may store rows anew between two.
_RUN = """
    SELECT number, base_number, codec, data, digest FROM snapshots_snapshot
    WHERE state_id = %(state)s AND number <= %(number)s AND number >= (
        SELECT CASE codec WHEN 4 THEN number ELSE base_number END
        FROM snapshots_snapshot WHERE state_id = %(state)s AND number = %(number)s)
    ORDER BY number
"""
# A reference leads on to the chain of the snapshot it names, which is always an older one. Each
# chain is asked for by itself: joined, all rows of the State would be looked at for a few.
_CHAIN = """
    WITH RECURSIVE span(depth, low, high) AS (
        SELECT 0, CASE codec WHEN 4 THEN number ELSE base_number END, number
        FROM snapshots_snapshot WHERE state_id = %(state)s AND number = %(number)s
    UNION ALL
        SELECT depth + 1, CASE target.codec WHEN 4 THEN target.number ELSE target.base_number END,
            target.number
        FROM span
        JOIN snapshots_snapshot AS start ON start.state_id = %(state)s
            AND start.number = span.low AND start.codec = 4 AND start.base_number < start.number
        JOIN snapshots_snapshot AS target ON target.state_id = %(state)s
            AND target.number = start.base_number
    )
    SELECT {columns} FROM span CROSS JOIN LATERAL (
        SELECT number, base_number, codec, data, digest FROM snapshots_snapshot
        WHERE state_id = %(state)s AND number BETWEEN span.low AND span.high
        ORDER BY number OFFSET 0
    ) AS row
    {order}
"""
_RUNS = _CHAIN.format(columns="row.*", order="ORDER BY span.depth DESC, row.number")
_WEIGHT = _CHAIN.format(
    columns="count(*), coalesce("
    "sum(octet_length(row.data)) FILTER (WHERE row.base_number <> row.number), 0)",
    order="",
)
_FOLLOWING = """
    SELECT number, base_number, codec, data, digest FROM snapshots_snapshot
    WHERE state_id = %(state)s AND number BETWEEN %(first)s AND %(last)s ORDER BY number
"""
_CANDIDATES = """
    SELECT number FROM snapshots_snapshot
    WHERE state_id = %(state)s AND number > %(after)s
        AND (touched IS NULL OR touched && %(marks)s::bigint[])
    ORDER BY number
"""
_STANDING = """
    SELECT number, epoch, digest, keyframe_number, keyframe_bytes, chain_bytes
    FROM snapshots_state WHERE workspace_id = %(workspace)s AND id = %(state)s
"""
_LIST_KEYS = "SELECT list_keys::text FROM snapshots_state WHERE id = %(state)s"
# The sizes of what is let go are null, and of what lies elsewhere known without reading it.
_TARGET = """
    SELECT target.number, asked.digest, asked.document_bytes,
        target.data IS NULL AND target.codec <> 4, state.keyframe_bytes, run.*
    FROM snapshots_state AS state
    JOIN snapshots_snapshot AS asked ON asked.state_id = state.id AND asked.number = %(number)s
    JOIN snapshots_snapshot AS target ON target.state_id = state.id AND target.number =
        CASE asked.codec WHEN 4 THEN asked.base_number ELSE asked.number END
    CROSS JOIN LATERAL (
        SELECT count(*), coalesce(
            sum(octet_length(data)) FILTER (WHERE base_number <> number), 0)::bigint,
            coalesce(bool_or(codec = 4), false)
        FROM (
            SELECT number, base_number, codec, data FROM snapshots_snapshot
            WHERE state_id = %(state)s AND number BETWEEN target.base_number AND target.number
            ORDER BY number OFFSET 0
        ) AS row
    ) AS run(rows, bytes, refers)
    WHERE state.workspace_id = %(workspace)s AND state.id = %(state)s
"""
_PARTS = """
    SELECT digest, data FROM snapshots_part
    WHERE state_id = %(state)s AND digest = ANY(%(digests)s::text[])
"""
_PART_SIZES = """
    SELECT digest, octet_length(data) FROM snapshots_part
    WHERE state_id = %(state)s AND digest = ANY(%(digests)s::text[]) FOR KEY SHARE
"""
_ADD_PART = """
    INSERT INTO snapshots_part (workspace_id, state_id, digest, data, created_at)
    VALUES (%(workspace)s, %(state)s, %(digest)s, %(data)b, %(now)s)
    ON CONFLICT DO NOTHING
"""
_ADVANCE = """
    WITH moved AS (
        UPDATE snapshots_state SET
            number = number + 1, epoch = %(epoch)s, digest = %(digest)s, changed_at = %(now)s,
            keyframe_number = CASE WHEN %(is_start)s THEN number + 1 ELSE keyframe_number END,
            keyframe_bytes = CASE WHEN %(is_start)s THEN %(bytes)s::bigint ELSE keyframe_bytes END,
            chain_bytes = CASE WHEN %(is_start)s THEN 0 ELSE chain_bytes END + %(chain)s
        WHERE workspace_id = %(workspace)s AND id = %(state)s
            AND number = %(parent)s AND epoch = %(base_epoch)s
        RETURNING keyframe_number, keyframe_bytes, chain_bytes)
    , written AS (
        INSERT INTO snapshots_snapshot (id, workspace_id, state_id, number, parent_number,
            base_number, epoch, codec, data, touched, digest, document_bytes, change_count,
            cause, cause_id, actor, reason, created_at)
        SELECT %(id)s, %(workspace)s, %(state)s, %(parent)s::bigint + 1, %(parent)s,
            coalesce(%(content_of)s::bigint, keyframe_number), %(epoch)s, %(codec)s, %(data)b,
            %(touched)s::bigint[], %(digest)s, %(document_bytes)s, %(change_count)s,
            %(cause)s, %(cause_id)s, %(actor)s::jsonb, %(reason)s, %(now)s
        FROM moved)
    SELECT keyframe_number, keyframe_bytes, chain_bytes FROM moved
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a State stands, and what is read to read its newest content."""

    number: int
    epoch: int
    digest: str
    keyframe_number: int
    keyframe_bytes: int
    chain_bytes: int


@dataclass(frozen=True, slots=True)
class Target:
    """What a reference to a snapshot refers to: the one that holds the content.

    `rows` and `bytes` are those of the chain up to it, which is a longer one where it `refers`
    to another snapshot itself; `keyframe_bytes` is what the State's newest whole document has.
    """

    number: int
    digest: str
    document_bytes: int
    is_gone: bool
    keyframe_bytes: int
    rows: int
    bytes: int
    refers: bool


@dataclass(frozen=True, slots=True)
class Version:
    """The next version of a State, ready to be written after `parent`.

    `is_start` where reading later versions begins here; `keyframe_bytes` is then what reading it
    takes, `chain_bytes` what this version adds to what is read after the start. `content_of`
    names the snapshot that a reference refers to.
    """

    workspace_id: UUID
    state_id: UUID
    parent: int
    base_epoch: int
    epoch: int
    codec: int
    data: bytes
    is_start: bool
    keyframe_bytes: int
    chain_bytes: int
    content_of: int | None
    touched: Sequence[int] | None
    digest: str
    document_bytes: int
    change_count: int
    cause: str
    cause_id: str
    actor: dict[str, Json]
    reason: str
    now: datetime


def chain(state_id: UUID, number: int) -> list[Stored]:
    """Return the rows that make a version, from the whole document to its last change.

    Empty where there is no such version.
    """
    values = {"state": state_id, "number": number}
    found = _stored(_RUN, values)
    return _stored(_RUNS, values) if found and found[0].codec == REFERENCE else found


def following(state_id: UUID, first: int, last: int) -> list[Stored]:
    """Return the rows of some versions in order."""
    values = {"state": state_id, "first": first, "last": last}
    return _stored(_FOLLOWING, values)


def _stored(sql: str, values: dict[str, Any]) -> list[Stored]:
    return [Stored(*row) for row in _execute(sql, values, binary=True).fetchall()]


def weight(state_id: UUID, number: int) -> tuple[int, int]:
    """Return how many rows make a version, and how many bytes the changes in them have."""
    rows, size = _one(_WEIGHT, {"state": state_id, "number": number})
    return int(rows), int(size)


def target(workspace_id: UUID, state_id: UUID, number: int) -> Target | None:
    """Return what a reference to a snapshot would refer to, if there is such a snapshot."""
    values = {"workspace": workspace_id, "state": state_id, "number": number}
    row = _execute(_TARGET, values).fetchone()
    return None if row is None else Target(*row)


def candidates(state_id: UUID, after: int, marks: Sequence[int]) -> list[int]:
    """Return the versions after one that may have touched a place with one of these marks."""
    values = {"state": state_id, "after": after, "marks": list(marks)}
    return [row[0] for row in _execute(_CANDIDATES, values).fetchall()]


def standing(workspace_id: UUID, state_id: UUID) -> Standing | None:
    """Return where a State stands, if the workspace has it."""
    row = _execute(_STANDING, {"workspace": workspace_id, "state": state_id}).fetchone()
    return None if row is None else Standing(*row)


def list_keys(state_id: UUID) -> dict[str, str]:
    """Return by which members the items of a State's lists are told apart."""
    found: dict[str, str] = orjson.loads(_one(_LIST_KEYS, {"state": state_id})[0])
    return found


def parts(state_id: UUID, digests: Iterable[str]) -> dict[str, bytes]:
    """Return the content bytes of parts by digest, without those that are gone or damaged."""
    values = {"state": state_id, "digests": sorted(set(digests))}
    rows = _execute(_PARTS, values, binary=True).fetchall()
    return {digest: plain for digest, data in rows if (plain := _unpacked(data)) is not None}


def _unpacked(data: bytes) -> bytes | None:
    try:
        return unpack(data)
    except DamagedContent:
        return None


def add_parts(workspace_id: UUID, state_id: UUID, found: dict[str, bytes], now: datetime) -> int:
    """Write those parts that the State does not have yet; return the stored bytes of all.

    Locks: the parts that are there already, so that no sweep takes them before they are used.
    """
    values = {"state": state_id, "digests": sorted(found)}
    sizes: dict[str, int] = dict(_execute(_PART_SIZES, values).fetchall())
    for digest in sorted(found.keys() - sizes.keys()):
        data = pack(found[digest])
        sizes[digest] = len(data)
        part = {"workspace": workspace_id, "state": state_id, "digest": digest, "data": data}
        _execute(_ADD_PART, {**part, "now": now})
    return sum(sizes.values())


def advance(version: Version) -> tuple[UUID, Standing] | None:
    """Write a version if its State still stands at the parent; return its id, and the State.

    Locks: the state row until the transaction ends.
    """
    row_id = new_id()
    values = {
        "workspace": version.workspace_id,
        "state": version.state_id,
        "parent": version.parent,
        "base_epoch": version.base_epoch,
        "epoch": version.epoch,
        "codec": version.codec,
        "data": version.data,
        "is_start": version.is_start,
        "bytes": version.keyframe_bytes,
        "chain": version.chain_bytes,
        "content_of": version.content_of,
        "touched": version.touched,
        "digest": version.digest,
        "document_bytes": version.document_bytes,
        "change_count": version.change_count,
        "cause": version.cause,
        "cause_id": version.cause_id,
        "actor": orjson.dumps(version.actor).decode(),
        "reason": version.reason,
        "now": version.now,
        "id": row_id,
    }
    row = _execute(_ADVANCE, values).fetchone()
    if row is None:
        return None
    number, digest = version.parent + 1, version.digest
    return row_id, Standing(number, version.epoch, digest, *row)


def _one(sql: str, values: dict[str, Any]) -> TupleRow:
    row = _execute(sql, values).fetchone()
    if row is None:
        raise LookupError("A statement that always answers did not.")
    return row


def _execute(sql: str, values: dict[str, Any], *, binary: bool = False) -> psycopg.Cursor[TupleRow]:
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    with connection.wrap_database_errors:
        # Django's cursor binds on the client; this one lets the server prepare a statement once.
        cursor = psycopg.Cursor(connection.connection)
        return cursor.execute(sql, values, prepare=True, binary=binary)
