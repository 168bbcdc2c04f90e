"""Switch a webhook off that nobody listens to, and say so."""

from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from django.urls import reverse

from console.access.models import Workspace
from console.access.queries import people_with_role
from console.actors import system
from console.ledger.operations.appending import append
from console.notices.models import Delivery, Webhook
from console.notices.operations.noticing import notify

SWITCHED_OFF = "The webhook was switched off."


def end(webhook: Webhook, *, because: str, now: datetime) -> None:
    """Switch a locked webhook off, alarm its maker and the admins; part of a transaction."""
    switch_off(webhook, because=because, now=now)
    slug = Workspace.objects.values_list("slug", flat=True).get(id=webhook.workspace_id)
    notify(
        workspace_id=webhook.workspace_id,
        event="webhook.ended",
        subject_ref=f"webhook:{webhook.id}",
        title=host_of(webhook),
        path=reverse("notices:webhook", args=[slug, webhook.id]),
        people=_answerable(webhook),
        now=now,
        data={},
    )
    actor = system("courier", webhook.workspace_id)
    body = {"host": host_of(webhook), "reason": because}
    append(actor, "webhook.ended", f"webhook:{webhook.id}", {**body})


def switch_off(webhook: Webhook, *, because: str, now: datetime) -> None:
    """Let a locked webhook hear nothing any more; what waits for it is not sent."""
    webhook.disabled_at, webhook.disabled_because = now, because
    webhook.save(update_fields=["disabled_at", "disabled_because"])
    waiting = Delivery.objects.filter(webhook=webhook, next_at__isnull=False)
    waiting.update(next_at=None, last_error=SWITCHED_OFF)


def host_of(webhook: Webhook) -> str:
    """Return what may be said of an address: the rest of it may be a secret."""
    return urlsplit(webhook.url).hostname or ""


def _answerable(webhook: Webhook) -> list[UUID]:
    admins = [person.id for person, _ in people_with_role(webhook.workspace_id, ["admin"])]
    return [*admins, webhook.made_by_id]
