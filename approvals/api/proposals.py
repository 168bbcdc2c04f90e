"""Proposals over HTTP, for agents that run elsewhere: propose, look, wait, withdraw.

There is no endpoint to decide: no token can.
"""

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast
from uuid import UUID

from django.db import connection
from django.http import HttpResponse
from ninja import Field, Header, Query, Router, Schema, Status
from pydantic import ConfigDict

from approvals import lifecycle, queries
from approvals.operations.patching import Patch, propose_patch
from approvals.operations.proposing import Exhibit, ParamsInvalid, Request, propose
from approvals.operations.withdrawing import withdraw
from console.access.bearer import Bearer, ClientRequest
from console.canonical import Json
from console.endpoints import POLL_SECONDS, PROBLEMS, usable_key
from console.errors import Invalid
from console.paging import page
from snapshots.diff import BadChange, Change

if TYPE_CHECKING:
    from approvals.models import Proposal

router = Router()


class ChangeIn(Schema):
    """One change at a JSON Pointer; `old` must be what stands there."""

    model_config = ConfigDict(extra="forbid")

    op: Literal["add", "replace", "remove"]
    path: Annotated[str, Field(max_length=1000, pattern=r"^(/[^/]*)*$")]
    old: Any = None
    value: Any = None


class EvidenceIn(Schema):
    """What supports the proposal: where it was found and what it says."""

    model_config = ConfigDict(extra="forbid")

    label: Annotated[str, Field(min_length=1, max_length=200)]
    source: Annotated[str, Field(min_length=1, max_length=200)]
    content: Annotated[str, Field(max_length=20_000)]
    paths: Annotated[list[str], Field(max_length=50, default_factory=list)]


class ProposalIn(Schema):
    """An action on a State.

    At most one of `changes`, `json_patch` (RFC 6902) and `merge_patch` (RFC 7396), and only for
    action types whose effect is stated; a patch is turned into the changes that it makes.
    """

    model_config = ConfigDict(extra="forbid")

    state: Annotated[str, Field(min_length=1, max_length=200)]
    action_type: Annotated[str, Field(min_length=1, max_length=80)]
    params: Annotated[dict[str, Any], Field(default_factory=dict)]
    changes: Annotated[list[ChangeIn], Field(max_length=500, default_factory=list)]
    json_patch: Annotated[list[dict[str, Any]], Field(max_length=500, default_factory=list)]
    merge_patch: Any = None
    base_snapshot: int | None = None
    evidence: Annotated[list[EvidenceIn], Field(max_length=20, default_factory=list)]
    rationale: Annotated[str, Field(max_length=4000)] = ""
    external_ref: Annotated[str, Field(max_length=200)] = ""


class ProposalOut(Schema):
    """A proposal and how it stands; `revision_digest` is what decisions are bound to."""

    id: UUID
    status: str
    title: str
    action_type: str
    state: str
    revision: int
    risk: int
    external_ref: str
    created_at: datetime
    due_at: datetime
    settled_at: datetime | None
    settled_by: str
    reason: str


class ProposalDetail(ProposalOut):
    """One proposal with its effect."""

    params: dict[str, Any]
    base_snapshot: int
    revision_digest: str
    changes: list[dict[str, Any]]
    checks: list[dict[str, Any]]
    snapshot: int | None


class ProposalPage(Schema):
    """Some proposals, newest first; `next_cursor` continues, empty at the end."""

    items: list[ProposalOut]
    next_cursor: str


class Made(Schema):
    """The proposal waits for people."""

    id: UUID
    status: Literal["pending"] = "pending"


class Withdrawal(Schema):
    """Why the proposal is taken back."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=1000)]


@router.post("", auth=Bearer("proposals:write"), response={201: Made, **PROBLEMS})
def make_proposal(
    request: ClientRequest,
    payload: ProposalIn,
    idempotency_key: Annotated[str, Header(alias="Idempotency-Key")] = "",
) -> Status[Made]:
    """Put an action before people; the same Idempotency-Key with the same body is the same one."""
    wanted = _wanted(payload, request.actor.ref, usable_key(idempotency_key))
    patch, now = _patch(payload), datetime.now(UTC)
    if patch is None:
        return Status(201, Made(id=propose(actor=request.actor, request=wanted, now=now)))
    made = propose_patch(actor=request.actor, request=wanted, patch=patch, now=now)
    return Status(201, Made(id=made))


@router.get("", auth=Bearer("proposals:read"), response={200: ProposalPage, **PROBLEMS})
def list_proposals(
    request: ClientRequest,
    status: str = "",
    cursor: str = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> ProposalPage:
    """List the workspace's proposals, newest first."""
    rows = queries.proposals(request.actor.workspace_id)
    if status:
        if status not in lifecycle.PROPOSAL_STATUSES:
            raise Invalid(f"There is no status {status!r}.", field="status")
        rows = rows.filter(status=status)
    found = page(rows, by="created_at", cursor=cursor, size=limit)
    items = [ProposalOut(**_shown(row)) for row in found.rows]
    return ProposalPage(items=items, next_cursor=found.next_cursor)


@router.get(
    "/{uuid:proposal_id}", auth=Bearer("proposals:read"), response={200: ProposalDetail, **PROBLEMS}
)
def get_proposal(
    request: ClientRequest, response: HttpResponse, proposal_id: UUID
) -> ProposalDetail:
    """Look at one proposal; its ETag is the current revision's digest."""
    return _detail(request, response, proposal_id)


@router.get(
    "/{uuid:proposal_id}/wait",
    auth=Bearer("proposals:read"),
    response={200: ProposalDetail, **PROBLEMS},
)
def wait_for_proposal(
    request: ClientRequest,
    response: HttpResponse,
    proposal_id: UUID,
    seconds: Annotated[float, Query(ge=0, le=30)] = 20,
) -> ProposalDetail:
    """Answer when the proposal is settled for good, or the time is over."""
    deadline = time.monotonic() + seconds
    while not queries.answer(request.actor.workspace_id, proposal_id).is_final:
        if time.monotonic() >= deadline:
            break
        # A waiting client must not keep one of the pool's connections.
        connection.close()
        time.sleep(POLL_SECONDS)
    return _detail(request, response, proposal_id)


@router.post(
    "/{uuid:proposal_id}/withdraw",
    auth=Bearer("proposals:write"),
    response={200: ProposalDetail, **PROBLEMS},
)
def withdraw_proposal(
    request: ClientRequest, response: HttpResponse, proposal_id: UUID, payload: Withdrawal
) -> ProposalDetail:
    """Take an open proposal back; a settled one stays as it is."""
    now = datetime.now(UTC)
    withdraw(actor=request.actor, proposal_id=proposal_id, reason=payload.reason, now=now)
    return _detail(request, response, proposal_id)


def _patch(payload: ProposalIn) -> Patch | None:
    given = payload.model_fields_set & {"changes", "json_patch", "merge_patch"}
    if len(given) > 1:
        raise ParamsInvalid("Send one of changes, json_patch and merge_patch.", field="changes")
    if "json_patch" in given:
        return Patch("json_patch", cast("Json", payload.json_patch))
    return Patch("merge_patch", payload.merge_patch) if "merge_patch" in given else None


def _changes(payload: ProposalIn) -> tuple[Change, ...]:
    written = [change.model_dump(exclude_unset=True) for change in payload.changes]
    try:
        return tuple(map(Change.from_json, written))
    except BadChange as error:
        raise ParamsInvalid(str(error), field="changes") from error


def _wanted(payload: ProposalIn, origin: str, key: str) -> Request:
    return Request(
        state_key=payload.state,
        action_type=payload.action_type,
        params=payload.params,
        origin=origin,
        origin_step=key,
        stated=_changes(payload),
        evidence=tuple(
            Exhibit(item.label, item.source, item.content, tuple(item.paths))
            for item in payload.evidence
        ),
        rationale=payload.rationale,
        external_ref=payload.external_ref,
        base_number=payload.base_snapshot,
    )


def _shown(row: "Proposal") -> dict[str, Any]:
    return {
        "id": row.id,
        "status": row.status,
        "title": row.title,
        "action_type": row.action_type.name,
        "state": row.state.key,
        "revision": row.revision,
        "risk": row.risk,
        "external_ref": row.external_ref,
        "created_at": row.created_at,
        "due_at": row.due_at,
        "settled_at": row.settled_at,
        "settled_by": row.settled_by,
        "reason": row.settled_reason,
    }


def _detail(request: ClientRequest, response: HttpResponse, proposal_id: UUID) -> ProposalDetail:
    found = queries.detail(request.actor.workspace_id, proposal_id)
    revision = found.revision
    response["ETag"] = f'"{revision.digest}"'
    return ProposalDetail(
        **_shown(found.proposal),
        params=revision.params,
        base_snapshot=revision.base_number,
        revision_digest=revision.digest,
        changes=revision.changes,
        checks=revision.checks,
        snapshot=found.execution.snapshot_number if found.execution else None,
    )
