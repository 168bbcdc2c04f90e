"""Pause an agent and let it go on: what it takes part in stands still, and nothing is lost."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from agents import lifecycle, store
from agents.models import Agent, Participation, Run
from agents.operations.waking import wake_if_final
from approvals.policy import says_something
from console.access.models import Workspace
from console.access.rights import allows
from console.actors import Actor
from console.canonical import Json
from console.doorbell.operations.ringing import ring_task
from console.errors import Forbidden, Invalid, NotFound
from console.ledger.operations.appending import append
from console.live import ring
from console.locking import patiently

REASON_AT_MOST = 300
# Of more runs than this at once, open pages learn at their next heartbeat.
_TOLD_AT_MOST = _AT_ONCE = 500


class ReasonUnusable(Invalid):
    """A reason is a sentence of at most 300 characters."""

    code = "reason_required"


def pause(*, actor: Actor, name: str, reason: str, now: datetime) -> bool:
    """Let an agent do nothing more until it is resumed; say whether this call changed that.

    Its open runs stand still: a worker in the middle of one is fenced off at its next statement.
    Locks: the workspace, the agent, then its open runs by id.
    Raises: Forbidden (403), NotFound (404), ReasonUnusable (422).
    """
    reason = checked(actor, reason)
    with transaction.atomic():
        agent = locked(actor.workspace_id, name)
        if "paused" not in lifecycle.AGENT_MOVES[agent.status]:
            return False
        mark(agent, "paused", actor, reason, now)
        held = hold(_open_runs(agent), _sentence(agent))
        append(actor, "agent.paused", agent.ref, {"reason": reason, "runs": len(held)})
        tell(actor.workspace_id, held)
    return True


def resume(*, actor: Actor, name: str, reason: str = "", now: datetime) -> bool:
    """Let a paused or stopped agent work again; say whether this call changed that.

    Its runs go on where they were, unless another agent of theirs is held. A run that waited for
    a decision waits again, or is queued if the decision has fallen meanwhile. Holding is for
    programs too; letting go on is for people.
    Locks: the workspace, the agent, then its paused runs by id.
    Raises: Forbidden (403), NotFound (404).
    """
    reason = checked(actor, reason or "Resumed")
    if actor.kind == "client":
        raise Forbidden("Only a person may resume an agent; no token can.")
    with transaction.atomic():
        agent = locked(actor.workspace_id, name)
        if agent.status == "active":
            return False
        if agent.status == "stopped" and actor.kind != "person":
            raise Forbidden("Only a person may resume an agent that was stopped.")
        before = agent.status
        mark(agent, "active", actor, reason, now)
        freed = go_on(Run.objects.filter(id__in=_of(agent), status="paused"))
        body: dict[str, Json] = {"reason": reason, "was": before, "runs": len(freed)}
        append(actor, "agent.resumed", agent.ref, body)
        tell(actor.workspace_id, [run_id for run_id, _ in freed])
    wake_freed(freed)
    return True


def checked(actor: Actor, reason: str) -> str:
    """Return the reason as it is kept. Raises: Forbidden (403), ReasonUnusable (422)."""
    # What a token may do is asked at the door; what the system does, no person asked for.
    if actor.kind not in {"client", "system"} and not allows(actor.roles, "operate"):
        raise Forbidden("Only engineers and admins may pause, resume or stop agents.")
    return usable_reason(reason, REASON_AT_MOST)


def usable_reason(reason: str, at_most: int) -> str:
    """Return the reason without space around it. Raises: ReasonUnusable (422)."""
    reason = reason.strip()
    if not says_something(reason) or "\x00" in reason or len(reason) > at_most:
        raise ReasonUnusable(f"Say why, in 1 to {at_most} characters.", field="reason")
    return reason


def locked(workspace_id: UUID, name: str) -> Agent:
    """Return an agent that nobody else holds, resumes or meets until the transaction ends.

    Locks: the workspace's row, because two agents of one run may be resumed at the same moment,
    then the agent's row, against workers too. Raises: NotFound (404), Busy (409).
    """
    lock_workspace(workspace_id)
    with patiently():
        rows = Agent.objects.select_for_update().filter(workspace=workspace_id, name=name)
        agent = rows.first()
    if agent is None:
        raise NotFound("No agent of this name has worked here.")
    return agent


def lock_workspace(workspace_id: UUID) -> None:
    """Let one person at a time say who may work in a workspace. Raises: Busy (409)."""
    with patiently():
        Workspace.objects.select_for_update(no_key=True).only("id").get(id=workspace_id)


def mark(agent: Agent, status: str, actor: Actor, reason: str, now: datetime) -> None:
    """Write down how an agent stands and who said so."""
    agent.status, agent.status_at = status, now
    agent.status_by, agent.status_reason = actor.name[:120], reason
    agent.save(update_fields=["status", "status_at", "status_by", "status_reason"])


def hold(rows: QuerySet[Run], because: str) -> list[UUID]:
    """Let open runs stand still and return them; what they wait for is kept.

    Locks: the runs, by id.
    """
    ids = _locked_ids(rows)
    store.hold_back(ids, because)
    return ids


def go_on(rows: QuerySet[Run]) -> list[tuple[UUID, UUID | None]]:
    """Let paused runs go on and return them with what they wait for.

    Those of which another agent is held stay, and say so; those that a guard has paused stay until
    a person has answered. Locks: the runs, by id.
    """
    rows = rows.filter(paused_by=None)
    ids = _locked_ids(rows)
    still = _still_held(rows)
    for because in set(still.values()):
        store.hold_back([run_id for run_id, said in still.items() if said == because], because)
    free = store.let_go([run_id for run_id in ids if run_id not in still])
    if free:
        ring_task("agents.work")
    return free


def wake_freed(freed: Sequence[tuple[UUID, UUID | None]]) -> None:
    """Queue those whose answer came while they were held: its bell found nobody waiting."""
    waiting = [(run_id, proposal_id) for run_id, proposal_id in freed if proposal_id]
    for first in range(0, len(waiting), _AT_ONCE):
        wake_if_final(waiting[first : first + _AT_ONCE])


def tell(workspace_id: UUID, runs: Sequence[UUID]) -> None:
    """Ring for the board, the lists and the pages of these runs."""
    ring("agents", workspace_id)
    ring("runs", workspace_id)
    for run_id in runs[:_TOLD_AT_MOST]:
        ring("run", run_id)


def _open_runs(agent: Agent) -> QuerySet[Run]:
    return Run.objects.filter(id__in=_of(agent), status__in=lifecycle.MOVING)


def _of(agent: Agent) -> QuerySet[Participation, UUID]:
    return Participation.objects.filter(agent=agent).values_list("run_id", flat=True)


def _locked_ids(rows: QuerySet[Run]) -> list[UUID]:
    with patiently():
        found = rows.select_for_update(no_key=True, of=("self",)).order_by("id")
        return list(found.values_list("id", flat=True))


def _still_held(rows: QuerySet[Run]) -> dict[UUID, str]:
    held = Participation.objects.filter(~Q(agent__status="active"), run__in=rows.values("id"))
    return {row.run_id: _sentence(row.agent) for row in held.select_related("agent")}


def _sentence(agent: Agent) -> str:
    said = lifecycle.held_because(agent.name, agent.status, agent.status_by, agent.status_reason)
    return said or ""
