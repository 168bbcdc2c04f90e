"""Which agents are there, what do they do now, and how did they do in the last hour?

Everything is bounded, however many agents, runs and steps there are: a page of agents, the open
runs of a workspace up to a limit for each status, and the newest runs of each agent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, F, Q, QuerySet, Window
from django.db.models.functions import Now

from agents.models import Agent, Halt, Participation, Run
from console.errors import NotFound
from console.paging import BadCursor

OPEN_AT_MOST = 2_000
COUNTED_AT_MOST = 500
ATTENTION_AT_MOST = 100
# Which of an agent's open runs is shown: the one whose lease ends first, the one open longest.
_FIRST = {"running": "run__lease_until", "waiting": "run__created_at", "paused": "run__created_at"}
_RECENT = """
    SELECT agent.id, count(part.run_id), count(*) FILTER (WHERE run.status = 'failed')
    FROM unnest(%(agents)s::uuid[]) AS agent(id)
    JOIN LATERAL (
        SELECT run_id FROM agents_participation
        WHERE agent_id = agent.id AND since > %(since)s
        ORDER BY since DESC LIMIT %(most)s) AS part ON true
    JOIN agents_run AS run ON run.id = part.run_id
    GROUP BY agent.id
"""


@dataclass(frozen=True, slots=True)
class Doing:
    """An open run that an agent takes part in; `count` is how many it has of this status."""

    agent_id: UUID
    run_id: UUID
    label: str
    workflow: str
    status: str
    lease_until: datetime | None
    waiting_for: UUID | None
    held_because: str
    created_at: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Recent:
    """How many runs an agent joined lately, and how many of them failed; both are counted up to
    a limit.
    """

    runs: int = 0
    failed: int = 0


def agents(workspace_id: UUID, *, which: str = "", named: str = "") -> QuerySet[Agent]:
    """Return agents by name: all, or those that run, were lost, or are held."""
    rows = Agent.objects.filter(workspace=workspace_id).order_by("name")
    if named:
        rows = rows.filter(name__icontains=named)
    if which == "held":
        return rows.exclude(status="active")
    if which:
        return rows.filter(id__in=_in_runs(workspace_id, lost=which == "lost"))
    return rows


def _in_runs(workspace_id: UUID, *, lost: bool) -> QuerySet[Participation, UUID]:
    over = Q(run__lease_until__lt=Now()) if lost else Q()
    rows = Participation.objects.filter(over, run__workspace=workspace_id, run__status="running")
    return rows.values_list("agent_id", flat=True)


def agents_after(
    workspace_id: UUID, rows: QuerySet[Agent], *, cursor: str, size: int
) -> tuple[list[Agent], str]:
    """Return a page of agents by name, and the cursor that continues it (empty at the end).

    Raises: BadCursor (400).
    """
    if cursor:
        rows = rows.filter(name__gt=_name_at(workspace_id, cursor))
    found = list(rows[: size + 1])
    return found[:size], str(found[size - 1].id) if len(found) > size else ""


def _name_at(workspace_id: UUID, cursor: str) -> str:
    try:
        return agent(workspace_id, UUID(cursor)).name
    except (ValueError, NotFound) as error:
        raise BadCursor from error


def agent(workspace_id: UUID, agent_id: UUID) -> Agent:
    """Return one agent. Raises: NotFound (404)."""
    row = Agent.objects.filter(workspace=workspace_id, id=agent_id).first()
    if row is None:
        raise NotFound
    return row


def agent_named(workspace_id: UUID, name: str) -> Agent:
    """Return the agent of this name. Raises: NotFound (404)."""
    rows = Agent.objects.filter(workspace=workspace_id)
    row = None if "\0" in name else rows.filter(name=name).first()
    if row is None:
        raise NotFound
    return row


def doing(workspace_id: UUID, agent_ids: Sequence[UUID]) -> dict[UUID, dict[str, Doing]]:
    """Return what agents do now, by agent and status of the run."""
    found: dict[UUID, dict[str, Doing]] = {agent_id: {} for agent_id in agent_ids}
    for status in _FIRST:
        for each in _doing(workspace_id, agent_ids, status):
            found[each.agent_id][status] = each
    return found


def _doing(workspace_id: UUID, agent_ids: Sequence[UUID], status: str) -> list[Doing]:
    oldest = Run.objects.filter(workspace=workspace_id, status=status).order_by("created_at", "id")
    rows = Participation.objects.filter(
        agent__in=agent_ids, run__in=oldest.values("id")[:OPEN_AT_MOST]
    )
    rows = rows.annotate(
        label=F("run__job__label"),
        workflow=F("run__job__workflow"),
        status=F("run__status"),
        lease_until=F("run__lease_until"),
        waiting_for=F("run__waiting_for"),
        held_because=F("run__held_because"),
        created_at=F("run__created_at"),
        count=Window(Count("*"), partition_by=F("agent_id")),
    )
    names = [field.name for field in fields(Doing)]
    first = rows.order_by("agent_id", _FIRST[status], "run_id").distinct("agent_id")
    return [Doing(**row) for row in first.values(*names)]


def recent(agent_ids: Sequence[UUID], *, since: datetime) -> dict[UUID, Recent]:
    """Return how agents did since then, by agent; those without a run are left out."""
    values: dict[str, Any] = {"agents": [*agent_ids], "since": since, "most": COUNTED_AT_MOST}
    with connection.cursor() as cursor:
        cursor.execute(_RECENT, values)
        return {agent_id: Recent(runs, failed) for agent_id, runs, failed in cursor.fetchall()}


def count(workspace_id: UUID, which: str) -> int:
    """Return how many agents are held, lost or running, counted up to a limit."""
    return agents(workspace_id, which=which).order_by()[:ATTENTION_AT_MOST].count()


def standing_halt(workspace_id: UUID) -> Halt | None:
    """Return the halt under which no agent of the workspace works, if there is one."""
    return Halt.objects.filter(workspace=workspace_id, lifted_at=None).first()


def runs_of(agent_id: UUID, *, cursor: str, size: int) -> tuple[list[Run], str]:
    """Return runs that an agent took part in, newest first, and the cursor that continues them.

    Raises: BadCursor (400).
    """
    rows = Participation.objects.filter(agent=agent_id)
    if cursor:
        last = _participation(agent_id, cursor)
        same = Q(since=last.since, run__lt=last.run_id)
        rows = rows.filter(since__lte=last.since).filter(Q(since__lt=last.since) | same)
    rows = rows.select_related("run", "run__job", "run__job__state")
    rows = rows.defer("run__result", "run__job__input")
    found = list(rows.order_by("-since", "-run")[: size + 1])
    more = str(found[size - 1].run_id) if len(found) > size else ""
    return [row.run for row in found[:size]], more


def _participation(agent_id: UUID, cursor: str) -> Participation:
    try:
        return Participation.objects.get(agent=agent_id, run=UUID(cursor))
    except (ValueError, Participation.DoesNotExist) as error:
        raise BadCursor from error


def taking_part(run_id: UUID) -> list[Agent]:
    """Return the agents that took part in a run, in the order in which they joined it."""
    rows = Participation.objects.filter(run=run_id).select_related("agent")
    return [row.agent for row in rows.order_by("since")]


def run_after(run: Run) -> Run | None:
    """Return the run with which the job of a superseded run went on."""
    return Run.objects.filter(job=run.job_id, number=run.number + 1).first()
