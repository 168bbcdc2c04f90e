"""Agents that remember: what tests of sweeps and of drift let a clerk keep in mind."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from agents import queries
from agents.operations.running import work
from agents.operations.submitting import JobRequest, submit
from agents.workflows import Context, Workflow, register_workflow
from console.actors import Actor
from console.canonical import Json
from snapshots import queries as snapshots
from snapshots.diff import Change
from snapshots.operations.observing import observe
from snapshots.queries import Head

CLERK = "clerk"


def keep(actor: Actor, record: Head, notes: Sequence[dict[str, Any]], now: datetime) -> Head:
    """Let a run of the clerk keep these notes, and return where its memory stands."""

    def program(context: Context) -> Json:
        context.read(agent=CLERK)
        for note in notes:
            context.remember(**{"agent": CLERK, "value": 1, **note})
        return None

    register_workflow(Workflow("keep", "Keep", program))
    request = JobRequest("keep", record.key, {}, f"keep {now.isoformat()}")
    job_id, _ = submit(actor=actor, request=request, now=now)
    work()
    run = queries.current_run(queries.job(actor.workspace_id, job_id))
    assert run.status == "succeeded", run.problem
    return mind(actor, record)


def mind(actor: Actor, record: Head) -> Head:
    """Return where the clerk's memory stands."""
    return snapshots.named(actor.workspace_id, f"{record.key}/agents/{CLERK}")


def entries(head: Head) -> dict[str, Any]:
    """Return what a memory holds now, by subject."""
    newest = snapshots.head(head.workspace_id, head.state_id)
    document: Any = snapshots.content(newest.state_id, newest.number)
    return {each["subject"]: each for each in document["entries"].values()}


def move(actor: Actor, record_id: UUID, *changes: Change) -> None:
    """Let the record move by something that nobody here proposed."""
    number = snapshots.head(actor.workspace_id, record_id).number
    observe(
        actor=actor,
        state_id=record_id,
        changes=list(changes),
        cause_id=f"move-{number}",
        reason="outside",
        now=datetime.now().astimezone(),
    )


def short(subject: str, seconds: float = 3_600) -> dict[str, Any]:
    """Return a note that expires soon."""
    return {"subject": subject, "expires_in": timedelta(seconds=seconds)}
