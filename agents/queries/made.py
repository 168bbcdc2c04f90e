"""What has a restoration made: snapshots, runs, proposals to recover?"""

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from agents.models import Job, Restoration
from approvals import queries as approvals
from snapshots.queries import causes

if TYPE_CHECKING:
    from approvals.models import Proposal


@dataclass(frozen=True, slots=True)
class NewSnapshot:
    """The snapshot in which a State came back."""

    state_id: UUID
    key: str
    number: int


@dataclass(frozen=True, slots=True)
class NewRun:
    """The run in which a job began anew."""

    run_id: UUID
    label: str
    number: int


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a restoration so far."""

    snapshots: list[NewSnapshot]
    runs: list[NewRun]
    proposals: "list[Proposal]"


def made(row: Restoration) -> Made:
    """Return what came of a restoration so far; what still follows is not in it."""
    return Made(_snapshots(row), _runs(row), _proposals(row))


def _snapshots(row: Restoration) -> list[NewSnapshot]:
    keys = {UUID(each["state_id"]): each["key"] for each in row.plan["states"]}
    numbers = causes.made(row.workspace_id, list(keys), "rollback", str(row.id))
    return [NewSnapshot(id_, key, numbers[id_]) for id_, key in keys.items() if id_ in numbers]


def _runs(row: Restoration) -> list[NewRun]:
    before = {UUID(each["job_id"]): UUID(each["run_id"]) for each in row.plan["runs"]}
    jobs = Job.objects.filter(workspace=row.workspace_id, id__in=list(before))
    rows = jobs.select_related("current_run").defer("input", "current_run__result")
    return [
        NewRun(job.current_run.id, job.label or job.workflow, job.current_run.number)
        for job in rows.order_by("created_at", "id")
        if job.current_run and job.current_run.id != before[job.id]
    ]


def _proposals(row: Restoration) -> "list[Proposal]":
    return list(approvals.of_origin(row.workspace_id, f"restoration:{row.id}"))
