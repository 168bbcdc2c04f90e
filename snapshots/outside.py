"""Outside records over HTTP: report what one says, and see how the State differs from it."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from ninja import Router, Schema
from pydantic import ConfigDict

from console.access.bearer import Bearer, ClientRequest
from console.endpoints import PROBLEMS
from snapshots.operations.reading import report
from snapshots.queries import readings

router = Router()
CHANGES_AT_MOST = 1_000


class ReportIn(Schema):
    """What the outside record says now, whole."""

    model_config = ConfigDict(extra="forbid")

    document: Any


class ReadingOut(Schema):
    """What an outside record said; `digest` is the SHA-256 of its content."""

    id: UUID
    source: str
    digest: str
    document_bytes: int
    read_at: datetime


class OutsideOut(Schema):
    """How a State differs from the outside record it mirrors.

    `changes` would make the State say the same; `differing` counts all of them, the list holds
    the first 1,000. Without a reading there is nothing to differ from.
    """

    mirrors: str
    snapshot: int
    digest: str
    reading: ReadingOut | None
    differing: int | None
    changes: list[dict[str, Any]]


@router.put(
    "/{uuid:state_id}/outside",
    auth=Bearer("states:write"),
    response={200: OutsideOut, **PROBLEMS},
    summary="Report what the outside record says",
)
def report_outside(request: ClientRequest, state_id: UUID, payload: ReportIn) -> OutsideOut:
    """Keep what the outside record says; the State does not change until a person takes it in."""
    report(actor=request.actor, state_id=state_id, document=payload.document, now=datetime.now(UTC))
    return _shown(request.actor.workspace_id, state_id)


@router.get(
    "/{uuid:state_id}/outside",
    auth=Bearer("states:read"),
    response={200: OutsideOut, **PROBLEMS},
    summary="See how a State differs from its outside record",
)
def get_outside(request: ClientRequest, state_id: UUID) -> OutsideOut:
    """Look at the newest reading, and at what differs."""
    return _shown(request.actor.workspace_id, state_id)


def _shown(workspace_id: UUID, state_id: UUID) -> OutsideOut:
    found = readings.mirrored(workspace_id, state_id)
    reading = found.reading
    changes = readings.changes_to(found.head, reading) if reading else []
    return OutsideOut(
        mirrors=found.mirrors,
        snapshot=found.head.number,
        digest=found.head.digest,
        reading=ReadingOut.from_orm(reading) if reading else None,
        differing=len(changes) if reading else None,
        changes=[dict(change.to_json()) for change in changes[:CHANGES_AT_MOST]],
    )
