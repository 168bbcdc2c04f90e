"""Webhooks over HTTP, for people with their session: no token sends events elsewhere."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from ninja import Field, Query, Router, Schema, Status
from pydantic import ConfigDict

from console.access.bearer import ClientRequest
from console.access.people import People
from console.endpoints import PROBLEMS
from console.notices import queries
from console.notices.operations import hooking
from console.notices.operations.redelivering import redeliver, send_test
from console.paging import page
from console.reaching.targets import URL_AT_MOST

if TYPE_CHECKING:
    from console.notices.models import Delivery, Webhook

router = Router(auth=People("webhooks"))
Events = Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=40)]


class WebhookIn(Schema):
    """Where events are sent, and which."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, Field(max_length=URL_AT_MOST)]
    events: Events


class WebhookChange(Schema):
    """What is to be different; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    events: Events | None = None
    enabled: bool | None = None


class WebhookOut(Schema):
    """A webhook and how it fares; `failing_since` while nothing arrives."""

    id: UUID
    url: str
    events: list[str]
    enabled: bool
    disabled_because: str
    failing_since: datetime | None
    created_at: datetime


class WebhookMade(WebhookOut):
    """A webhook with its secret, which is said once."""

    secret: str


class WebhookPage(Schema):
    """Some webhooks, newest first; `next_cursor` continues, empty at the end."""

    items: list[WebhookOut]
    next_cursor: str


class DeliveryOut(Schema):
    """One event sent to a webhook; `webhook_id` is the header, the same on every try."""

    id: UUID
    event: str
    webhook_id: UUID
    attempts: int
    made_at: datetime
    tried_at: datetime | None
    next_at: datetime | None
    delivered_at: datetime | None
    last_status: int | None
    last_error: str


class DeliveryPage(Schema):
    """Some deliveries, newest first; `next_cursor` continues, empty at the end."""

    items: list[DeliveryOut]
    next_cursor: str


class Asked(Schema):
    """The delivery that is on its way."""

    id: UUID


@router.post("", response={201: WebhookMade, **PROBLEMS})
def add_webhook(request: ClientRequest, payload: WebhookIn) -> Status[WebhookMade]:
    """Have events sent elsewhere; the answer holds the secret, and no other ever does."""
    made, secret = hooking.add(
        actor=request.actor, url=payload.url, events=payload.events, now=datetime.now(UTC)
    )
    return Status(201, WebhookMade(**_out(made).model_dump(), secret=secret))


@router.get("", response={200: WebhookPage, **PROBLEMS})
def list_webhooks(
    request: ClientRequest, cursor: str = "", limit: Annotated[int, Query(ge=1, le=100)] = 50
) -> WebhookPage:
    """List the workspace's webhooks, newest first."""
    rows = queries.webhooks(request.actor.workspace_id)
    found = page(rows, by="created_at", cursor=cursor, size=limit)
    return WebhookPage(items=[_out(row) for row in found.rows], next_cursor=found.next_cursor)


@router.get("/{webhook_id}", response={200: WebhookOut, **PROBLEMS})
def show_webhook(request: ClientRequest, webhook_id: UUID) -> WebhookOut:
    """Show one webhook."""
    return _out(queries.webhook(request.actor.workspace_id, webhook_id))


@router.patch("/{webhook_id}", response={200: WebhookOut, **PROBLEMS})
def change_webhook(request: ClientRequest, webhook_id: UUID, payload: WebhookChange) -> WebhookOut:
    """Let a webhook hear other events, or switch it off or on."""
    hooking.adjust(
        actor=request.actor,
        webhook_id=webhook_id,
        events=payload.events,
        enabled=payload.enabled,
        now=datetime.now(UTC),
    )
    return _out(queries.webhook(request.actor.workspace_id, webhook_id))


@router.delete("/{webhook_id}", response={204: None, **PROBLEMS})
def remove_webhook(request: ClientRequest, webhook_id: UUID) -> Status[None]:
    """Take a webhook away; its secret is forgotten."""
    hooking.remove(actor=request.actor, webhook_id=webhook_id, now=datetime.now(UTC))
    return Status(204, None)


@router.post("/{webhook_id}/rotate", response={200: WebhookMade, **PROBLEMS})
def rotate_webhook(request: ClientRequest, webhook_id: UUID) -> WebhookMade:
    """Give a webhook a new secret; for a day the one before signs, too."""
    row, secret = hooking.rotate(actor=request.actor, webhook_id=webhook_id, now=datetime.now(UTC))
    return WebhookMade(**_out(row).model_dump(), secret=secret)


@router.post("/{webhook_id}/test", response={202: Asked, **PROBLEMS})
def test_webhook(request: ClientRequest, webhook_id: UUID) -> Status[Asked]:
    """Send a test event."""
    made = send_test(actor=request.actor, webhook_id=webhook_id, now=datetime.now(UTC))
    return Status(202, Asked(id=made))


@router.get("/{webhook_id}/deliveries", response={200: DeliveryPage, **PROBLEMS})
def list_deliveries(
    request: ClientRequest,
    webhook_id: UUID,
    cursor: str = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> DeliveryPage:
    """List what was sent to a webhook, newest first."""
    workspace_id = request.actor.workspace_id
    queries.webhook(workspace_id, webhook_id)
    rows = queries.deliveries(workspace_id, webhook_id)
    found = page(rows, by="made_at", cursor=cursor, size=limit)
    return DeliveryPage(items=[_sent(row) for row in found.rows], next_cursor=found.next_cursor)


@router.post("/{webhook_id}/deliveries/{delivery_id}/redeliver", response={202: Asked, **PROBLEMS})
def redeliver_delivery(
    request: ClientRequest, webhook_id: UUID, delivery_id: UUID
) -> Status[Asked]:
    """Send a delivery again: the same bytes under the same webhook-id."""
    redeliver(
        actor=request.actor,
        webhook_id=webhook_id,
        delivery_id=delivery_id,
        now=datetime.now(UTC),
    )
    return Status(202, Asked(id=delivery_id))


def _out(row: "Webhook") -> WebhookOut:
    return WebhookOut(
        id=row.id,
        url=row.url,
        events=row.events,
        enabled=row.disabled_at is None,
        disabled_because=row.disabled_because,
        failing_since=row.failing_since,
        created_at=row.created_at,
    )


def _sent(row: "Delivery") -> DeliveryOut:
    return DeliveryOut(
        id=row.id,
        event=row.event,
        webhook_id=row.event_id,
        attempts=row.attempts,
        made_at=row.made_at,
        tried_at=row.tried_at,
        next_at=row.next_at,
        delivered_at=row.delivered_at,
        last_status=row.last_status,
        last_error=row.last_error,
    )
