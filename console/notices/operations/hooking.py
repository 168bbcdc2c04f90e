"""Have events sent elsewhere, and stop it: add, change, switch off and on, remove a webhook."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from console.access.rights import allows
from console.access.sealing import seal
from console.actors import Actor
from console.canonical import Json
from console.errors import Forbidden, Invalid, NotFound
from console.ledger.operations.appending import append
from console.notices.events import unknown
from console.notices.models import Webhook
from console.notices.operations.ending import host_of, switch_off
from console.notices.signing import new_secret
from console.reaching.targets import BadTarget, reach, target

WEBHOOKS_AT_MOST = 20
ROTATION = timedelta(hours=24)


class WebhookUnusable(Invalid):
    """This webhook cannot be kept as asked."""

    code = "webhook_invalid"


def add(*, actor: Actor, url: str, events: Sequence[str], now: datetime) -> tuple[Webhook, str]:
    """Keep a new webhook and return it with its secret, which is shown once.

    Raises: Forbidden (403), WebhookUnusable (422).
    """
    refuse_unless_allowed(actor)
    _check_url(url)
    wanted = _checked_events(events)
    secret = new_secret()
    with transaction.atomic():
        _refuse_if_many(actor)
        webhook = Webhook.objects.create(
            workspace_id=actor.workspace_id,
            url=url,
            events=wanted,
            secret=_sealed(secret),
            made_by_id=UUID(actor.id),
            created_at=now,
        )
        _append(actor, "webhook.added", webhook, events=[*wanted])
    return webhook, secret


def change(*, actor: Actor, webhook_id: UUID, events: Sequence[str], now: datetime) -> Webhook:
    """Let a webhook hear other events.

    Raises: Forbidden (403), NotFound (404), WebhookUnusable (422).
    """
    refuse_unless_allowed(actor)
    wanted = _checked_events(events)
    with transaction.atomic():
        webhook = locked(actor, webhook_id)
        if webhook.events != wanted:
            webhook.events = wanted
            webhook.save(update_fields=["events"])
            _append(actor, "webhook.changed", webhook, events=[*wanted])
    return webhook


def adjust(
    *,
    actor: Actor,
    webhook_id: UUID,
    events: Sequence[str] | None,
    enabled: bool | None,
    now: datetime,
) -> None:
    """Change what was said about a webhook, all of it or nothing.

    Raises: Forbidden (403), NotFound (404), WebhookUnusable (422).
    """
    with transaction.atomic():
        if events is not None:
            change(actor=actor, webhook_id=webhook_id, events=events, now=now)
        if enabled is not None:
            switch = enable if enabled else disable
            switch(actor=actor, webhook_id=webhook_id, now=now)


def rotate(*, actor: Actor, webhook_id: UUID, now: datetime) -> tuple[Webhook, str]:
    """Give a webhook a new secret and return it; for a day the one before signs, too.

    Raises: Forbidden (403), NotFound (404).
    """
    refuse_unless_allowed(actor)
    secret = new_secret()
    with transaction.atomic():
        webhook = locked(actor, webhook_id)
        webhook.earlier_secret, webhook.earlier_until = webhook.secret, now + ROTATION
        webhook.secret = _sealed(secret)
        webhook.save(update_fields=["secret", "earlier_secret", "earlier_until"])
        _append(actor, "webhook.rotated", webhook)
    return webhook, secret


def disable(*, actor: Actor, webhook_id: UUID, now: datetime) -> Webhook:
    """Switch a webhook off; twice is once. Raises: Forbidden (403), NotFound (404)."""
    refuse_unless_allowed(actor)
    with transaction.atomic():
        webhook = locked(actor, webhook_id)
        if webhook.disabled_at is None:
            switch_off(webhook, because=f"{actor.name} switched it off."[:300], now=now)
            _append(actor, "webhook.disabled", webhook)
    return webhook


def enable(*, actor: Actor, webhook_id: UUID, now: datetime) -> Webhook:
    """Switch a webhook on again; what it did not hear meanwhile is not sent.

    Raises: Forbidden (403), NotFound (404).
    """
    refuse_unless_allowed(actor)
    with transaction.atomic():
        webhook = locked(actor, webhook_id)
        if webhook.disabled_at is not None:
            webhook.disabled_at, webhook.disabled_because = None, ""
            webhook.failing_since = None
            webhook.save(update_fields=["disabled_at", "disabled_because", "failing_since"])
            _append(actor, "webhook.enabled", webhook)
    return webhook


def remove(*, actor: Actor, webhook_id: UUID, now: datetime) -> None:
    """Take a webhook away; its secret is forgotten. Raises: Forbidden (403), NotFound (404)."""
    refuse_unless_allowed(actor)
    with transaction.atomic():
        webhook = locked(actor, webhook_id)
        if webhook.disabled_at is None:
            switch_off(webhook, because=f"{actor.name} removed it."[:300], now=now)
        webhook.removed_at, webhook.secret = now, ""
        webhook.earlier_secret, webhook.earlier_until = "", None
        webhook.save(update_fields=["removed_at", "secret", "earlier_secret", "earlier_until"])
        _append(actor, "webhook.removed", webhook)


def refuse_unless_allowed(actor: Actor) -> None:
    """Refuse who may not have events sent elsewhere. Raises: Forbidden (403)."""
    if actor.kind != "person" or not allows(actor.roles, "webhooks"):
        raise Forbidden("Only engineers and admins may have events sent elsewhere.")


def locked(actor: Actor, webhook_id: UUID) -> Webhook:
    """Return the actor's webhook, locked until the transaction ends. Raises: NotFound (404)."""
    rows = Webhook.objects.select_for_update(no_key=True).filter(
        workspace_id=actor.workspace_id, removed_at=None
    )
    webhook = rows.filter(id=webhook_id).first()
    if webhook is None:
        raise NotFound
    return webhook


def _check_url(url: str) -> None:
    try:
        target(url, reach(settings.WEBHOOK_NETWORKS, settings.WEBHOOK_PORTS))
    except BadTarget as refused:
        raise WebhookUnusable(refused.sentence, field="url") from refused


def _checked_events(events: Sequence[str]) -> list[str]:
    wanted = sorted(set(events))
    if not wanted:
        raise WebhookUnusable("A webhook hears at least one event.", field="events")
    if strangers := unknown(wanted):
        raise WebhookUnusable(f"There is no event {strangers[0]!r}.", field="events")
    return wanted


def _refuse_if_many(actor: Actor) -> None:
    rows = Webhook.objects.filter(workspace_id=actor.workspace_id, removed_at=None)
    if rows.count() >= WEBHOOKS_AT_MOST:
        raise WebhookUnusable(f"A workspace has at most {WEBHOOKS_AT_MOST} webhooks.", field="url")


def _sealed(secret: str) -> str:
    return seal(secret, [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS])


def _append(actor: Actor, verb: str, webhook: Webhook, **more: Json) -> None:
    append(actor, verb, f"webhook:{webhook.id}", {"host": host_of(webhook), **more})
