"""Take in a change that happened outside: nobody proposed it, and it cannot be refused."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from console.actors import Actor
from snapshots import queries
from snapshots.diff import Change
from snapshots.models import Snapshot
from snapshots.operations.committing import Cause, commit, lock


def observe(
    *,
    actor: Actor,
    state_id: UUID,
    changes: list[Change],
    cause_id: str,
    reason: str,
    now: datetime,
) -> Snapshot:
    """Record an outside change as the newest snapshot; the same cause twice is once.

    Locks: the state row. Raises: NotFound (404), DoesNotFit.
    """
    with transaction.atomic():
        base = lock(actor.workspace_id, state_id)
        known = queries.by_cause(state_id, "outside", cause_id)
        if known is not None:
            return known
        return commit(
            actor=actor,
            base=base,
            changes=changes,
            cause=Cause("outside", cause_id),
            reason=reason,
            now=now,
        )
