"""Take a job in: validate, write job, run and outbox row together, ring."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from agents import workflows
from agents.models import Job, Run
from agents.operations.counting import check_budget, count_run
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
BUDGETED: Final = frozenset({"tokens", "money", "seconds"})
PRIORITY_AT_MOST: Final = 100
_LARGEST = 10**12
_MONEY = re.compile(r"\d{1,8}(\.\d{1,6})?", re.ASCII)


class UnknownWorkflow(Invalid):
    """There is no workflow with this name."""

    code = "unknown_workflow"


class InputInvalid(Invalid):
    """The job's input does not fit the workflow's schema."""

    code = "invalid_input"


class BudgetInvalid(Invalid):
    """A job's budget names tokens, money or seconds, each above 0; its priority has a range."""

    code = "budget_invalid"


class TooMuchWaiting(Refused):
    """Too many jobs wait already; send this one again when some have begun."""

    status = 429
    code = "too_much_waiting"


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What a client asks for; `idempotency_key` makes a repeated request the same job.

    Shape of a budget: `{"tokens"?: whole number, "money"?: decimal string in USD, "seconds"?}`.
    """

    workflow: str
    state_key: str
    job_input: dict[str, Any]
    idempotency_key: str
    label: str = ""
    budget: Mapping[str, Json] = field(default_factory=dict)
    priority: int = 0

    @property
    def digest(self) -> str:
        """Return what the idempotency key stands for."""
        value: dict[str, Json] = {
            "workflow": self.workflow,
            "state": self.state_key,
            "input": self.job_input,
            "label": self.label,
        }
        # Left out where it says nothing: keys of earlier clients go on standing for their jobs.
        if self.budget:
            value["budget"] = {**self.budget}
        if self.priority:
            value["priority"] = self.priority
        return digest(value)


def submit(*, actor: Actor, request: JobRequest, now: datetime) -> tuple[UUID, bool]:
    """Queue a job and return its id, and whether it is new; the same key twice is once.

    Locks: last of all the workspace's use of the day, until the transaction ends.
    Raises: UnknownWorkflow, UnknownState, InputInvalid, BudgetInvalid, KeyReused (422),
    TooMuchWaiting, BudgetSpent (429).
    """
    if known := _known(actor, request):
        return known, False
    _check_input(request)
    _check_budget(request)
    _check_room(actor.workspace_id)
    check_budget(actor.workspace_id, now)
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


def _check_budget(request: JobRequest) -> None:
    if abs(request.priority) > PRIORITY_AT_MOST:
        said = f"A priority is between {-PRIORITY_AT_MOST} and {PRIORITY_AT_MOST}."
        raise BudgetInvalid(said, field="priority")
    for name, most in request.budget.items():
        if name not in BUDGETED or not _is_amount(name, most):
            raise BudgetInvalid(field=f"budget.{name}")


def _is_amount(name: str, most: Json) -> bool:
    """Say whether this can be the most of something; money is written as people do."""
    if name == "money":
        return isinstance(most, str) and bool(_MONEY.fullmatch(most)) and Decimal(most) > 0
    if isinstance(most, bool) or not isinstance(most, int if name == "tokens" else int | float):
        return False
    return 0 < most < _LARGEST


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
        budget={**request.budget},
        priority=request.priority,
        created_at=now,
    )
    run = Run.objects.create(
        workspace_id=actor.workspace_id,
        job=job,
        number=1,
        epoch=state.epoch,
        workflow=job.workflow,
        priority=job.priority,
        created_at=now,
    )
    Job.objects.filter(id=job.id).update(current_run=run)
    ring_task("agents.work")
    body: dict[str, Json] = {"workflow": job.workflow, "run": str(run.id), "body": job.body_digest}
    append(actor, "job.submitted", f"job:{job.id}", body)
    ring("runs", actor.workspace_id)
    count_run(actor.workspace_id, now)
    return job.id
