"""Take from an agent's memory what should not be in it any more: one snapshot, one way back."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import OperationalError, transaction

from agents import memory
from agents.memory import Verdict
from agents.models import MemoryUse
from agents.queries import memory as memories
from agents.queries.memory import Review
from console.access.rights import allows
from console.actors import Actor, system
from console.canonical import Json
from console.errors import Conflict, Forbidden
from console.ids import new_id
from console.ledger.operations.appending import append
from snapshots.operations.committing import Cause, commit, lock
from snapshots.queries.holds import marked
from snapshots.queries.walking import states_after

logger = logging.getLogger(__name__)

# What a line of the ledger names; the snapshot has them all.
_NAMED_AT_MOST = 100
BATCH = 50
# Whoever walks has other duties; a large record may take a good part of this by itself.
TURN_SECONDS = 1.0


class MemoryHeld(Conflict):
    """This memory is under a legal hold, so nothing is taken from it."""

    code = "memory_held"


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep took, or would take: the entries with their reasons, and the snapshot made."""

    state_id: UUID
    key: str
    held: int
    verdicts: dict[str, Verdict]
    snapshot: int | None = None


def sweep(*, actor: Actor, state_id: UUID, now: datetime) -> Swept:
    """Take every entry that has a verdict; where there is none, nothing is written.

    Locks: the memory's State row.
    Raises: NotFound (404), Forbidden (403), MemoryHeld (409), Busy (409).
    """
    if actor.kind != "system" and not allows(actor.roles, "operate"):
        raise Forbidden("Only an engineer or an admin may sweep a memory.")
    with transaction.atomic():
        found = memories.head(actor.workspace_id, state_id)
        seen = memories.review(lock(found.workspace_id, found.state_id), now=now)
        if is_held(found.workspace_id, state_id):
            raise MemoryHeld
        if not seen.verdicts:
            return _swept(seen)
        number = _take(actor, seen, now)
    return _swept(seen, number)


def look(*, workspace_id: UUID, state_id: UUID, now: datetime) -> Swept:
    """Say what a sweep would take now; nothing is changed. Raises: NotFound (404)."""
    return _swept(memories.review(memories.head(workspace_id, state_id), now=now))


def is_held(workspace_id: UUID, state_id: UUID) -> bool:
    """Say whether a whole State is under a legal hold."""
    return marked(workspace_id, state_id).get(None) == "held"


def sweep_some(*, after: UUID | None, at_most: int = BATCH, now: datetime) -> UUID | None:
    """Sweep the next memories on a walk through all; return where it goes on, or nothing."""
    batch = states_after(after, at_most=at_most, kind="memory")
    over = time.monotonic() + TURN_SECONDS
    for place, (workspace_id, state_id) in enumerate(batch, start=1):
        _calmly(workspace_id, state_id, now)
        if time.monotonic() > over or place == at_most:
            return state_id
    return None


def _take(actor: Actor, seen: Review, now: datetime) -> int:
    taken = [*seen.verdicts]
    said = memory.told(seen.verdicts)
    snapshot = commit(
        actor=actor,
        base=seen.head,
        changes=memory.removing(seen.document, taken),
        cause=Cause("sweep", str(new_id())),
        reason=f"Swept {said}",
        now=now,
    )
    _forget_uses(seen.head.state_id, taken)
    body: dict[str, Json] = {
        "snapshot": snapshot.number,
        "taken": {**memory.counts(seen.verdicts)},
        "entries": [*taken[:_NAMED_AT_MOST]],
        "more": max(0, len(taken) - _NAMED_AT_MOST),
    }
    append(actor, "memory.swept", f"state:{seen.head.state_id}", body)
    return snapshot.number


def _forget_uses(state_id: UUID, taken: Sequence[str]) -> None:
    rows = MemoryUse.objects.filter(state=state_id, entry__in=taken)
    # Locked in the order in which a recall writes them, or the two could wait for each other.
    list(rows.select_for_update().order_by("entry").values_list("entry"))
    rows.delete()


def _calmly(workspace_id: UUID, state_id: UUID, now: datetime) -> None:
    """Sweep one memory; what is wrong with it must not keep the sweep from the others."""
    try:
        if look(workspace_id=workspace_id, state_id=state_id, now=now).verdicts:
            sweep(actor=system("memory-sweep", workspace_id), state_id=state_id, now=now)
    except OperationalError:
        raise
    except MemoryHeld:
        logger.info("memory %s is under a legal hold", state_id)
    except Exception as error:  # noqa: BLE001  (told in the log, and looked at again next time)
        logger.warning("memory %s not swept: %s: %s", state_id, type(error).__name__, error)


def _swept(seen: Review, number: int | None = None) -> Swept:
    head = seen.head
    return Swept(head.state_id, head.key, len(seen.entries), dict(seen.verdicts), number)
