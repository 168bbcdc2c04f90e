"""Say that something happened: who is told of it, and which webhooks hear of it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

import orjson
from django.conf import settings

from console.canonical import Json
from console.doorbell.operations.ringing import ring_task
from console.ids import new_id
from console.notices import queries
from console.notices.events import EVENTS, how_of, tellable
from console.notices.models import Delivery, Event, Notice

MAIL, DELIVER = "notices.mail", "notices.deliver"
TITLE_AT_MOST = 300


def notify(  # noqa: PLR0913  (an event has that many sides)
    *,
    workspace_id: UUID,
    event: str,
    subject_ref: str,
    title: str,
    path: str,
    people: Sequence[UUID],
    now: datetime,
    data: Mapping[str, Json],
    occasion: str = "",
) -> bool:
    """Write who is told of an event and where it is sent, in the caller's transaction.

    Nothing is sent here: what is written goes out after the commit, and not without one. With an
    `occasion`, the same one is told once; then the answer to the second is no. Call it before the
    ledger is appended to, which makes others wait.

    Shape: `path` begins with a slash; `data` has level, status, due_at and their like: what is
    not known to be harmless is dropped, and `title` stays in the house.
    """
    if event not in EVENTS:
        raise KeyError(event)
    found = Event(
        workspace_id=workspace_id,
        name=event,
        subject=subject_ref,
        occasion=occasion or new_id().hex,
        title=title[:TITLE_AT_MOST],
        path=path,
        data=tellable(data),
        made_at=now,
    )
    if not _is_first(found, asked=bool(occasion)):
        return False
    _tell(found, sorted(set(people)))
    _send(found)
    return True


def _is_first(found: Event, *, asked: bool) -> bool:
    Event.objects.bulk_create([found], ignore_conflicts=asked)
    return not asked or Event.objects.filter(id=found.id).exists()


def _tell(event: Event, people: list[UUID]) -> None:
    # Somebody who was let go between two steps of the caller is not told any more.
    chosen = queries.chosen_by(event.workspace_id, people) if people else {}
    notices = [
        Notice(
            workspace_id=event.workspace_id,
            event=event,
            person_id=person,
            how=how_of(event.name, ways),
            made_at=event.made_at,
        )
        for person, ways in chosen.items()
    ]
    Notice.objects.bulk_create(notices)
    if any(notice.how == "immediate" for notice in notices):
        ring_task(MAIL)


def _send(event: Event) -> None:
    wanted = queries.webhooks_hearing(event.workspace_id, event.name)
    if not wanted:
        return
    body = body_of(event)
    Delivery.objects.bulk_create(
        Delivery(
            workspace_id=event.workspace_id,
            webhook_id=webhook_id,
            event=event.name,
            event_id=event.id,
            body=body,
            made_at=event.made_at,
            next_at=event.made_at,
        )
        for webhook_id in wanted
    )
    ring_task(DELIVER)


def body_of(event: Event) -> bytes:
    """Return the message of an event: what it is about, how it stands, where to look."""
    kind, _, name = event.subject.partition(":")
    about: dict[str, Json] = {kind: name} if kind and name else {}
    message = {
        "type": event.name,
        "timestamp": event.made_at.astimezone(UTC).isoformat(),
        "data": {**event.data, **about, "url": f"{settings.PUBLIC_URL}{event.path}"},
    }
    return orjson.dumps(message)
