"""Stop a job because somebody asked for it."""

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction

from agents import queries
from agents.models import Run
from agents.operations.ending import end
from console.access.rights import allows
from console.actors import Actor
from console.canonical import Json
from console.errors import Forbidden
from console.ledger.operations.appending import append
from console.live import ring
from console.locking import patiently

if TYPE_CHECKING:
    from agents.models import Job


def may_cancel(actor: Actor, job: "Job") -> bool:
    """Say whether the actor may end this job: whoever submitted it, or a role that may."""
    return actor.ref in job.lineage or allows(actor.roles, "cancel")


def cancel(*, actor: Actor, job_id: UUID, now: datetime) -> str:
    """Terminate a job's current run and return its status; an ended one stays as it is.

    A worker in the middle of a step is fenced off at its next statement; a job that was to begin
    anew with another run does not.
    Locks: the run. Raises: NotFound (404), Forbidden (403), Busy (409).
    """
    job = queries.job(actor.workspace_id, job_id)
    if not may_cancel(actor, job):
        raise Forbidden("Only whoever submitted a job, an engineer or an admin may cancel it.")
    while True:
        run = queries.current_run(job)
        if not _terminate(run, actor, now):
            _keep_from_starting(run, actor)
        job = queries.job(actor.workspace_id, job_id)
        # A next run may have been queued at this moment, and is to be ended too.
        if queries.current_run(job).id == run.id:
            return queries.current_run(job).status


def _terminate(run: Run, actor: Actor, now: datetime) -> bool:
    return end(
        run,
        "terminated",
        actor=actor,
        now=now,
        problem_code="cancelled",
        problem=_said(actor),
    )


def _keep_from_starting(run: Run, actor: Actor) -> None:
    """Terminate a run that was set aside, if its job has no other yet.

    `start_again` asks for the same row under the same lock, and finds nothing to begin anew.
    """
    with transaction.atomic():
        rows = Run.objects.select_for_update(no_key=True, of=("self",)).filter(
            id=run.id, status="superseded", job__current_run=run.id
        )
        with patiently():
            aside = rows.first()
        if aside is None:
            return
        aside.status, aside.problem_code, aside.problem = "terminated", "cancelled", _said(actor)
        aside.save(update_fields=["status", "problem_code", "problem"])
        body: dict[str, Json] = {
            "status": "terminated",
            "code": "cancelled",
            "steps": aside.next_step,
        }
        append(actor, "run.terminated", f"run:{run.id}", body)
        ring("run", run.id)
        ring("runs", run.workspace_id)


def _said(actor: Actor) -> str:
    return f"Cancelled by {actor.name}."
