"""What is there to work on? A workspace with people, a token, States, and jobs that do nothing."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from agents.models import Job, Run
from console.access.models import User, Workspace
from console.access.operations.granting import enrol, found, grant
from console.access.operations.keying import make_token
from console.access.queries import person_as_actor
from console.actors import Actor, system
from console.canonical import Json
from console.ids import new_id
from snapshots.operations.creating import create_state
from snapshots.queries import Head, find

WORKFLOW = "recorded"
STATE_KEY = "bench/state"


def workspace(slug: str) -> Workspace:
    """Return the workspace with this slug, made if it is new."""
    return found(slug, f"Benchmark {slug}")


def setup(place: Workspace) -> Actor:
    """Return the actor who prepares things in a workspace."""
    return system("bench", place.id)


def member(place: Workspace, role: str) -> User:
    """Return a person with this role."""
    person = enrol(f"{role}@{place.slug}.invalid", role.title(), secrets.token_hex(16))
    grant(setup(place), place.id, person, role)
    return person


def token(place: Workspace) -> str:
    """Return the secret of a new token that may submit jobs."""
    maker = person_as_actor(member(place, "engineer"), place.id, {"engineer"})
    scopes = ["jobs:read", "jobs:write", "proposals:read"]
    lifetime = timedelta(days=1)
    return make_token(actor=maker, name="Bench", scopes=scopes, lifetime=lifetime, now=_now())[1]


def state(actor: Actor, key: str = STATE_KEY) -> Head:
    """Return the State under this key, made if it is new."""
    document: Json = {"accounts": {f"{n:04}": {"balance": 100 * n} for n in range(100)}}
    known = find(actor.workspace_id, key)
    return known or create_state(
        actor=actor, key=key, document=document, reason="Benchmark", now=_now()
    )


def job_input(steps: int) -> dict[str, Any]:
    """Return the input of a run that calls a tool which does nothing, `steps` times.

    The workflow is one that ships, so every worker knows it.
    """
    calls = [
        {"n": n, "by": "agent", "tool": "noop", "args": {"i": n}, "kind": "read", "result": n}
        for n in range(steps)
    ]
    return {"calls": calls}


def queue_runs(place: Workspace, runs: int, steps: int, *, workflow: str = WORKFLOW) -> list[UUID]:
    """Write jobs and their queued runs at once, past the door that would count them."""
    actor = setup(place)
    head, body = state(actor), job_input(steps)
    jobs = [_job(actor, head, body, workflow) for _ in range(runs)]
    Job.objects.bulk_create(jobs)
    rows = [
        Run(workspace=place, job=job, workflow=workflow, created_at=job.created_at) for job in jobs
    ]
    Run.objects.bulk_create(rows)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE agents_job SET current_run_id = run.id FROM agents_run AS run "
            "WHERE run.job_id = agents_job.id AND agents_job.id = ANY(%s)",
            [[job.id for job in jobs]],
        )
    return [row.id for row in rows]


def _job(actor: Actor, head: Head, body: dict[str, Any], workflow: str) -> Job:
    job_id = new_id()
    return Job(
        id=job_id,
        workspace_id=actor.workspace_id,
        workflow=workflow,
        state_id=head.state_id,
        input=body,
        submitter=actor.ref,
        submitter_name=actor.name,
        lineage=actor.lineage,
        idempotency_key=str(job_id),
        body_digest="0" * 64,
        created_at=_now(),
    )


def end_queued() -> None:
    """End what nobody will lead, so that the next part finds nothing to do."""
    Run.objects.filter(status="queued").update(
        status="terminated", finished_at=_now(), problem_code="benchmark"
    )


def unfinished(runs: Sequence[UUID], steps: int) -> int:
    """Return how many of the runs did not end well, or do not have all of their steps."""
    ended = Run.objects.filter(id__in=runs, status="succeeded", next_step=steps)
    return len(runs) - ended.count()


def steps_of(runs: Sequence[UUID]) -> int:
    """Return how many steps the runs have done. Raises: RuntimeError, when one did not end well."""
    ended = Run.objects.filter(id__in=runs, status="succeeded")
    if ended.count() != len(runs):
        raise RuntimeError(f"{len(runs) - ended.count()} runs did not end as they should.")
    return sum(ended.values_list("next_step", flat=True))


def tidy() -> None:
    """Let the planner know what is there, as autovacuum would a minute later."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _now() -> datetime:
    return datetime.now(UTC)
