"""Runs that a guard has paused, over HTTP: look. What becomes of them is for people to say."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from ninja import Query, Router, Schema

from agents.queries import pauses as queries
from agents.showing.pauses import rule_label
from agents.verdicts import Verdict
from console.access.bearer import Bearer, ClientRequest
from console.endpoints import PROBLEMS
from console.paging import page

if TYPE_CHECKING:
    from agents.models import Pause

router = Router()


class PauseOut(Schema):
    """A run that a guard has paused, and what was said to it if somebody did.

    `steps` are those that the rule counted, `began_at` the one that began it; `raised` holds the
    limits that a person has raised for the run.
    """

    id: UUID
    run: UUID
    job: UUID
    workflow: str
    state: str
    rule: str
    label: str
    sentence: str
    agent: str
    step: int
    began_at: int | None
    steps: list[int]
    numbers: dict[str, Any]
    status: str
    by: str
    reason: str
    raised: dict[str, Any]
    created_at: datetime
    decided_at: datetime | None


class PausePage(Schema):
    """Some pauses; `next_cursor` continues, empty at the end."""

    items: list[PauseOut]
    next_cursor: str


@router.get("", auth=Bearer("agents:read"), response={200: PausePage, **PROBLEMS})
def list_pauses(
    request: ClientRequest,
    which: Literal["open", "decided"] = "open",
    cursor: str = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> PausePage:
    """List runs that wait because of a guard, the oldest first; or those that did, newest first."""
    workspace_id, is_open = request.actor.workspace_id, which == "open"
    rows = queries.open_pauses(workspace_id) if is_open else queries.ended_pauses(workspace_id)
    found = page(rows, by="created_at", cursor=cursor, size=limit, newest_first=not is_open)
    return PausePage(items=[_shown(row) for row in found.rows], next_cursor=found.next_cursor)


@router.get("/{uuid:pause_id}", auth=Bearer("agents:read"), response={200: PauseOut, **PROBLEMS})
def get_pause(request: ClientRequest, pause_id: UUID) -> PauseOut:
    """Look at one paused run and why it waits."""
    return _shown(queries.pause(request.actor.workspace_id, pause_id))


def _shown(row: "Pause") -> PauseOut:
    verdict = Verdict.from_json(row.verdict)
    return PauseOut(
        id=row.id,
        run=row.run_id,
        job=row.run.job_id,
        workflow=row.run.job.workflow,
        state=row.run.job.state.key,
        rule=row.rule,
        label=rule_label(row.rule),
        sentence=verdict.sentence,
        agent=row.agent,
        step=row.step,
        began_at=verdict.began_at,
        steps=[*verdict.steps],
        numbers=dict(verdict.numbers),
        status=row.status,
        by=(row.decider or {}).get("name", ""),
        reason=row.reason,
        raised=row.raised,
        created_at=row.created_at,
        decided_at=row.decided_at,
    )
