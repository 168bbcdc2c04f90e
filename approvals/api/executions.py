"""What was carried out, or is held, over HTTP; people take an approval back while it is held."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from ninja import Field, Router, Schema
from pydantic import ConfigDict

from approvals.api.proposals import READERS
from approvals.operations.recalling import recall_execution
from approvals.showing.carrying import carried_out
from console.access.bearer import ClientRequest
from console.access.people import People
from console.endpoints import PROBLEMS

router = Router()


class CarryingOut(Schema):
    """How the one carrying-out of an approved revision stands.

    `status` is held, succeeded, recalled or failed; `problem` says why the last two. What leaves
    the house through a `connector` is also ready, claimed, sent, in_doubt or quarantined, and may
    be compensating, compensated or compensation_failed afterwards; see docs/connectors.md.
    """

    id: UUID
    proposal: UUID
    revision: int
    revision_digest: str
    status: str
    created_at: datetime
    due_at: datetime
    executed_at: datetime | None
    snapshot: int | None
    problem: str
    connector: str
    retry_class: str
    request_digest: str
    tries: int
    sent_at: datetime | None
    reference: str
    doubted_at: datetime | None
    doubt_due_at: datetime | None
    owner: UUID | None


class ExecutionOut(CarryingOut):
    """One carrying-out, here or outside; `in_emergency` when a glass was broken for it."""

    in_emergency: bool


class RecallIn(Schema):
    """Why an approval is taken back."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(max_length=500)] = ""


@router.get("/{uuid:execution_id}", auth=READERS, response={200: ExecutionOut, **PROBLEMS})
def get_execution(request: ClientRequest, execution_id: UUID) -> dict[str, Any]:
    """Look at one execution."""
    return carried_out(request.actor.workspace_id, execution_id)


@router.post(
    "/{uuid:execution_id}/recall",
    auth=People("decide"),
    response={200: ExecutionOut, **PROBLEMS},
)
def recall_held_execution(
    request: ClientRequest, execution_id: UUID, payload: RecallIn
) -> dict[str, Any]:
    """Take an approval back while it is held; by whoever approved it, or an admin."""
    now = datetime.now(UTC)
    recall_execution(actor=request.actor, execution_id=execution_id, reason=payload.reason, now=now)
    return carried_out(request.actor.workspace_id, execution_id)
