"""Stop an agent: end what it takes part in, and let it do nothing until a person resumes it."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from agents import lifecycle, store
from agents.models import Agent, Participation, Run
from agents.operations.ending import end
from agents.operations.pausing import checked, hold, locked, mark, tell
from console.actors import Actor, system
from console.ledger.operations.appending import append
from console.locking import patiently

_AT_ONCE = 50
# After so long nobody is still ending what was held when an agent was stopped.
_LEFT_AFTER = timedelta(minutes=1)


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
            # By the clock that says since when an agent takes part in a run, under its lock.
            mark(agent, "stopped", actor, reason, store.clock())
        because = _because(agent)
        held = hold(_open_runs(agent) if is_new else _left(agent), because)
        if is_new:
            append(actor, "agent.stopped", agent.ref, {"reason": reason, "runs": len(held)})
        tell(actor.workspace_id, held)
    _end_all(actor, held, because, now)
    return is_new


def end_left(*, now: datetime) -> int:
    """End runs that still stand held by an agent that was stopped; return how many were found.

    For the timer: whoever stopped the agent may have died in between.
    Locks: the runs by id, some of them each time. Raises: Busy (409).
    """
    found = 0
    for agent in Agent.objects.filter(status="stopped", status_at__lte=now - _LEFT_AFTER):
        left = _left(agent).filter(workspace=agent.workspace_id, status="paused")
        runs = list(left.order_by("id").values_list("id", flat=True)[:_AT_ONCE])
        _end_all(system("stop", agent.workspace_id), runs, _because(agent), now)
        found += len(runs)
    return found


def _because(agent: Agent) -> str:
    return lifecycle.told(f"{agent.status_by} stopped {agent.name}", agent.status_reason)


def _open_runs(agent: Agent) -> QuerySet[Run]:
    return Run.objects.filter(participations__agent=agent, status__in=[*lifecycle.MOVING, "paused"])


def _left(agent: Agent) -> QuerySet[Run]:
    # Where it takes part only since it was stopped it has done nothing; those wait for a resume.
    since_before = Participation.objects.filter(agent=agent, since__lte=agent.status_at)
    return _open_runs(agent).filter(id__in=since_before.values("run_id"))


def _end_all(actor: Actor, runs: Sequence[UUID], because: str, now: datetime) -> None:
    for some in _stretches(runs):
        with transaction.atomic():
            rows = Run.objects.select_for_update(no_key=True).filter(id__in=some, status="paused")
            with patiently():
                held = list(rows.order_by("id"))
            for run in held:
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
