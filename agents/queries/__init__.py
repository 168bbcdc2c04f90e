"""Which jobs and runs are there, and what did they do?"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from django.db.models import (
    Case,
    Count,
    DurationField,
    Exists,
    ExpressionWrapper,
    F,
    Func,
    IntegerField,
    JSONField,
    Max,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Sum,
    When,
    Window,
)
from django.db.models.functions import Lag, Now
from django.db.models.lookups import LessThan

from agents.models import Halt, Job, Run, Step
from console.canonical import Json
from console.errors import NotFound

# What a line of a trace needs to be told in words; the rest is read when it is opened.
SMALL_BYTES = 4_096


def jobs(workspace_id: UUID) -> QuerySet[Job]:
    """Return a workspace's jobs with their current runs."""
    rows = Job.objects.filter(workspace=workspace_id).select_related("current_run", "state")
    return rows.defer("input")


def job(workspace_id: UUID, job_id: UUID) -> Job:
    """Return one job. Raises: NotFound (404)."""
    row = jobs(workspace_id).filter(id=job_id).first()
    if row is None:
        raise NotFound
    return row


def current_run(row: Job) -> Run:
    """Return the run that stands for a job now."""
    return cast(Run, row.current_run)


def runs(workspace_id: UUID) -> QuerySet[Run]:
    """Return a workspace's runs with their jobs."""
    rows = Run.objects.filter(workspace=workspace_id).select_related("job", "job__state")
    return rows.defer("job__input", "result")


def run(workspace_id: UUID, run_id: UUID) -> Run:
    """Return one run with its job. Raises: NotFound (404)."""
    rows = Run.objects.filter(workspace=workspace_id, id=run_id)
    row = rows.select_related("job", "job__state").first()
    if row is None:
        raise NotFound
    return row


def steps(run_id: UUID, *, after: int = -1, at_most: int = 500) -> list[Step]:
    """Return a stretch of a run's journal."""
    rows = Step.objects.filter(run=run_id, index__gt=after)
    return list(rows.order_by("index")[:at_most])


def waiting(*, after: UUID | None = None, at_most: int = 500) -> list[tuple[UUID, UUID]]:
    """Return runs that wait, with the proposals they wait for, by run id."""
    rows = Run.objects.filter(status="waiting", waiting_for__isnull=False)
    if after:
        rows = rows.filter(id__gt=after)
    found = rows.order_by("id").values_list("id", "waiting_for")[:at_most]
    return [(run_id, proposal_id) for run_id, proposal_id in found if proposal_id]


def has_work(unheard_for: timedelta) -> bool:
    """Say whether a run has been ready for a while, or was lost by its worker."""
    halted = Halt.objects.filter(workspace=OuterRef("workspace"), lifted_at=None)
    rows = Run.objects.filter(~Exists(halted))
    queued = rows.filter(status="queued", queued_at__lt=Now() - unheard_for)
    return queued.exists() or rows.filter(status="running", lease_until__lt=Now()).exists()


def waiting_of(run_id: UUID) -> list[tuple[UUID, UUID]]:
    """Return what one run waits for, if it waits."""
    rows = Run.objects.filter(id=run_id, status="waiting", waiting_for__isnull=False)
    found = rows.values_list("id", "waiting_for")
    return [(waiting_id, proposal_id) for waiting_id, proposal_id in found if proposal_id]


def conversing(waiting: Sequence[tuple[UUID, UUID]]) -> set[tuple[UUID, UUID]]:
    """Return those of the (run, proposal) pairs where the run wants to hear of questions."""
    rows = Step.objects.filter(
        run__in=[run_id for run_id, _ in waiting],
        proposal_id__in=[proposal_id for _, proposal_id in waiting],
        kind="proposal",
        input__converses=True,
    )
    return {pair for pair in rows.values_list("run_id", "proposal_id") if pair in set(waiting)}


@dataclass(frozen=True, slots=True)
class Traced:
    """A step as a trace shows it; `asked` and `answered` only where they are small."""

    index: int
    kind: str
    name: str
    agent: str
    asked: Json
    answered: Json
    error: str
    proposal_id: UUID | None
    started_at: datetime
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Totals:
    """How long a run's steps took together, how long people let it wait, and where it failed."""

    in_steps: timedelta
    for_people: timedelta
    last_at: datetime | None
    failed: int
    first_failed: int | None


def trace(run_id: UUID, *, first: int, before: int) -> list[Traced]:
    """Return the steps from `first` up to, not including, `before`."""
    rows = Step.objects.filter(run=run_id, index__gte=first, index__lt=before).order_by("index")
    found = rows.annotate(asked=_if_small("input"), answered=_if_small("output"))
    names = [field.name for field in fields(Traced)]
    return [Traced(**row) for row in found.values(*names)]


def _if_small(name: str) -> Case:
    size = Func(F(name), function="pg_column_size", output_field=IntegerField())
    return Case(When(LessThan(size, SMALL_BYTES), then=F(name)), output_field=JSONField())


def totals(run_id: UUID) -> Totals:
    """Return what a whole journal adds up to."""
    before = Window(Lag("ended_at"), order_by="index")
    rows = Step.objects.filter(run=run_id).annotate(
        took=ExpressionWrapper(F("ended_at") - F("started_at"), DurationField()),
        gap=ExpressionWrapper(F("started_at") - before, DurationField()),
    )
    found = rows.aggregate(
        in_steps=Sum("took"),
        for_people=Sum("gap", filter=Q(kind="outcome") | Q(kind="guard", name="answer")),
        last_at=Max("ended_at"),
        failed=Count("index", filter=~Q(error="")),
        first_failed=Min("index", filter=~Q(error="")),
    )
    nothing = timedelta()
    found["in_steps"] = found["in_steps"] or nothing
    found["for_people"] = found["for_people"] or nothing
    return Totals(**found)


def step(workspace_id: UUID, run_id: UUID, index: int) -> Step:
    """Return one step with all it was asked and answered. Raises: NotFound (404)."""
    rows = Step.objects.filter(run=run_id, run__workspace=workspace_id, index=index)
    row = rows.select_related("run", "run__job").first()
    if row is None:
        raise NotFound
    return row


def job_with_input(workspace_id: UUID, job_id: UUID) -> Job:
    """Return one job with all it was asked. Raises: NotFound (404)."""
    rows = Job.objects.filter(workspace=workspace_id, id=job_id)
    row = rows.select_related("state").first()
    if row is None:
        raise NotFound
    return row
