"""Let snapshots go that nobody needs any more: ask everybody first, then thin.

This room may look at everything, so it knows what the floor below cannot: what proposals stand
on, what open runs have read, what a restoration is about to bring back.
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, transaction

from agents.queries import needs
from approvals import queries as approvals
from console.access.models import Workspace
from console.actors import Actor, system
from console.canonical import Json
from console.errors import Refused
from console.ledger import queries as ledger
from console.ledger.operations.appending import append
from snapshots import queries as snapshots
from snapshots.operations.committing import lock
from snapshots.operations.thinning import Thinned, thin
from snapshots.queries import Head, holds
from snapshots.queries.holds import Outlook
from snapshots.queries.walking import states_after
from snapshots.retention import Needed, Policy

logger = logging.getLogger(__name__)

SUBJECT = "retention"
EVERY = timedelta(days=1)
STATES_AT_ONCE = 200
# A person who asks for it waits; what is left is done by the next sweep.
PRESSED_SECONDS = 5.0


@dataclass(slots=True)
class Sweep:
    """What one walk through a workspace did so far."""

    states: int = 0
    let_go: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    readings: int = 0
    refused: list[Json] = field(default_factory=list)

    def add(self, thinned: Thinned) -> None:
        """Count a batch."""
        self.let_go += thinned.let_go
        self.bytes_before += thinned.bytes_before
        self.bytes_after += thinned.bytes_after
        self.readings += thinned.readings

    def refuse(self, state_id: UUID, code: str, says: str) -> None:
        """Name a State that could not be swept."""
        self.refused.append({"state": str(state_id), "code": code, "says": says[:500]})

    def to_json(self) -> dict[str, Json]:
        """Return what the ledger keeps of it."""
        return {
            "states": self.states,
            "let_go": self.let_go,
            "bytes_before": self.bytes_before,
            "bytes_after": self.bytes_after,
            "readings": self.readings,
            "refused": self.refused,
        }


def policy() -> Policy:
    """Return how long things stay in this house."""
    return Policy(settings.RETENTION_ALL, settings.RETENTION_HOURLY)


def needed(head: Head, now: datetime) -> Needed:
    """Return what approvals, open runs and restorations need of a State."""
    workspace_id, state_id = head.workspace_id, head.state_id
    read = needs.read_by_open_runs(workspace_id, state_id)
    found = {**dict.fromkeys(read, "read"), **approvals.stood_on(workspace_id, state_id)}
    return {**needs.restoring(workspace_id, state_id, now), **cast("Needed", found)}


def outlook(workspace_id: UUID, state_id: UUID, *, now: datetime) -> Outlook:
    """Return what the next sweep of a State would do. Raises: NotFound (404)."""
    head = snapshots.head(workspace_id, state_id)
    return holds.outlook(workspace_id, state_id, needed=needed(head, now), policy=policy(), now=now)


def retain(*, actor: Actor, state_id: UUID, now: datetime) -> Thinned:
    """Do the next batch of a State's sweep.

    Locks: the State row. Raises: NotFound (404), Busy (409), Corrupt (500).
    """
    with transaction.atomic():
        head = lock(actor.workspace_id, state_id)
        # Asked under the lock: whoever makes an older snapshot important takes it too.
        wanted = needed(head, now)
        return thin(actor=actor, head=head, needed=wanted, policy=policy(), now=now)


def press(*, actor: Actor, state_id: UUID, now: datetime) -> tuple[Sweep, bool]:
    """Sweep one State because a person asks for it; also say whether something is left to do.

    Raises: NotFound (404), Busy (409), Corrupt (500).
    """
    done = Sweep(states=1)
    deadline = time.monotonic() + PRESSED_SECONDS
    while True:
        thinned = retain(actor=actor, state_id=state_id, now=now)
        done.add(thinned)
        if not thinned.is_more or time.monotonic() > deadline:
            return done, thinned.is_more


def sweep_due(now: datetime) -> Iterator[None]:
    """Sweep every workspace that was not swept for a day; pause after each batch."""
    for workspace in Workspace.objects.order_by("id"):
        if _is_due(workspace.id, now):
            yield from sweep(actor=system("retention", workspace.id), now=now)


def _is_due(workspace_id: UUID, now: datetime) -> bool:
    last = ledger.entries(workspace_id).filter(subject=SUBJECT).order_by("-seq").first()
    return last is None or last.at < now - EVERY


def sweep(*, actor: Actor, now: datetime) -> Iterator[None]:
    """Sweep a workspace's States and write down what was done; pause after each batch.

    A State that cannot be swept is named in the ledger and keeps nobody from the others. Policies
    are passed by: all of their history stays.
    """
    done = Sweep()
    for state_id in _states(actor.workspace_id):
        done.states += 1
        try:
            yield from _sweep_state(actor, state_id, done, now)
        except Refused as refused:
            logger.error("retention of state %s: %s", state_id, refused.sentence)  # noqa: TRY400
            done.refuse(state_id, refused.code, refused.sentence)
        except OperationalError:
            raise
        except Exception:
            # One State that nobody foresaw must not end the sweep of all the others.
            logger.exception("retention of state %s failed", state_id)
            done.refuse(state_id, "unexpected", "It failed; what happened is in the log.")
    with transaction.atomic():
        append(actor, "retention.swept", SUBJECT, done.to_json())


def _states(workspace_id: UUID) -> Iterator[UUID]:
    after: UUID | None = None
    while found := states_after(
        after, at_most=STATES_AT_ONCE, without="policies", workspace_id=workspace_id
    ):
        for _, after in found:
            yield after


def _sweep_state(actor: Actor, state_id: UUID, done: Sweep, now: datetime) -> Iterator[None]:
    is_more = True
    while is_more:
        thinned = retain(actor=actor, state_id=state_id, now=now)
        done.add(thinned)
        is_more = thinned.is_more
        yield
