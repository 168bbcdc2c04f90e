"""Put a past action with one wrong value before a reviewer, to see whether people still look."""

import secrets
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from approvals import canaries, queries
from approvals.models import Canary
from approvals.policy import rank
from approvals.queries import attention
from approvals.queries import canaries as planted
from console.actors import system
from console.canonical import Json
from console.ledger.operations.appending import append
from console.live import ring
from snapshots.diff import Change

LIVES = timedelta(hours=24)
UNSEEN = "unseen"


def plant_due(*, now: datetime, at_most: int = 20) -> int:
    """Plant one for everybody who has decided often enough since their last; return how many.

    How often is `CANARY_EVERY` decisions at the levels that are looked at, 0 for never.
    """
    every: int = settings.CANARY_EVERY
    if not every:
        return 0
    due = attention.due_for_a_canary(every=every, now=now, at_most=at_most)
    return sum(plant(workspace_id=ws, person_id=who, now=now) is not None for ws, who in due)


def plant(*, workspace_id: UUID, person_id: UUID, now: datetime) -> UUID | None:
    """Plant one canary for a person and return its id, or nothing where no action is fit for it.

    One waits for a person at a time. Its time is no deadline of anything: it just goes away.
    """
    for source_id in _shuffled(planted.sources(workspace_id, person_id)):
        proposal, revision = planted.source(workspace_id, source_id)
        changes = [Change.from_json(item) for item in revision.changes]
        fields = queries.fields_of(proposal.action_type)
        altered = canaries.mutation(changes, fields, secrets.token_hex(8))
        if altered is None:
            continue
        ends_at = now + LIVES
        row = Canary(
            workspace_id=workspace_id,
            person_id=person_id,
            policy=proposal.policy,
            level=proposal.level,
            rank=rank(proposal.risk, int(ends_at.timestamp())),
            shown=planted.shown(proposal, revision, altered),
            path=altered.path,
            what=f"{altered.label}: {altered.before} was made {altered.after}."[:500],
            planted_at=now,
            ends_at=ends_at,
        )
        return _keep(row)
    return None


def _shuffled(found: list[UUID]) -> list[UUID]:
    # Whoever could guess which action comes back would know it when it does.
    return secrets.SystemRandom().sample(found, len(found))


def _keep(row: Canary) -> UUID | None:
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            body: dict[str, Json] = {"level": row.level}
            append(system("attention", row.workspace_id), "canary.planted", "canaries", body)
            ring("queue", row.workspace_id)
    except IntegrityError:
        # One waits already: the other timer was faster.
        return None
    return row.id


def let_go(*, now: datetime) -> int:
    """Take away what nobody has opened in its time; it counts neither as found nor as missed."""
    rows = Canary.objects.filter(answered_at=None, ends_at__lte=now)
    return rows.update(choice=UNSEEN, answered_at=now)
