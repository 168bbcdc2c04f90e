"""Send something to a webhook because a person asks for it: again, or to see whether it arrives."""

from datetime import UTC, datetime
from uuid import UUID

import orjson
from django.db import transaction

from console.actors import Actor
from console.doorbell.operations.ringing import ring_task
from console.errors import Conflict, NotFound
from console.ids import new_id
from console.ledger.operations.appending import append
from console.notices.events import TEST
from console.notices.models import Delivery, Webhook
from console.notices.operations.hooking import locked, refuse_unless_allowed
from console.notices.operations.noticing import DELIVER


class WebhookOff(Conflict):
    """This webhook is switched off; switch it on before anything is sent."""

    code = "webhook_off"


def redeliver(*, actor: Actor, webhook_id: UUID, delivery_id: UUID, now: datetime) -> None:
    """Send a delivery again: the same bytes, the same webhook-id, all tries anew.

    Raises: Forbidden (403), NotFound (404), WebhookOff (409).
    """
    refuse_unless_allowed(actor)
    with transaction.atomic():
        webhook = _switched_on(actor, webhook_id)
        rows = Delivery.objects.select_for_update(no_key=True).filter(webhook=webhook)
        delivery = rows.filter(id=delivery_id).first()
        if delivery is None:
            raise NotFound
        delivery.next_at, delivery.tries, delivery.delivered_at = now, 0, None
        delivery.save(update_fields=["next_at", "tries", "delivered_at"])
        ring_task(DELIVER)
        body = {"event": delivery.event, "webhook_id": str(delivery.event_id)}
        append(actor, "webhook.redelivered", f"webhook:{webhook.id}", {**body})


def send_test(*, actor: Actor, webhook_id: UUID, now: datetime) -> UUID:
    """Send an event that says nothing, and return the delivery's id.

    Raises: Forbidden (403), NotFound (404), WebhookOff (409).
    """
    refuse_unless_allowed(actor)
    message = {"type": TEST, "timestamp": now.astimezone(UTC).isoformat(), "data": {}}
    with transaction.atomic():
        webhook = _switched_on(actor, webhook_id)
        delivery = Delivery.objects.create(
            workspace_id=webhook.workspace_id,
            webhook=webhook,
            event=TEST,
            event_id=new_id(),
            body=orjson.dumps(message),
            made_at=now,
            next_at=now,
        )
        ring_task(DELIVER)
    return delivery.id


def _switched_on(actor: Actor, webhook_id: UUID) -> Webhook:
    webhook = locked(actor, webhook_id)
    if webhook.disabled_at is not None:
        raise WebhookOff
    return webhook
