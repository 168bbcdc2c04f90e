"""What did the agents of a run use, and what did guards say of it that belongs to its end?"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import connection

from agents.models import Draft, Run, Step

if TYPE_CHECKING:
    from django.db.models import QuerySet

# What a step says of tokens may come from elsewhere, and need not be a number.
_BY_AGENT = """
    SELECT agent,
        count(*) FILTER (WHERE kind IN ('tool_call', 'proposal')),
        count(*) FILTER (WHERE kind = 'model_call'),
        coalesce(sum(CASE WHEN jsonb_typeof(output -> 'tokens') = 'number'
            THEN least((output ->> 'tokens')::numeric, 1e15) END)
            FILTER (WHERE kind = 'model_call'), 0)::bigint,
        coalesce(sum(ended_at - started_at), interval '0')
    FROM agents_step WHERE run_id = %s AND kind NOT IN ('guard', 'outcome', 'event')
    GROUP BY agent ORDER BY min(index)
"""
_SENTENCES_AT_MOST = 20


@dataclass(frozen=True, slots=True)
class Used:
    """What one agent has used in a run."""

    agent: str
    calls: int
    answers: int
    tokens: int
    worked: timedelta


def by_agent(run_id: UUID) -> list[Used]:
    """Return what each agent of a run has used, in the order of their first acts."""
    with connection.cursor() as cursor:
        cursor.execute(_BY_AGENT, [run_id])
        return [Used(*row) for row in cursor.fetchall()]


def said(run_id: UUID, *rules: str) -> list[Step]:
    """Return the verdicts of these rules in a run, or of all, in order."""
    rows = Step.objects.filter(run=run_id, kind="guard")
    rows = rows.filter(name__in=rules) if rules else rows
    return list(rows.order_by("index")[:_SENTENCES_AT_MOST])


def draft(run_id: UUID, index: int) -> Draft | None:
    """Return what a model has said so far in the step that is under way."""
    return Draft.objects.filter(run=run_id, index=index).first()


def attempts(run: Run, *, at_most: int = 12) -> list[Run]:
    """Return the other attempts at a run's job, newest first."""
    rows = Run.objects.filter(workspace=run.workspace_id, job=run.job_id).exclude(id=run.id)
    return list(rows.order_by("-number").defer("result")[:at_most])


def like(run: Run) -> "QuerySet[Run]":
    """Return the runs of the same workflow, but for this one."""
    rows = Run.objects.filter(workspace=run.workspace_id, job__workflow=run.job.workflow)
    found = rows.exclude(id=run.id).select_related("job", "job__state")
    return found.defer("job__input", "result")
