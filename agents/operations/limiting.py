"""Say from where on the drift of a State is too much."""

import math
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from django.db import transaction

from agents.drifting import Limits
from agents.models import DriftLimit
from console.access.rights import allows
from console.actors import Actor
from console.canonical import Json
from console.errors import Forbidden, Invalid
from console.ledger.operations.appending import append
from console.live import ring
from snapshots.operations.committing import lock

_LARGEST = 10**15


class LimitInvalid(Invalid):
    """A limit is a number that is not below zero, and a share is at most 1."""

    code = "limit_invalid"


def limit(*, actor: Actor, state_id: UUID, limits: Limits | None, now: datetime) -> None:
    """Give a State limits of its own, or those of everybody again.

    What is over them is told, and its agents are paused, at the next measurement.
    Locks: the State row. Raises: NotFound (404), Forbidden (403), LimitInvalid (422).
    """
    if not allows(actor.roles, "administer"):
        raise Forbidden("Only an admin may set limits.")
    if limits:
        _check(limits)
    with transaction.atomic():
        lock(actor.workspace_id, state_id)
        if limits is None:
            DriftLimit.objects.filter(state=state_id).delete()
        else:
            _write(actor, state_id, limits, now)
        body: dict[str, Json] = {"limits": _told(limits) if limits else None}
        append(actor, "drift.limited", f"state:{state_id}", body)
        ring("drift", actor.workspace_id)
        ring("drift", state_id)


def _check(limits: Limits) -> None:
    for name, most in asdict(limits).items():
        highest = 1 if name.endswith("_share") else _LARGEST
        # Not a number is not between anything either.
        if most is not None and not 0 <= most <= highest:
            raise LimitInvalid(field=name)
    if limits.differing is not None and limits.differing != math.floor(limits.differing):
        raise LimitInvalid("Fields are counted in whole numbers.", field="differing")
    if limits.differing is not None and limits.differing >= 2**31:
        raise LimitInvalid("No record has so many fields.", field="differing")


def _write(actor: Actor, state_id: UUID, limits: Limits, now: datetime) -> None:
    DriftLimit.objects.update_or_create(
        state_id=state_id,
        defaults={
            **asdict(limits),
            "workspace_id": actor.workspace_id,
            "actor": actor.to_json(),
            "changed_at": now,
        },
    )


def _told(limits: Limits) -> dict[str, Json]:
    # Written as people do: a ledger holds no fractions that two programs could write differently.
    return {name: f"{most:g}" for name, most in asdict(limits).items() if most is not None}
