"""Say how a run goes on that a guard has paused: as it was, with a raised limit, or not at all."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from django.db import transaction

from agents import guards
from agents.guards import Number
from agents.models import Pause, Run
from agents.operations.ending import end
from agents.operations.interrupting import ended_because
from agents.operations.pausing import go_on, lock_workspace, usable_reason, wake_freed
from agents.verdicts import Verdict
from console.access.rights import Right, allows
from console.actors import Actor
from console.canonical import Json
from console.errors import Conflict, Forbidden, Invalid, NotFound
from console.ledger.operations.appending import append
from console.live import ring
from console.locking import patiently

Choice = Literal["continue", "raise", "terminate"]
REASON_AT_MOST: Final = 500
STATUS: Final[dict[Choice, str]] = {
    "continue": "continued",
    "raise": "raised",
    "terminate": "terminated",
}
_RIGHTS: Final[dict[Choice, tuple[Right, ...]]] = {
    "continue": ("decide", "operate"),
    "raise": ("operate",),
    "terminate": ("decide", "operate"),
}
LIMIT_AT_MOST: Final = 10**12


class AlreadyAnswered(Conflict):
    """Somebody has answered this pause already; nothing changed."""

    code = "already_answered"


class LimitUnusable(Invalid):
    """A raised limit is a number above the one that was reached."""

    code = "limit_unusable"


@dataclass(frozen=True, slots=True)
class _Reply:
    """What a person says, checked as far as the row is not needed for it."""

    actor: Actor
    choice: Choice
    raised: Number | None
    reason: str
    now: datetime

    @property
    def status(self) -> str:
        """Return how the pause ends."""
        return STATUS[self.choice]


def answer_pause(
    *,
    actor: Actor,
    pause_id: UUID,
    choice: Choice,
    raised: Number | None = None,
    reason: str,
    now: datetime,
) -> bool:
    """End a pause as a person says; say whether this call did it.

    Whoever says the same twice is heard once. A run of which an agent is held besides stays held
    for that reason; while everything is stopped, it waits in the queue.
    Locks: the workspace, the run, then the pause.
    Raises: Forbidden (403), NotFound (404), AlreadyAnswered (409), ReasonUnusable, LimitUnusable,
    Invalid (422), Busy (409).
    """
    reply = _checked(actor, choice, raised, reason, now)
    with transaction.atomic():
        lock_workspace(actor.workspace_id)
        row = _locked(actor.workspace_id, pause_id)
        if row.status != "open":
            _refuse_unless_said_before(row, reply)
            return False
        _decide(row, reply)
        freed = [] if choice == "terminate" else _let_go(row, reply)
        if choice == "terminate":
            _end(row, reply)
        _note(row, reply)
    wake_freed(freed)
    return True


def may_answer(actor: Actor, choice: Choice) -> bool:
    """Say whether somebody may answer a pause so: a person with a right to; no token can."""
    return actor.kind == "person" and any(allows(actor.roles, right) for right in _RIGHTS[choice])


def _checked(
    actor: Actor, choice: Choice, raised: Number | None, reason: str, now: datetime
) -> _Reply:
    if choice not in STATUS:
        raise Invalid(f"Choose one of {', '.join(STATUS)}.", field="choice")
    if actor.kind != "person":
        raise Forbidden("Only people answer for a run that a guard has paused; no token can.")
    if not may_answer(actor, choice):
        raise Forbidden(_not_allowed(choice))
    return _Reply(actor, choice, raised, usable_reason(reason, REASON_AT_MOST), now)


def _not_allowed(choice: Choice) -> str:
    if choice == "raise":
        return "Only engineers and admins may raise a limit."
    return "Only reviewers, engineers and admins may answer for a paused run."


def _locked(workspace_id: UUID, pause_id: UUID) -> Pause:
    """Return a pause with its run held fast. Raises: NotFound (404), Busy (409)."""
    rows = Pause.objects.filter(workspace=workspace_id, id=pause_id)
    run_id = rows.values_list("run_id", flat=True).first()
    if run_id is None:
        raise NotFound
    with patiently():
        list(Run.objects.select_for_update(no_key=True).filter(id=run_id).values_list("id"))
        return rows.select_for_update(no_key=True).get()


def _refuse_unless_said_before(row: Pause, reply: _Reply) -> None:
    by = row.decider or {}
    said = (row.status, by.get("id"), row.raised)
    if said != (reply.status, reply.actor.id, _raised(row, reply)):
        raise AlreadyAnswered(
            f"This pause is {row.status} already; nothing changed.", status=row.status
        )


def _decide(row: Pause, reply: _Reply) -> None:
    if reply.choice == "raise":
        _refuse_unless_higher(row, reply.raised)
    row.status, row.reason = reply.status, reply.reason
    row.decider, row.decided_at = reply.actor.to_json(), reply.now
    row.raised = _raised(row, reply)
    row.save(update_fields=["status", "reason", "decider", "decided_at", "raised"])


def _refuse_unless_higher(row: Pause, raised: Number | None) -> None:
    if not guards.may_be_raised(row.rule):
        raise LimitUnusable("This rule has no limit that could be raised.", field="raised")
    reached = Verdict.from_json(row.verdict).numbers.get("limit")
    if isinstance(raised, bool) or not isinstance(raised, int | float):
        raise LimitUnusable(field="raised")
    # Written so that what is not a number at all is refused as well.
    is_higher = not isinstance(reached, int | float) or raised > reached
    if not is_higher or not 0 < raised < LIMIT_AT_MOST:
        raise LimitUnusable(f"A raised limit is a number above {reached}.", field="raised")


def _raised(row: Pause, reply: _Reply) -> dict[str, Number]:
    if reply.choice != "raise" or reply.raised is None:
        return {}
    return {row.rule: reply.raised}


def _let_go(row: Pause, reply: _Reply) -> list[tuple[UUID, UUID | None]]:
    run = Run.objects.get(id=row.run_id)
    run.paused_by, run.raised = None, {**run.raised, **_raised(row, reply)}
    run.save(update_fields=["paused_by", "raised"])
    return go_on(Run.objects.filter(id=run.id, status="paused"))


def _end(row: Pause, reply: _Reply) -> None:
    sentence = ended_because(Verdict.from_json(row.verdict))
    end(
        Run.objects.get(id=row.run_id),
        "terminated",
        actor=reply.actor,
        now=reply.now,
        problem_code=row.rule,
        problem=f"{reply.actor.name} ended it: {reply.reason} — {sentence}",
    )


def _note(row: Pause, reply: _Reply) -> None:
    raised: dict[str, Json] = {**row.raised}
    body: dict[str, Json] = {
        "pause": str(row.id),
        "rule": row.rule,
        "reason": reply.reason,
        "raised": raised,
    }
    append(reply.actor, f"pause.{reply.status}", f"run:{row.run_id}", body)
    ring("run", row.run_id)
    ring("runs", row.workspace_id)
    ring("queue", row.workspace_id)
