"""What does the list of jobs show, and what would a program type to ask for the same?"""

import json
import shlex
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.urls import reverse

from agents import lifecycle, queries
from agents.operations.cancelling import may_cancel
from agents.showing.addresses import listed_at
from agents.showing.runs import PAGE_SIZE, split, status_label, workflow_label
from console.access.models import Workspace
from console.actors import Actor
from console.paging import page

if TYPE_CHECKING:
    from agents.models import Job, Run

_BEARER = '-H "Authorization: Bearer $TOKEN"'
# A longer input is better kept in a file; the example then reads it from there.
_INPUT_AT_MOST = 4_000


@dataclass(frozen=True, slots=True)
class JobRow:
    """One row of the list."""

    job: "Job"
    run: "Run"
    status_label: str
    workflow_label: str
    can_cancel: bool


def job_list(
    workspace: Workspace, actor: Actor, *, since: datetime | None, cursor: str = ""
) -> dict[str, Any]:
    """Return what `agents/_jobs.html` shows. Raises: BadCursor (400)."""
    rows = queries.jobs(workspace.id).defer("input", "current_run__result")
    shown, newer = split(rows, None if cursor else since)
    found = page(shown, by="created_at", cursor=cursor, size=PAGE_SIZE)
    at = listed_at("agents:job_list", workspace.slug)
    return {
        "rows": [_row(job, actor) for job in found.rows],
        "newer": newer,
        "is_first": not cursor,
        "here_url": at(),
        "next_url": at(cursor=found.next_cursor) if found.next_cursor else "",
        "first_url": at() if cursor else "",
    }


def _row(job: "Job", actor: Actor) -> JobRow:
    run = queries.current_run(job)
    is_open = not lifecycle.is_finished(run.status)
    return JobRow(
        job=job,
        run=run,
        status_label=status_label(run.status),
        workflow_label=workflow_label(job.workflow),
        can_cancel=is_open and may_cancel(actor, job),
    )


def calls(job: "Job", host: str) -> dict[str, Any]:
    """Return what `agents/_job_calls.html` shows; `host` is where the reader reached us."""
    one = reverse("api-1:get_job", args=[job.id])
    return {
        "job": job,
        "get_call": f"curl {_BEARER} \\\n  {host}{one}",
        "submit_call": _submit(job, f"{host}{reverse('api-1:submit_job')}"),
        "is_cut": len(json.dumps(job.input)) > _INPUT_AT_MOST,
    }


def _submit(job: "Job", address: str) -> str:
    is_cut = len(json.dumps(job.input)) > _INPUT_AT_MOST
    body = {
        "workflow": job.workflow,
        "state": job.state.key,
        "label": job.label,
        "input": {} if is_cut else job.input,
    }
    lines = [
        "curl -X POST",
        _BEARER,
        '-H "Content-Type: application/json"',
        '-H "Idempotency-Key: $(uuidgen)"',
        f"-d {shlex.quote(json.dumps(body))}",
        address,
    ]
    return " \\\n  ".join(lines)
