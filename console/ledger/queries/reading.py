"""Which lines does a workspace's ledger have, one after another, however many there are?"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from console.ledger.chain import GENESIS, Line, Seal
from console.ledger.models import Chain

AT_ONCE = 2000
# The columns as texts: a number comes back as it was written, and is read once, not twice.
_LINES = """
    SELECT seq, at, actor::text, verb, subject, body::text, previous, digest
    FROM ledger_entry
    WHERE workspace_id = %s AND seq > %s AND seq <= %s
    ORDER BY seq LIMIT %s
"""


def end(workspace_id: UUID) -> Chain:
    """Return where a ledger ends; at nothing if it has no chain."""
    return Chain.objects.filter(workspace=workspace_id).first() or Chain(seq=0, digest=GENESIS)


def lines(workspace_id: UUID, *, after: int = 0, up_to: int) -> Iterator[tuple[Line, Seal]]:
    """Return the entries behind `after`, some thousand at a time, so that nothing is held open."""
    workspace = str(workspace_id)
    while rows := _rows(workspace_id, after, up_to):
        for seq, at, actor, verb, subject, body, previous, digest in rows:
            line = Line(
                workspace=workspace,
                seq=seq,
                at=at,
                actor=orjson.loads(actor),
                verb=verb,
                subject=subject,
                body=orjson.loads(body),
            )
            yield line, Seal(previous, digest)
        after = rows[-1][0]


def _rows(workspace_id: UUID, after: int, up_to: int) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(_LINES, [workspace_id, after, up_to, AT_ONCE])
        return list(cursor.fetchall())
