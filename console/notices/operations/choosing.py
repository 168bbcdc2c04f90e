"""Let a person choose how they are told of what."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db import transaction

from console.actors import Actor
from console.errors import Forbidden, Invalid
from console.notices.events import EVENTS, GROUPS
from console.notices.models import Notice, Preference
from console.notices.schedule import is_zone

HOURS = range(24)


class ChoiceInvalid(Invalid):
    """This choice of notifications cannot be kept."""

    code = "choice_invalid"


def choose(
    *, actor: Actor, chosen: Mapping[str, str], digest_hour: int, zone: str, now: datetime
) -> None:
    """Keep how the actor wants to be told; what waits for a digest follows.

    Raises: Forbidden (403), ChoiceInvalid (422).
    """
    if actor.kind != "person":
        raise Forbidden("Only people are told anything.")
    _check(chosen, digest_hour, zone)
    with transaction.atomic():
        Preference.objects.update_or_create(
            workspace_id=actor.workspace_id,
            person_id=UUID(actor.id),
            defaults={
                "chosen": dict(chosen),
                "digest_hour": digest_hour,
                "zone": zone,
                "changed_at": now,
            },
        )
        _let_go(actor, [group for group, how in chosen.items() if how == "off"])


def _check(chosen: Mapping[str, str], digest_hour: int, zone: str) -> None:
    for group, how in chosen.items():
        if group not in GROUPS or how not in GROUPS[group].choices:
            raise ChoiceInvalid(f"There is no such choice: {how!r} for {group!r}.", field=group)
    if digest_hour not in HOURS:
        raise ChoiceInvalid("A digest goes out at an hour from 0 to 23.", field="digest_hour")
    if not is_zone(zone):
        raise ChoiceInvalid(f"There is no time zone {zone!r}.", field="zone")


def _let_go(actor: Actor, groups: list[str]) -> None:
    events = [name for name, event in EVENTS.items() if event.group in groups]
    Notice.objects.filter(
        workspace=actor.workspace_id, person=UUID(actor.id), mail=None, event__name__in=events
    ).update(how="off")
