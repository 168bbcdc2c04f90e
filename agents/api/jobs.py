"""Jobs over HTTP: submit, look, wait, cancel."""

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast
from uuid import UUID

from django.db import connection
from django.http import HttpResponse
from django.urls import reverse
from ninja import Field, Header, Query, Router, Schema
from ninja import Status as Answer
from pydantic import ConfigDict

from agents import lifecycle, queries
from agents.operations.cancelling import cancel
from agents.operations.submitting import PRIORITY_AT_MOST, JobRequest, submit
from console.access.bearer import Bearer, ClientRequest
from console.endpoints import POLL_SECONDS, PROBLEMS, usable_key
from console.paging import page

if TYPE_CHECKING:
    from agents.models import Job

router = Router()
Status = Literal[
    "queued", "running", "waiting", "paused", "succeeded", "failed", "terminated", "superseded"
]


class BudgetIn(Schema):
    """What all runs of a job may use together; what is left out has no end.

    `money` is in USD. Time spent waiting for people is not counted in `seconds`.
    """

    model_config = ConfigDict(extra="forbid")

    tokens: Annotated[int, Field(gt=0, lt=10**12)] | None = None
    money: Annotated[str, Field(pattern=r"^[0-9]{1,8}(\.[0-9]{1,6})?$")] | None = None
    seconds: Annotated[float, Field(gt=0, lt=10**12)] | None = None


class JobIn(Schema):
    """What to do (`workflow`), on which State (its key), with which input.

    A point of `priority` is worth a minute of waiting, among the jobs of the workspace.
    """

    model_config = ConfigDict(extra="forbid")

    workflow: Annotated[str, Field(min_length=1, max_length=80)]
    state: Annotated[str, Field(min_length=1, max_length=200)]
    input: Annotated[dict[str, Any], Field(default_factory=dict)]
    label: Annotated[str, Field(max_length=200)] = ""
    budget: BudgetIn = Field(default_factory=BudgetIn)
    priority: Annotated[int, Field(ge=-PRIORITY_AT_MOST, le=PRIORITY_AT_MOST)] = 0


class Links(Schema):
    """Where to look next."""

    self: str
    wait: str
    cancel: str


class Accepted(Schema):
    """The job is written down and will run."""

    id: UUID
    status: Literal["queued"] = "queued"
    links: Links


class RunOut(Schema):
    """The attempt that stands for the job now."""

    id: UUID
    number: int
    status: Status
    steps: int
    waiting_for: UUID | None


class JobOut(Schema):
    """A job and how it stands. `result` is what its workflow returned."""

    id: UUID
    workflow: str
    state: str
    label: str
    status: Status
    run: RunOut
    result: Any = None
    problem_code: str
    problem: str
    created_at: datetime
    finished_at: datetime | None
    links: Links


class JobPage(Schema):
    """Some jobs, newest first; `next_cursor` continues, empty at the end."""

    items: list[JobOut]
    next_cursor: str


@router.post(
    "", auth=Bearer("jobs:write"), response={202: Accepted, **PROBLEMS}, summary="Submit a job"
)
def submit_job(
    request: ClientRequest,
    response: HttpResponse,
    payload: JobIn,
    idempotency_key: Annotated[str, Header(alias="Idempotency-Key")] = "",
) -> Answer[Accepted]:
    """Write a job down; the same Idempotency-Key with the same body is the same job."""
    job_id, _ = submit(
        actor=request.actor,
        request=JobRequest(
            workflow=payload.workflow,
            state_key=payload.state,
            job_input=payload.input,
            idempotency_key=usable_key(idempotency_key),
            label=payload.label,
            budget=payload.budget.model_dump(exclude_none=True),
            priority=payload.priority,
        ),
        now=datetime.now(UTC),
    )
    links = _links(job_id)
    response["Location"] = links.self
    return Answer(202, Accepted(id=job_id, links=links))


@router.get("", auth=Bearer("jobs:read"), response={200: JobPage, **PROBLEMS})
def list_jobs(
    request: ClientRequest,
    cursor: str = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> JobPage:
    """List the workspace's jobs, newest first."""
    rows = queries.jobs(request.actor.workspace_id)
    found = page(rows, by="created_at", cursor=cursor, size=limit)
    return JobPage(items=[_shown(job) for job in found.rows], next_cursor=found.next_cursor)


@router.get("/{uuid:job_id}", auth=Bearer("jobs:read"), response={200: JobOut, **PROBLEMS})
def get_job(request: ClientRequest, job_id: UUID) -> JobOut:
    """Look at one job."""
    return _shown(queries.job(request.actor.workspace_id, job_id))


@router.get("/{uuid:job_id}/wait", auth=Bearer("jobs:read"), response={200: JobOut, **PROBLEMS})
def wait_for_job(
    request: ClientRequest,
    job_id: UUID,
    seconds: Annotated[float, Query(ge=0, le=30)] = 20,
    status: str = "",
) -> JobOut:
    """Answer when the job has ended, or has another status than `status`, or the time is over.

    A job whose run was set aside has not ended: its next run is about to begin.
    """
    deadline = time.monotonic() + seconds
    while True:
        job = queries.job(request.actor.workspace_id, job_id)
        now = queries.current_run(job).status
        changed = lifecycle.is_finished(now) or (bool(status) and now != status)
        if (changed and now != "superseded") or time.monotonic() >= deadline:
            return _shown(job)
        # A waiting client must not keep one of the pool's connections.
        connection.close()
        time.sleep(POLL_SECONDS)


@router.post("/{uuid:job_id}/cancel", auth=Bearer("jobs:write"), response={200: JobOut, **PROBLEMS})
def cancel_job(request: ClientRequest, job_id: UUID) -> JobOut:
    """End a job now; what its run left open is withdrawn. An ended job stays as it is."""
    cancel(actor=request.actor, job_id=job_id, now=datetime.now(UTC))
    return _shown(queries.job(request.actor.workspace_id, job_id))


def _links(job_id: UUID) -> Links:
    def at(name: str) -> str:
        return reverse(f"api-1:{name}", kwargs={"job_id": job_id})

    return Links(self=at("get_job"), wait=at("wait_for_job"), cancel=at("cancel_job"))


def _shown(job: "Job") -> JobOut:
    run = queries.current_run(job)
    return JobOut(
        id=job.id,
        workflow=job.workflow,
        state=job.state.key,
        label=job.label,
        status=cast(Status, run.status),
        run=RunOut(
            id=run.id,
            number=run.number,
            status=cast(Status, run.status),
            steps=run.next_step,
            waiting_for=run.waiting_for,
        ),
        result=run.result,
        problem_code=run.problem_code,
        problem=run.problem,
        created_at=job.created_at,
        finished_at=run.finished_at,
        links=_links(job.id),
    )
