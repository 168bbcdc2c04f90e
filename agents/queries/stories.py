"""What is told of a run, when it leaves the house?"""

from uuid import UUID

from agents import store
from agents.models import Run
from agents.otlp import Story
from agents.queries import run as run_of
from console.canonical import Json


def story(workspace_id: UUID, run_id: UUID) -> Story:
    """Return a whole run as it is exported. Raises: NotFound (404)."""
    run = run_of(workspace_id, run_id)
    started = run.started_at or run.created_at
    return Story(
        trace_id=run.id.hex,
        label=run.job.label or run.job.workflow,
        entries=store.journal(run.id),
        started_at=started,
        ended_at=max(started, run.finished_at or started),
        workflow=run.job.workflow,
        asked=run.job.input,
        result=run.result,
        problem=run.problem,
        about=_about(run),
    )


def _about(run: Run) -> dict[str, Json]:
    return {
        "countersign.run": str(run.id),
        "countersign.job": str(run.job_id),
        "countersign.status": run.status,
        "countersign.state": run.job.state.key,
        "countersign.tokens": run.tokens,
    }
