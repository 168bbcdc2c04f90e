"""Stop an agent: end what it takes part in, and let it do nothing until a person resumes it."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from agents import lifecycle
from agents.models import Agent, Run
from agents.operations.ending import end
from agents.operations.pausing import checked, hold, locked, mark, tell
from console.actors import Actor
from console.ledger.operations.appending import append

_AT_ONCE = 50


def stop(*, actor: Actor, name: str, reason: str, now: datetime) -> bool:
    """Stop an agent and end its open runs; say whether this call stopped it.

    All of its runs stand still in one transaction; then they are ended, some at a time, so that
    no lock is held for long. Asked again after a crash, it ends what is left.
    Locks: the workspace, the agent, then its open runs by id.
    Raises: Forbidden (403), NotFound (404), ReasonUnusable (422).
    """
    reason = checked(actor, reason)
    with transaction.atomic():
        agent = locked(actor.workspace_id, name)
        is_new = agent.status != "stopped"
        if is_new:
            mark(agent, "stopped", actor, reason, now)
        because = lifecycle.told(f"{agent.status_by} stopped {name}", agent.status_reason)
        held = _hold_all(agent, because)
        if is_new:
            append(actor, "agent.stopped", agent.ref, {"reason": reason, "runs": len(held)})
        tell(actor.workspace_id, held)
    _end_all(actor, held, because, now)
    return is_new


def _hold_all(agent: Agent, because: str) -> list[UUID]:
    # Who takes part only since it was stopped has done nothing and waits for it to be resumed.
    rows = Run.objects.filter(
        participations__agent=agent,
        participations__since__lte=agent.status_at,
        status__in=[*lifecycle.MOVING, "paused"],
    )
    return hold(rows, because)


def _end_all(actor: Actor, runs: Sequence[UUID], because: str, now: datetime) -> None:
    for some in _stretches(runs):
        with transaction.atomic():
            rows = Run.objects.select_for_update(no_key=True).filter(id__in=some, status="paused")
            for run in rows.order_by("id"):
                end(
                    run,
                    "terminated",
                    actor=actor,
                    now=now,
                    problem_code="agent_stopped",
                    problem=because,
                )


def _stretches(runs: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    for first in range(0, len(runs), _AT_ONCE):
        yield runs[first : first + _AT_ONCE]
