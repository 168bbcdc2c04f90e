"""Agents over HTTP: look, pause, stop. Resuming one, and stopping all of them, is for people."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Literal, cast
from uuid import UUID

from ninja import Field, Query, Router, Schema
from pydantic import ConfigDict

from agents.operations.pausing import REASON_AT_MOST, pause
from agents.operations.stopping import stop
from agents.queries import board as queries
from agents.showing import board
from agents.showing.board import Card
from console.access.bearer import Bearer, ClientRequest
from console.endpoints import PROBLEMS

router = Router()
Standing = Literal["active", "paused", "stopped"]
Activity = Literal["running", "lost_contact", "waiting", "held", "idle"]


class ReasonIn(Schema):
    """Why; it is kept in the ledger and shown beside the agent."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=REASON_AT_MOST)]


class AgentOut(Schema):
    """An agent: how it stands, what it does now, and how it did in the last hour.

    `run` is the open run that `activity` speaks of, `waiting_for` the proposal it waits for;
    `runs` and `failed` are counted up to 500.
    """

    name: str
    status: Standing
    reason: str
    by: str
    since: datetime
    activity: Activity
    run: UUID | None
    waiting_for: UUID | None
    seen_at: datetime
    runs: int
    failed: int


class AgentPage(Schema):
    """Some agents, by name; `next_cursor` continues, empty at the end."""

    items: list[AgentOut]
    next_cursor: str


@router.get("", auth=Bearer("agents:read"), response={200: AgentPage, **PROBLEMS})
def list_agents(
    request: ClientRequest,
    cursor: str = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> AgentPage:
    """List the workspace's agents by name."""
    workspace_id = request.actor.workspace_id
    rows = queries.agents(workspace_id)
    found, following = queries.agents_after(workspace_id, rows, cursor=cursor, size=limit)
    shown = [_shown(card) for card in board.cards(workspace_id, found)]
    return AgentPage(items=shown, next_cursor=following)


@router.get("/{name}", auth=Bearer("agents:read"), response={200: AgentOut, **PROBLEMS})
def get_agent(request: ClientRequest, name: str) -> AgentOut:
    """Look at one agent."""
    return _one(request, name)


@router.post("/{name}/pause", auth=Bearer("agents:write"), response={200: AgentOut, **PROBLEMS})
def pause_agent(request: ClientRequest, name: str, payload: ReasonIn) -> AgentOut:
    """Let an agent stand still, with all that it takes part in; a held one stays as it is."""
    return _act(pause, request, name, payload)


@router.post("/{name}/stop", auth=Bearer("agents:write"), response={200: AgentOut, **PROBLEMS})
def stop_agent(request: ClientRequest, name: str, payload: ReasonIn) -> AgentOut:
    """End what an agent takes part in, and let it do nothing until a person resumes it."""
    return _act(stop, request, name, payload)


def _act(
    verb: Callable[..., bool], request: ClientRequest, name: str, payload: ReasonIn
) -> AgentOut:
    known = queries.agent_named(request.actor.workspace_id, name).name
    verb(actor=request.actor, name=known, reason=payload.reason, now=datetime.now(UTC))
    return _one(request, known)


def _one(request: ClientRequest, name: str) -> AgentOut:
    workspace_id = request.actor.workspace_id
    [card] = board.cards(workspace_id, [queries.agent_named(workspace_id, name)])
    return _shown(card)


def _shown(card: Card) -> AgentOut:
    return AgentOut(
        name=card.agent.name,
        status=cast(Standing, card.agent.status),
        reason=card.agent.status_reason,
        by=card.agent.status_by,
        since=card.agent.status_at,
        activity=cast(Activity, card.activity),
        run=card.run.run_id if card.run else None,
        waiting_for=card.waits.id if card.waits else None,
        seen_at=card.seen_at,
        runs=card.recent.runs,
        failed=card.recent.failed,
    )
