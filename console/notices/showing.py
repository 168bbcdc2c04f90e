"""What do the pages of webhooks and notifications show?"""

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings

from console.access.rights import allows
from console.actors import Actor
from console.notices import queries
from console.notices.events import EVENTS
from console.notices.operations.ending import host_of
from console.paging import page

if TYPE_CHECKING:
    from console.notices.models import Delivery, Notice, Webhook

LATEST = 20


def preferences(actor: Actor) -> dict[str, Any]:
    """Return what a person was told lately, and whether mail goes out at all."""
    told = queries.notices(actor.workspace_id, UUID(actor.id)).order_by("-made_at", "-id")
    return {
        "notices": [_notice(row) for row in told[:LATEST]],
        "mail_is_sent": bool(settings.EMAIL_URL),
        "may_send": allows(actor.roles, "webhooks"),
    }


def webhooks(workspace_id: UUID, *, cursor: str) -> dict[str, Any]:
    """Return a workspace's webhooks, newest first."""
    found = page(queries.webhooks(workspace_id), by="created_at", cursor=cursor)
    return {
        "webhooks": [_webhook(row) for row in found.rows],
        "cursor": cursor,
        "next_cursor": found.next_cursor,
    }


def webhook(workspace_id: UUID, webhook_id: UUID, *, cursor: str, now: datetime) -> dict[str, Any]:
    """Return one webhook and what was sent to it, newest first. Raises: NotFound (404)."""
    row = queries.webhook(workspace_id, webhook_id)
    found = page(queries.deliveries(workspace_id, webhook_id), by="made_at", cursor=cursor)
    return {
        "webhook": _webhook(row),
        "earlier_until": row.earlier_until if (row.earlier_until or now) > now else None,
        "deliveries": [_delivery(each) for each in found.rows],
        "cursor": cursor,
        "next_cursor": found.next_cursor,
    }


def _webhook(row: "Webhook") -> dict[str, Any]:
    status = "stopped" if row.disabled_at else "warning" if row.failing_since else "active"
    labels = {"stopped": "Switched off", "warning": "Failing", "active": "Active"}
    return {
        "id": row.id,
        "url": row.url,
        "host": host_of(row),
        "events": row.events,
        "made_by": row.made_by.name,
        "created_at": row.created_at,
        "failing_since": row.failing_since,
        "disabled_because": row.disabled_because,
        "is_on": row.disabled_at is None,
        "status": status,
        "label": labels[status],
    }


def _delivery(row: "Delivery") -> dict[str, Any]:
    if row.delivered_at:
        status, label = "succeeded", "Delivered"
    elif row.next_at:
        status, label = "waiting", "Tried again" if row.tries else "On its way"
    else:
        status, label = "failed", "Given up"
    return {
        "id": row.id,
        "event": row.event,
        "event_id": row.event_id,
        "made_at": row.made_at,
        "attempts": row.attempts,
        "next_at": row.next_at if row.tries else None,
        "tried_at": row.tried_at,
        "last_status": row.last_status,
        "last_error": row.last_error,
        "last_answer": row.last_answer,
        "status": status,
        "label": label,
    }


def _notice(row: "Notice") -> dict[str, Any]:
    return {
        "id": row.id,
        "says": EVENTS[row.event.name].one if row.event.name in EVENTS else row.event.name,
        "title": row.event.title,
        "path": row.event.path,
        "made_at": row.made_at,
        "how": row.how,
        "sent_at": row.mail.sent_at if row.mail else None,
        "problem": row.mail.problem if row.mail else "",
    }
