"""Which checkpoints does a ledger have, and when was the newest made?"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from console.ledger.auditing import UNSEALED_AT_MOST
from console.ledger.checkpoints import Checkpoint as Statement
from console.ledger.checkpoints import Signed
from console.ledger.models import Checkpoint

# One step down an index for each workspace, however many checkpoints there are.
_DUE = """
    SELECT c.workspace_id
    FROM ledger_chain c
    LEFT JOIN LATERAL (
        SELECT k.at FROM ledger_checkpoint k
        WHERE k.workspace_id = c.workspace_id ORDER BY k.number DESC LIMIT 1
    ) AS newest ON true
    WHERE newest.at IS NULL OR newest.at <= %s
    ORDER BY c.workspace_id
"""


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest checkpoint of a ledger, and whether it should have been followed by now."""

    seq: int
    at: datetime
    key: str
    is_old: bool


def newest(workspace_id: UUID, now: datetime) -> Newest | None:
    """Return what a page says of the newest checkpoint."""
    row = last(workspace_id)
    return Newest(row.seq, row.at, row.key, now - row.at > UNSEALED_AT_MOST) if row else None


def last(workspace_id: UUID) -> Checkpoint | None:
    """Return the newest checkpoint."""
    return Checkpoint.objects.filter(workspace=workspace_id).order_by("-number").first()


def signed(workspace_id: UUID, *, after: int = 0) -> list[Signed]:
    """Return the checkpoints behind a number, oldest first, as they were signed."""
    rows = Checkpoint.objects.filter(workspace=workspace_id, number__gt=after)
    return [as_signed(row) for row in rows.order_by("number")]


def as_signed(row: Checkpoint) -> Signed:
    """Return a row as what was signed."""
    statement = Statement(
        workspace=str(row.workspace_id),
        number=row.number,
        seq=row.seq,
        digest=row.digest,
        at=row.at,
        previous=row.previous,
        key=row.key,
    )
    return Signed(statement, row.signature)


def due(before: datetime) -> list[UUID]:
    """Return the workspaces whose ledger has no checkpoint newer than this."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [before])
        return [workspace_id for (workspace_id,) in cursor.fetchall()]
