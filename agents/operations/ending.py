"""End a run and say why; what it left open is withdrawn."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F

from agents import lifecycle
from agents.models import Pause, Run
from approvals.operations.withdrawing import withdraw_from
from console.actors import Actor
from console.canonical import Json
from console.ledger.operations.appending import append
from console.live import ring


class Outdated(BaseException):
    """The run stands on what was brought back; like a wait, nothing a workflow could catch."""

    def __init__(self, sentence: str = "Its State was brought back while it ran.") -> None:
        """Keep the sentence that the run will end with."""
        super().__init__(sentence)


def end(  # noqa: PLR0913  (what an ending is)
    run: Run,
    status: str,
    *,
    actor: Actor,
    now: datetime,
    fence: int | None = None,
    result: Json = None,
    problem_code: str = "",
    problem: str = "",
) -> bool:
    """Close a run that is still open, and say whether this call did it.

    With a fence only its holder can end the run. A pause of a guard that nobody answered is void.
    Locks: the run's row, its open pause, then its open proposals.
    Raises: Outdated if it would succeed on a State that was brought back meanwhile.
    """
    with transaction.atomic():
        locked = _open(run, fence, will_succeed=status == "succeeded")
        if locked is None:
            return False
        if locked.paused_by is not None:
            _void(locked.paused_by, now)
            ring("queue", run.workspace_id)
        locked.status, locked.finished_at, locked.paused_by = status, now, None
        locked.waiting_for = locked.lease_until = None
        locked.held_because = ""
        locked.result, locked.problem_code, locked.problem = result, problem_code, problem[:1000]
        locked.save()
        withdraw_from(
            actor=actor, origin=f"run:{run.id}", reason=f"The run ended: {status}.", now=now
        )
        body: dict[str, Json] = {"status": status, "code": problem_code, "steps": locked.next_step}
        append(actor, f"run.{status}", f"run:{run.id}", body)
        ring("run", run.id)
        ring("runs", run.workspace_id)
    return True


def _open(run: Run, fence: int | None, *, will_succeed: bool) -> Run | None:
    rows = Run.objects.select_for_update(no_key=True, of=("self",)).filter(id=run.id)
    rows = rows.exclude(status__in=lifecycle.FINISHED)
    if fence is not None:
        rows = rows.filter(fence=fence, status="running")
    locked = rows.annotate(state_epoch=F("job__state__epoch")).first()
    if locked is not None and will_succeed and locked.state_epoch > locked.epoch:
        raise Outdated
    return locked


def _void(pause_id: UUID, now: datetime) -> None:
    Pause.objects.filter(id=pause_id, status="open").update(status="void", decided_at=now)
