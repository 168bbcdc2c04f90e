"""Stop a job because somebody asked for it."""

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from agents import queries
from agents.operations.ending import end
from console.access.rights import allows
from console.actors import Actor
from console.errors import Forbidden

if TYPE_CHECKING:
    from agents.models import Job


def may_cancel(actor: Actor, job: "Job") -> bool:
    """Say whether the actor may end this job: whoever submitted it, or a role that may."""
    return actor.ref in job.lineage or allows(actor.roles, "cancel")


def cancel(*, actor: Actor, job_id: UUID, now: datetime) -> str:
    """Terminate a job's current run and return its status; an ended one stays as it is.

    A worker in the middle of a step is fenced off at its next statement.
    Raises: NotFound (404), Forbidden (403).
    """
    job = queries.job(actor.workspace_id, job_id)
    if not may_cancel(actor, job):
        raise Forbidden("Only whoever submitted a job, an engineer or an admin may cancel it.")
    run = queries.current_run(job)
    end(
        run,
        "terminated",
        actor=actor,
        now=now,
        problem_code="cancelled",
        problem=f"Cancelled by {actor.name}.",
    )
    return queries.run(actor.workspace_id, run.id).status
