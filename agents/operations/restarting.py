"""Set a run aside and let its job begin anew."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from agents.models import Job, Run
from agents.operations.ending import end
from console.actors import Actor
from console.canonical import Json
from console.doorbell.operations.ringing import ring_task
from console.ids import new_id
from console.ledger.operations.appending import append
from console.live import ring
from snapshots import queries as snapshots


def supersede(
    *, actor: Actor, run_id: UUID, reason: str, now: datetime, fence: int | None = None
) -> bool:
    """Set an open run aside and say whether this call did it; what it left open is withdrawn.

    With a fence only its holder can do so. Locks: the run's row, then its open proposals.
    """
    run = Run.objects.only("id", "workspace_id").get(id=run_id, workspace=actor.workspace_id)
    return end(
        run,
        "superseded",
        actor=actor,
        now=now,
        fence=fence,
        problem_code="superseded",
        problem=reason,
    )


def start_again(*, actor: Actor, job_id: UUID, now: datetime) -> UUID | None:
    """Queue a new run of a job whose current one was set aside; otherwise do nothing.

    Asked twice, it happens once. Locks: the run that was set aside.
    """
    with transaction.atomic():
        rows = Run.objects.select_for_update(no_key=True).filter(
            workspace=actor.workspace_id, job=job_id, status="superseded"
        )
        last = rows.order_by("-number").first()
        # Asked only under the lock: another call may just have queued the next run.
        if last is None or not Job.objects.filter(id=job_id, current_run=last).exists():
            return None
        run = _next(last, now)
        body: dict[str, Json] = {
            "job": str(job_id),
            "number": run.number,
            "epoch": run.epoch,
            "instead_of": str(last.id),
        }
        append(actor, "run.started_again", f"run:{run.id}", body)
    return run.id


def _next(last: Run, now: datetime) -> Run:
    state = snapshots.head(last.workspace_id, last.job.state_id)
    run = Run.objects.create(
        id=new_id(),
        workspace_id=last.workspace_id,
        job_id=last.job_id,
        number=last.number + 1,
        epoch=state.epoch,
        workflow=last.job.workflow,
        priority=last.job.priority,
        created_at=now,
    )
    Job.objects.filter(id=last.job_id).update(current_run=run)
    ring_task("agents.work")
    ring("run", last.id)
    ring("runs", last.workspace_id)
    return run
