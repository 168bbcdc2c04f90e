"""How much people may approve, and who stands in for whom, over HTTP; people only."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from ninja import Field, Query, Router, Schema, Status
from pydantic import AwareDatetime, ConfigDict

from approvals.operations.authorising import allow_up_to, take_back
from approvals.operations.delegating import delegate, end_delegation
from approvals.showing.authority import delegations, limits
from console.access.bearer import ClientRequest
from console.access.people import People
from console.endpoints import PROBLEMS

limits_router = Router()
delegations_router = Router()
Limit = Annotated[int, Query(ge=1, le=100)]
Money = Annotated[str, Field(pattern=r"^[0-9]{1,18}(\.[0-9]{1,6})?$")]


class LimitIn(Schema):
    """How much somebody may approve of these kinds of action; null is any amount."""

    model_config = ConfigDict(extra="forbid")

    person: UUID
    action_types: Annotated[list[str], Field(min_length=1, max_length=50)]
    amount: Money | None = None
    currency: Annotated[str, Field(max_length=3)] = ""
    expires_at: AwareDatetime | None = None
    note: Annotated[str, Field(max_length=200)] = ""


class LimitOut(Schema):
    """How much somebody may approve, and since when."""

    id: UUID
    person: UUID
    name: str
    action_types: list[str]
    amount: str | None
    currency: str
    expires_at: datetime | None
    note: str
    created_at: datetime
    revoked_at: datetime | None


class LimitPage(Schema):
    """Some limits, newest first; `next_cursor` continues, empty at the end."""

    items: list[LimitOut]
    next_cursor: str


class DelegationIn(Schema):
    """Who stands in for whom, and when; without `person` it is yourself."""

    model_config = ConfigDict(extra="forbid")

    person: UUID | None = None
    delegate: UUID
    begins_at: AwareDatetime
    ends_at: AwareDatetime
    reason: Annotated[str, Field(max_length=300)] = ""


class DelegationOut(Schema):
    """Who stands in for whom, and when."""

    id: UUID
    person: UUID
    person_name: str
    delegate: UUID
    delegate_name: str
    begins_at: datetime
    ends_at: datetime
    reason: str
    revoked_at: datetime | None


class DelegationPage(Schema):
    """Some delegations, newest first; `next_cursor` continues, empty at the end."""

    items: list[DelegationOut]
    next_cursor: str


class Made(Schema):
    """It is in force, or will be."""

    id: UUID


@limits_router.get("", auth=People("see"), response={200: LimitPage, **PROBLEMS})
def list_authority_limits(
    request: ClientRequest, cursor: str = "", limit: Limit = 50
) -> dict[str, Any]:
    """List who may approve how much, newest first."""
    return limits(request.actor.workspace_id, cursor, limit)


@limits_router.post("", auth=People("authority"), response={201: Made, **PROBLEMS})
def set_authority_limit(request: ClientRequest, payload: LimitIn) -> Status[Made]:
    """Let somebody approve up to an amount; nobody sets their own."""
    made = allow_up_to(
        actor=request.actor,
        person_id=payload.person,
        action_types=payload.action_types,
        amount=None if payload.amount is None else Decimal(payload.amount),
        currency=payload.currency,
        expires_at=payload.expires_at,
        note=payload.note,
        now=datetime.now(UTC),
    )
    return Status(201, Made(id=made))


@limits_router.delete(
    "/{uuid:limit_id}", auth=People("authority"), response={204: None, **PROBLEMS}
)
def take_back_authority_limit(request: ClientRequest, limit_id: UUID) -> Status[None]:
    """End a limit; twice is once."""
    take_back(actor=request.actor, limit_id=limit_id, now=datetime.now(UTC))
    return Status(204, None)


@delegations_router.get("", auth=People("see"), response={200: DelegationPage, **PROBLEMS})
def list_delegations(request: ClientRequest, cursor: str = "", limit: Limit = 50) -> dict[str, Any]:
    """List who stands in for whom, newest first."""
    return delegations(request.actor.workspace_id, cursor, limit)


@delegations_router.post("", auth=People("decide"), response={201: Made, **PROBLEMS})
def make_delegation(request: ClientRequest, payload: DelegationIn) -> Status[Made]:
    """Name who stands in for you; an admin names it for others."""
    made = delegate(
        actor=request.actor,
        person_id=payload.person or UUID(request.actor.id),
        delegate_id=payload.delegate,
        begins_at=payload.begins_at,
        ends_at=payload.ends_at,
        reason=payload.reason,
        now=datetime.now(UTC),
    )
    return Status(201, Made(id=made))


@delegations_router.delete(
    "/{uuid:delegation_id}", auth=People("see"), response={204: None, **PROBLEMS}
)
def end_one_delegation(request: ClientRequest, delegation_id: UUID) -> Status[None]:
    """End a delegation at once; twice is once."""
    end_delegation(actor=request.actor, delegation_id=delegation_id, now=datetime.now(UTC))
    return Status(204, None)
