"""Restorations over HTTP: plan one, read it, list them.

There is no endpoint to confirm: people do that in the browser, where they see the plan.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from ninja import Field, Query, Router, Schema
from ninja import Status as Answer
from pydantic import ConfigDict

from agents.operations.planning import plan
from agents.queries import restorations
from agents.restoring import Wanted
from console.access.bearer import Bearer, ClientRequest
from console.endpoints import PROBLEMS
from console.errors import Invalid
from console.paging import page
from snapshots import queries as snapshots

if TYPE_CHECKING:
    from agents.models import Restoration

router = Router()
Number = Annotated[int, Field(ge=1, le=2**53 - 1)]


class WantedIn(Schema):
    """What to bring back: `state` is a key, `to` a snapshot's number or `clean` for a memory.

    `keep` names newer snapshots that stay, `paths` the only places that are taken back. To start
    agents anew, name the `state`, the `agent` or the `run`, and the `source`.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Literal["rollback", "reinitialise"] = "rollback"
    state: Annotated[str, Field(max_length=200)] = ""
    to: Number | Literal["clean"] | None = None
    below: bool | None = None
    keep: Annotated[list[Number], Field(max_length=100, default_factory=list)]
    paths: Annotated[
        list[Annotated[str, Field(max_length=1000)]], Field(max_length=200, default_factory=list)
    ]
    agent: Annotated[str, Field(max_length=80)] = ""
    run: UUID | None = None
    source: Literal["", "snapshot", "clean", "last_sane"] = ""


class RestorationOut(Schema):
    """A restoration and how far it got. `log` tells the steps that are done."""

    id: UUID
    kind: str
    state: str
    agent: str
    status: str
    reason: str
    problem: str
    log: list[dict[str, Any]]
    created_at: datetime
    expires_at: datetime
    confirmed_at: datetime | None
    finished_at: datetime | None


class RestorationDetail(RestorationOut):
    """One restoration with all that it does, and the digest of the world it was planned for."""

    wanted: dict[str, Any]
    plan: dict[str, Any]
    live_digest: str


class RestorationPage(Schema):
    """Some restorations, newest first; `next_cursor` continues, empty at the end."""

    items: list[RestorationOut]
    next_cursor: str


@router.post(
    "",
    auth=Bearer("states:write"),
    response={201: RestorationDetail, **PROBLEMS},
    summary="Plan a restoration",
)
def plan_restoration(
    request: ClientRequest, response: HttpResponse, payload: WantedIn
) -> Answer[RestorationDetail]:
    """Show what going back would do; nothing is restored until a person confirms the plan."""
    workspace_id = request.actor.workspace_id
    named = snapshots.named(workspace_id, payload.state).state_id if payload.state else None
    wanted = Wanted(
        kind=payload.kind,
        state=named,
        to=payload.to,
        below=payload.below,
        keep=tuple(payload.keep),
        paths=tuple(payload.paths),
        agent=payload.agent,
        run=payload.run,
        source=payload.source,
    )
    made = plan(actor=request.actor, wanted=wanted, now=datetime.now(UTC))
    response["Location"] = reverse("api-1:get_restoration", kwargs={"restoration_id": made})
    return Answer(201, _detail(restorations.detail(workspace_id, made)))


@router.get("", auth=Bearer("states:read"), response={200: RestorationPage, **PROBLEMS})
def list_restorations(
    request: ClientRequest,
    state: Annotated[str, Query(max_length=200)] = "",
    cursor: str = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> RestorationPage:
    """List the workspace's restorations, or those of one State, newest first."""
    workspace_id = request.actor.workspace_id
    rows = restorations.listed(workspace_id)
    if "\x00" in state:
        raise Invalid("A State's key holds no NUL.", field="state")
    if state:
        rows = restorations.of_state(workspace_id, snapshots.named(workspace_id, state).state_id)
    found = page(rows, by="created_at", cursor=cursor, size=limit)
    items = [RestorationOut(**_shown(row)) for row in found.rows]
    return RestorationPage(items=items, next_cursor=found.next_cursor)


@router.get(
    "/{uuid:restoration_id}",
    auth=Bearer("states:read"),
    response={200: RestorationDetail, **PROBLEMS},
)
def get_restoration(request: ClientRequest, restoration_id: UUID) -> RestorationDetail:
    """Look at one restoration."""
    return _detail(restorations.detail(request.actor.workspace_id, restoration_id))


def _detail(row: "Restoration") -> RestorationDetail:
    return RestorationDetail(
        **_shown(row), wanted=row.wanted, plan=row.plan, live_digest=row.live_digest
    )


def _shown(row: "Restoration") -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "state": row.state.key if row.state else "",
        "agent": row.agent,
        "status": row.status,
        "reason": row.reason,
        "problem": row.problem,
        "log": row.log,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "confirmed_at": row.confirmed_at,
        "finished_at": row.finished_at,
    }
