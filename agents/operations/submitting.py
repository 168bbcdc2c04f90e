"""Take a job in: validate, write job, run and outbox row together, ring."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from agents import workflows
from agents.models import Job, Run
from approvals.parameters import objections_to
from console.actors import Actor
from console.canonical import Json, digest
from console.doorbell.operations.ringing import ring_task
from console.errors import Invalid, KeyReused, Refused
from console.ids import new_id
from console.ledger.operations.appending import append
from console.live import ring
from snapshots import queries as snapshots

ROOM_AGAIN_SECONDS = 10


class UnknownWorkflow(Invalid):
    """There is no workflow with this name."""

    code = "unknown_workflow"


class InputInvalid(Invalid):
    """The job's input does not fit the workflow's schema."""

    code = "invalid_input"


class TooMuchWaiting(Refused):
    """Too many jobs wait already; send this one again when some have begun."""

    status = 429
    code = "too_much_waiting"


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What a client asks for; `idempotency_key` makes a repeated request the same job."""

    workflow: str
    state_key: str
    job_input: dict[str, Any]
    idempotency_key: str
    label: str = ""

    @property
    def digest(self) -> str:
        """Return what the idempotency key stands for."""
        value: Json = {
            "workflow": self.workflow,
            "state": self.state_key,
            "input": self.job_input,
            "label": self.label,
        }
        return digest(value)


def submit(*, actor: Actor, request: JobRequest, now: datetime) -> tuple[UUID, bool]:
    """Queue a job and return its id, and whether it is new; the same key twice is once.

    Raises: UnknownWorkflow, UnknownState, InputInvalid, KeyReused (422), TooMuchWaiting (429).
    """
    if known := _known(actor, request):
        return known, False
    _check_input(request)
    _check_room(actor.workspace_id)
    state = snapshots.named(actor.workspace_id, request.state_key)
    try:
        with transaction.atomic():
            return _write(actor, request, state, now), True
    except IntegrityError:
        # The same key came in twice at the same moment; the other request has written the job.
        if known := _known(actor, request):
            return known, False
        raise


def _known(actor: Actor, request: JobRequest) -> UUID | None:
    rows = Job.objects.filter(workspace_id=actor.workspace_id, submitter=actor.ref)
    known = rows.filter(idempotency_key=request.idempotency_key).first()
    if known and known.body_digest != request.digest:
        raise KeyReused(job=str(known.id))
    return known.id if known else None


def _check_input(request: JobRequest) -> None:
    workflow = workflows.find(request.workflow)
    if workflow is None:
        sentence = f"There is no workflow {request.workflow!r}."
        raise UnknownWorkflow(sentence, field="workflow", known=[*workflows.names()])
    found = objections_to(request.job_input, workflow.input_schema)
    if found:
        listed: list[Json] = [{"field": f"input.{name}", "message": text} for name, text in found]
        raise InputInvalid(found[0][1], errors=listed)


def _check_room(workspace_id: UUID) -> None:
    at_most = settings.JOBS_WAITING_AT_MOST
    waiting = Run.objects.filter(workspace_id=workspace_id, status="queued").order_by()
    # Counted no further than that; in a queue of ordinary length it costs next to nothing.
    if waiting[at_most : at_most + 1].exists():
        raise TooMuchWaiting(waiting=at_most, retry_after=ROOM_AGAIN_SECONDS)


def _write(actor: Actor, request: JobRequest, state: snapshots.Head, now: datetime) -> UUID:
    job = Job.objects.create(
        id=new_id(),
        workspace_id=actor.workspace_id,
        workflow=request.workflow,
        state_id=state.state_id,
        input=request.job_input,
        label=request.label,
        submitter=actor.ref,
        submitter_name=actor.name,
        lineage=actor.lineage,
        idempotency_key=request.idempotency_key,
        body_digest=request.digest,
        created_at=now,
    )
    run = Run.objects.create(
        workspace_id=actor.workspace_id, job=job, number=1, epoch=state.epoch, created_at=now
    )
    Job.objects.filter(id=job.id).update(current_run=run)
    ring_task("agents.work")
    body: dict[str, Json] = {"workflow": job.workflow, "run": str(run.id), "body": job.body_digest}
    append(actor, "job.submitted", f"job:{job.id}", body)
    ring("runs", actor.workspace_id)
    return job.id
