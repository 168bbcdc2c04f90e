"""What do the list of runs and the page of one run show?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import QuerySet

from agents import lifecycle, queries, workflows
from agents.operations.cancelling import may_cancel
from agents.queries import Totals, board, pauses, used
from agents.showing import looking_back, spent, trace
from agents.showing.addresses import listed_at
from agents.showing.words import opening, span
from approvals import queries as approvals
from console.access.models import Workspace
from console.access.rights import allows
from console.actors import Actor
from console.errors import NotFound
from console.paging import page

if TYPE_CHECKING:
    from agents.models import Run

PAGE_SIZE = 50
SHOWN_STEPS = 200
# A page that stays open grows with its run up to here; then its beginning moves on.
MOST_STEPS = 2 * SHOWN_STEPS
_COUNTED_AT_MOST = 100
SOURCES = {"otlp": "OpenTelemetry spans", "recorded": "a recorded run"}
_IMPORTED = "Brought in from elsewhere"
_LABELS = {"waiting": "Waiting for a decision", "terminated": "Ended early"}
_ENDED = ("succeeded", "failed", "terminated", "superseded")
FILTERS = ("waiting", "running", "queued", "paused", *_ENDED)


@dataclass(frozen=True, slots=True)
class RunRow:
    """One row of the list."""

    run: "Run"
    status_label: str
    workflow_label: str
    waits_for: str
    took: str


@dataclass(frozen=True, slots=True)
class Made:
    """A proposal of a run: what it says, and where it stands."""

    id: UUID
    title: str
    status: str


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of a run's proposals ended in one way, as a sentence says it."""

    count: int
    words: str


def run_list(
    workspace: Workspace, *, since: datetime | None, status: str = "", cursor: str = ""
) -> dict[str, Any]:
    """Return what `agents/_runs.html` shows; what came after `since` is only counted.

    Raises: NotFound (404), BadCursor (400).
    """
    rows = queries.runs(workspace.id)
    if status:
        if status not in lifecycle.RUN_STATUSES:
            raise NotFound
        rows = rows.filter(status=status)
    shown, newer = split(rows, None if cursor else since)
    found = page(shown, by="created_at", cursor=cursor, size=PAGE_SIZE)
    titles = _waited_for(workspace.id, found.rows)
    at = listed_at("agents:run_list", workspace.slug, status=status)
    return {
        "rows": [run_row(run, titles) for run in found.rows],
        "newer": newer,
        "status": status,
        "is_first": not cursor,
        "here_url": at(),
        "all_url": at(status=""),
        "next_url": at(cursor=found.next_cursor) if found.next_cursor else "",
        "first_url": at() if cursor else "",
    }


def split(rows: QuerySet[Any], since: datetime | None) -> tuple[QuerySet[Any], int]:
    """Return the rows up to `since`, and how many came later; nothing moves while one reads."""
    if since is None:
        return rows, 0
    known = rows.filter(created_at__lte=since)
    newer = rows.filter(created_at__gt=since).order_by()[:_COUNTED_AT_MOST].count()
    return (known, newer) if newer and known.exists() else (rows, 0)


def filters(workspace: Workspace, status: str) -> list[dict[str, Any]]:
    """Return the links above the list."""
    return [
        {
            "label": status_label(name) if name else "All",
            "url": listed_at("agents:run_list", workspace.slug, status=name)(),
            "current": name == status,
        }
        for name in ("", *FILTERS)
    ]


def status_label(status: str) -> str:
    """Return how a run's status is said."""
    return _LABELS.get(status, status.capitalize())


def workflow_label(name: str) -> str:
    """Return how a workflow is called by people."""
    known = workflows.find(name)
    return known.label if known else {"imported": _IMPORTED}.get(name, name)


def _waited_for(workspace_id: UUID, rows: Sequence["Run"]) -> dict[UUID, str]:
    ids = [run.waiting_for for run in rows if run.waiting_for]
    found = approvals.proposals(workspace_id).filter(id__in=ids).values_list("id", "title")
    return dict(found) if ids else {}


def run_row(run: "Run", titles: Mapping[UUID, str] | None = None) -> RunRow:
    """Return a run as a list shows it; `titles` are those of the proposals that are waited for."""
    titles = titles or {}
    return RunRow(
        run=run,
        status_label=status_label(run.status),
        workflow_label=workflow_label(run.job.workflow),
        waits_for=titles.get(run.waiting_for, "") if run.waiting_for else "",
        took=_took(run),
    )


def _took(run: "Run") -> str:
    if run.started_at is None or run.finished_at is None:
        return ""
    took = run.finished_at - run.started_at
    # What was brought in without times took nobody knows how long.
    return "" if run.source and took < timedelta(milliseconds=1) else span(took)


def run(workspace: Workspace, actor: Actor, run_id: UUID, *, first: int | None) -> dict[str, Any]:
    """Return what `agents/_run.html` shows, from step `first` on. Raises: NotFound (404)."""
    row = queries.run(workspace.id, run_id)
    totals = queries.totals(run_id)
    proposals = _proposals(workspace.id, run_id)
    first = first_shown(row.next_step, first)
    stretch = steps(run_id, proposals, first=first, before=row.next_step)
    waits_for = next((p for p in proposals if p.id == row.waiting_for), None)
    is_finished = lifecycle.is_finished(row.status)
    guarded = pauses.open_pause_of(run_id) if row.status == "paused" else None
    return {
        **stretch,
        **_beside(row, totals),
        "run": row,
        "job": row.job,
        "status_label": status_label(row.status),
        "workflow_label": workflow_label(row.job.workflow),
        "totals": totals,
        "times": _times(row, totals, is_paused=guarded is not None),
        "guarded": guarded,
        "waits_for": waits_for,
        "first": first,
        "is_finished": is_finished,
        "team": board.taking_part(run_id),
        "run_after": board.run_after(row) if row.status == "superseded" else None,
        "halt": board.standing_halt(workspace.id) if row.status == "queued" else None,
        "can_restore": allows(actor.roles, "restore") and not row.source,
        "can_cancel": not is_finished and may_cancel(actor, row.job),
        "tallies": tallies(proposals),
        "result": opening(row.result) if row.result is not None else None,
    }


def _beside(row: "Run", totals: Totals) -> dict[str, Any]:
    """Return what is said of a run beside its steps: budgets, guards, what may have started it."""
    shares, events = used.by_agent(row.id), looking_back.events_of(row)
    is_under_way = row.status == "running"
    return {
        "source": SOURCES.get(row.source, row.source),
        "budgets": spent.budgets(row, totals, shares),
        "shares": spent.shares(row, shares),
        "suspects": looking_back.suspected(row, events),
        "would_say": looking_back.would_have_said(row, events),
        "missing": used.said(row.id, "not_proposed", "latency"),
        "draft": used.draft(row.id, row.next_step) if is_under_way else None,
        "attempts": used.attempts(row),
    }


def _proposals(workspace_id: UUID, run_id: UUID) -> list[Made]:
    rows = approvals.of_origin(workspace_id, f"run:{run_id}")
    return [Made(row.id, row.title, row.status) for row in rows]


def first_shown(count: int, asked: int | None) -> int:
    """Return where the shown stretch begins: the last 200 steps, or where the page began."""
    if asked is None:
        return max(0, count - SHOWN_STEPS)
    asked = max(0, min(asked, count))
    # In jumps, so that what a reader has opened does not close at every step.
    return asked if count - asked <= MOST_STEPS else (count - SHOWN_STEPS) // 50 * 50


def steps(run_id: UUID, proposals: Sequence[Made], *, first: int, before: int) -> dict[str, Any]:
    """Return a stretch of the trace."""
    titles = {proposal.id: proposal.title for proposal in proposals}
    flat = trace.lines(queries.trace(run_id, first=first, before=before), titles)
    lanes = trace.lanes(flat)
    height = len(lanes) * trace.LANE_HEIGHT
    return {"tree": trace.tree(flat), "lanes": lanes, "overview_height": height, "flat": flat}


def earlier(workspace: Workspace, run_id: UUID, *, before: int) -> dict[str, Any]:
    """Return what `agents/_earlier.html` shows. Raises: NotFound (404)."""
    row = queries.run(workspace.id, run_id)
    before = max(0, min(before, row.next_step))
    first = max(0, before - SHOWN_STEPS)
    proposals = _proposals(workspace.id, run_id)
    return {"run": row, "first": first, **steps(run_id, proposals, first=first, before=before)}


def _times(row: "Run", totals: Totals, *, is_paused: bool) -> dict[str, str]:
    started = row.started_at
    now = datetime.now(UTC)
    for_people = totals.for_people
    if (row.status == "waiting" or is_paused) and totals.last_at:
        for_people += now - totals.last_at
    whole = (row.finished_at or now) - started if started else timedelta()
    return {
        "in_steps": span(totals.in_steps),
        "for_people": span(for_people) if for_people else "",
        "whole": span(whole) if row.finished_at and started else "",
    }


_TALLIES = {
    "approved": ("was approved", "were approved"),
    "pending": ("waits for a decision", "wait for a decision"),
    "rejected": ("was rejected: not carried out", "were rejected: not carried out"),
    "expired": ("expired undecided: not carried out", "expired undecided: not carried out"),
    "stale": ("went out of date: not carried out", "went out of date: not carried out"),
    "withdrawn": ("was withdrawn: not carried out", "were withdrawn: not carried out"),
    "invalidated": ("was made void: not carried out", "were made void: not carried out"),
}


def tallies(proposals: Sequence[Made]) -> list[Tally]:
    """Say what became of a run's proposals, what happened before what did not."""
    counts = {name: sum(p.status == name for p in proposals) for name in _TALLIES}
    return [Tally(count, _TALLIES[name][count > 1]) for name, count in counts.items() if count]
