"""Who wants to hear what, and what has become of it?"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery

from console.access.models import Membership
from console.errors import NotFound
from console.notices.models import Delivery, Event, Mail, Notice, Preference, Webhook
from console.notices.schedule import DIGEST_HOUR

# A mail tells of what is new; where none went out for so long, the queue says it better.
OLDEST_TOLD = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Choice:
    """How a person wants to be told."""

    chosen: Mapping[str, str]
    digest_hour: int = DIGEST_HOUR
    zone: str = "UTC"


def choice_of(workspace_id: UUID, person_id: UUID) -> Choice:
    """Return how a person chose to be told, or how people are told who did not."""
    row = Preference.objects.filter(workspace=workspace_id, person=person_id).first()
    return Choice(row.chosen, row.digest_hour, row.zone) if row else Choice({})


def chosen_by(workspace_id: UUID, people: Sequence[UUID]) -> dict[UUID, Mapping[str, str]]:
    """Return which way people chose for which group, by person; who has left is not in it.

    One query, because deciding waits for it.
    """
    made = Preference.objects.filter(workspace=workspace_id, person=OuterRef("person_id"))
    there = Membership.objects.filter(
        workspace=workspace_id, person__in=people, person__is_active=True
    )
    rows = there.annotate(chosen=Subquery(made.values("chosen")))
    return {person: chosen or {} for person, chosen in rows.values_list("person_id", "chosen")}


def webhooks_hearing(workspace_id: UUID, event: str) -> list[UUID]:
    """Return the webhooks in force that listen to an event."""
    rows = Webhook.objects.filter(
        workspace=workspace_id, removed_at=None, disabled_at=None, events__contains=[event]
    )
    return list(rows.values_list("id", flat=True))


def webhooks(workspace_id: UUID) -> QuerySet[Webhook]:
    """Return a workspace's webhooks with their makers."""
    rows = Webhook.objects.filter(workspace=workspace_id, removed_at=None)
    return rows.select_related("made_by")


def webhook(workspace_id: UUID, webhook_id: UUID) -> Webhook:
    """Return one webhook. Raises: NotFound (404)."""
    found = webhooks(workspace_id).filter(id=webhook_id).first()
    if found is None:
        raise NotFound
    return found


def deliveries(workspace_id: UUID, webhook_id: UUID) -> QuerySet[Delivery]:
    """Return what was sent to a webhook, without the bytes."""
    return Delivery.objects.filter(workspace=workspace_id, webhook=webhook_id).defer("body")


def notices(workspace_id: UUID, person_id: UUID) -> QuerySet[Notice]:
    """Return what a person was told, with what it was about."""
    rows = Notice.objects.filter(workspace=workspace_id, person=person_id)
    return rows.select_related("event", "mail")


def told(event: str, about: Collection[tuple[UUID, str]]) -> set[tuple[str, str]]:
    """Return which occasions of these subjects, each with its workspace, were told before."""
    rows = Event.objects.filter(
        workspace__in={workspace_id for workspace_id, _ in about},
        subject__in={subject for _, subject in about},
        name=event,
    )
    return set(rows.values_list("subject", "occasion"))


def has_mail(now: datetime) -> bool:
    """Tell whether there is something to mail: a mail that is due, or a notice in none yet."""
    waiting = Notice.objects.filter(mail=None, made_at__gt=now - OLDEST_TOLD).exclude(how="off")
    return Mail.objects.filter(next_at__lte=now).exists() or waiting.exists()


def has_deliveries(now: datetime) -> bool:
    """Tell whether something is to be sent to a webhook now."""
    return Delivery.objects.filter(next_at__lte=now, webhook__disabled_at=None).exists()
