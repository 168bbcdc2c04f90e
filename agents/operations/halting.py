"""Stop everything: while a halt stands, no agent of the workspace works, and nothing is sent."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from agents import lifecycle
from agents.models import Halt, Run
from agents.operations.pausing import (
    go_on,
    hold,
    lock_workspace,
    tell,
    usable_reason,
    wake_freed,
)
from approvals.operations.stopping import (
    switch_off,
    switch_on,
    tell_of_resumption,
    tell_of_stop,
)
from console.access.models import Workspace
from console.access.rights import allows
from console.actors import Actor
from console.canonical import Json
from console.errors import Forbidden, Invalid
from console.ledger.operations.appending import append

HALT_REASON_AT_MOST = 250


class NotTyped(Invalid):
    """What was to be typed is not what was typed."""

    code = "not_typed"


def halt(*, actor: Actor, reason: str, typed: str, now: datetime) -> bool:
    """Stop every agent of the workspace; say whether this call did it.

    No run is begun any more, and those that run stand still. Jobs are still taken in. Nothing
    leaves the house any more either.
    Locks: the switch of the sender, the workspace, then its running runs by id.
    Raises: Forbidden (403), ReasonUnusable (422), NotTyped (422), Busy (409).
    """
    _check(actor)
    reason = usable_reason(reason, HALT_REASON_AT_MOST)
    slug = Workspace.objects.values_list("slug", flat=True).get(id=actor.workspace_id)
    if typed.strip() != slug:
        raise NotTyped(f"Type {slug} to stop all agents.", field="typed")
    with transaction.atomic():
        # Whoever sends holds the switch before anything else, so it comes first here, too.
        stopped = not _standing(actor.workspace_id) and switch_off(actor, reason, now)
        lock_workspace(actor.workspace_id)
        if standing := _standing(actor.workspace_id):
            is_new, held = False, _hold_running(standing)
        else:
            is_new, held = True, _write(actor, reason, now)
        if stopped:
            tell_of_stop(actor, reason, now)
        tell(actor.workspace_id, held)
    # A worker that looked for runs just before the commit has had some of them since.
    hold_halted(actor.workspace_id)
    return is_new


def lift(*, actor: Actor, reason: str = "", now: datetime) -> bool:
    """Let the agents of the workspace work again; say whether this call did it.

    Runs go on where they were, except those of agents that are paused or stopped themselves. What
    is ready to leave the house leaves it, unless its sending was stopped besides.
    Locks: the switch of the sender, the workspace, then its paused runs by id.
    Raises: Forbidden (403), ReasonUnusable (422), Busy (409).
    """
    _check(actor)
    reason = usable_reason(reason, HALT_REASON_AT_MOST) if reason.strip() else ""
    with transaction.atomic():
        begun = _standing(actor.workspace_id)
        resumed = begun is not None and switch_on(actor, reason, now, stopped_at=begun.created_at)
        lock_workspace(actor.workspace_id)
        standing = _standing(actor.workspace_id)
        if standing is None:
            return False
        standing.lifted_at, standing.lifted_by = now, actor.to_json()
        standing.save(update_fields=["lifted_at", "lifted_by"])
        freed = go_on(Run.objects.filter(workspace=actor.workspace_id, status="paused"))
        body: dict[str, Json] = {"reason": reason, "runs": len(freed)}
        append(actor, "workspace.resumed", f"workspace:{actor.workspace_id}", body)
        if resumed:
            tell_of_resumption(actor, reason)
        tell(actor.workspace_id, [run_id for run_id, _ in freed])
    wake_freed(freed)
    return True


def hold_halted(workspace_id: UUID | None = None) -> int:
    """Let what runs in spite of a halt stand still; return how many runs that were.

    Swept by the timer too, in case whoever halted died between its two looks.
    """
    rows = Halt.objects.filter(lifted_at=None)
    found = rows.filter(workspace=workspace_id) if workspace_id else rows
    return sum(map(_hold_in, list(found.values_list("workspace_id", flat=True))))


def _hold_in(workspace_id: UUID) -> int:
    with transaction.atomic():
        lock_workspace(workspace_id)
        standing = _standing(workspace_id)
        held = _hold_running(standing) if standing else []
        if held:
            tell(workspace_id, held)
    return len(held)


def _check(actor: Actor) -> None:
    if actor.kind != "person" or not allows(actor.roles, "administer"):
        raise Forbidden("Only admins may stop all agents, or let them work again.")


def _standing(workspace_id: UUID) -> Halt | None:
    return Halt.objects.filter(workspace=workspace_id, lifted_at=None).first()


def _write(actor: Actor, reason: str, now: datetime) -> list[UUID]:
    standing = Halt.objects.create(
        workspace_id=actor.workspace_id, reason=reason, actor=actor.to_json(), created_at=now
    )
    held = _hold_running(standing)
    body: dict[str, Json] = {"reason": reason, "runs": len(held)}
    append(actor, "workspace.halted", f"workspace:{actor.workspace_id}", body)
    return held


def _hold_running(standing: Halt) -> list[UUID]:
    running = Run.objects.filter(workspace=standing.workspace_id, status="running")
    return hold(
        running, lifecycle.told(f"{standing.actor['name']} stopped all agents", standing.reason)
    )
