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

from approvals import filtering, queries
from approvals.operations.patching import Patch, propose_patch
from approvals.operations.previewing import Precondition
from approvals.operations.proposing import Exhibit, ParamsInvalid, Request, propose
from approvals.operations.withdrawing import withdraw
from approvals.second_opinion import Second, agrees, differs_at
from approvals.showing import listing
from approvals.showing.agreeing import in_words
from approvals.showing.reading import as_read_by
from console.access.bearer import Bearer, ClientRequest
from console.access.people import People, PeopleOnly
from console.canonical import Json
from console.endpoints import POLL_SECONDS, PROBLEMS, usable_key
from snapshots.diff import BadChange, Change

if TYPE_CHECKING:
    from approvals.models import Decision, Proposal

router = Router()
READERS = [Bearer("proposals:read"), People("see", only=False)]


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


class PreconditionIn(Schema):
    """What the State has to say at a JSON Pointer for as long as the proposal waits."""

    model_config = ConfigDict(extra="forbid")

    path: Annotated[str, Field(max_length=1000, pattern=r"^(/[^/]*)*$")]
    equals: Any


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
    preconditions: Annotated[list[PreconditionIn], Field(max_length=20, default_factory=list)]
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
    level: int
    policy: str
    amount: str | None
    currency: str
    counterparty: str
    subject: str
    agent: str
    assignee: str | None
    claimed_by: str | None
    claimed_until: datetime | None
    external_ref: str
    created_at: datetime
    due_at: datetime
    settled_at: datetime | None
    settled_by: str
    reason: str


class DecisionOut(Schema):
    """One person's choice on the current revision."""

    choice: str
    person: str
    stands_for: str | None
    reason_code: str
    reason: str
    decided_at: datetime


class SecondOut(Schema):
    """What another agent would have done on the same snapshot, and whether it comes to the same.

    `differs_at` are the paths at which only one of both changes something, or to another value.
    """

    agent: str
    action_type: str
    params: dict[str, Any]
    changes: list[dict[str, Any]]
    why: str
    agrees: bool
    differs_at: list[str]


class ClaimOut(Schema):
    """Where the proposer says that something was approved, and no such decision exists."""

    quote: str
    place: str


class ProposalDetail(ProposalOut):
    """One proposal with its effect.

    `terms` says in sentences who has to agree; `decisions` are those on the current revision, at
    level 3 only your own until you have signed, or it is settled. `second` is an independent
    opinion, null where none was asked for; `false_authority` are claims that lift it one level.
    """

    params: dict[str, Any]
    rationale: str
    terms: list[str]
    escalated_at: datetime | None
    decisions: list[DecisionOut]
    base_snapshot: int
    revision_digest: str
    changes: list[dict[str, Any]]
    checks: list[dict[str, Any]]
    second: SecondOut | None
    false_authority: list[ClaimOut]
    snapshot: int | None


class ProposalPage(Schema):
    """Some proposals, newest first; `next_cursor` continues, empty at the end."""

    items: list[ProposalOut]
    next_cursor: str


class Wanted(Schema):
    """Which proposals are wanted; what is left out asks for nothing."""

    status: Annotated[str, Field(description="one status, or `open` for all that are open")] = ""
    assignee: Annotated[str, Field(description="`me` or `none`")] = ""
    claimed: Annotated[str, Field(description="`me`")] = ""
    eligible: Annotated[str, Field(description="`me`: what I may decide on")] = ""
    snoozed: Annotated[str, Field(description="`me`: what I put off, else left out")] = ""
    action_type: str = ""
    agent: str = ""
    subject: str = ""
    counterparty: str = ""
    state: Annotated[str, Field(description="the State's key")] = ""
    policy: str = ""
    risk_gte: Annotated[str, Field(description="1, 2 or 3")] = ""
    level: Annotated[str, Field(description="0 to 3")] = ""
    amount_gte: Annotated[str, Field(description="a decimal; needs `currency`")] = ""
    currency: Annotated[str, Field(description="ISO 4217")] = ""
    due_before: Annotated[str, Field(description="a time with its zone, or `1h`, `30m`, `2d`")] = ""
    q: Annotated[str, Field(description="words in the sentence")] = ""
    sort: Annotated[str, Field(description="`newest`, `queue` or `deadline`")] = ""


class Counts(Schema):
    """How many are open, and of which kind; what is a person's own is null for a token."""

    open: int
    pending: int
    info_requested: int
    changes_requested: int
    high_risk: int
    due_within_an_hour: int
    unassigned: int
    escalated: int
    mine: int | None = None
    claimed: int | None = None


class Made(Schema):
    """The proposal waits for people, unless a policy approved or denied it at once."""

    id: UUID
    status: Literal["pending", "approved", "denied"]


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
        made = propose(actor=request.actor, request=wanted, now=now)
    else:
        made = propose_patch(actor=request.actor, request=wanted, patch=patch, now=now)
    return Status(201, Made(id=made, status=queries.status_at_first(made)))


@router.get("", auth=READERS, response={200: ProposalPage, **PROBLEMS})
def list_proposals(
    request: ClientRequest,
    wanted: Query[Wanted],
    cursor: str = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> ProposalPage:
    """List the workspace's proposals that fit the filters, newest first if not said otherwise.

    Most filters look only at what is open; with `me`, only a person can ask.
    """
    asked = filtering.read(wanted.model_dump(), status="", sort="newest")
    if asked.is_personal and request.actor.kind != "person":
        raise PeopleOnly(
            "A token is nobody, so nothing is assigned to it and it may decide nothing."
        )
    rows, next_cursor = listing.listed(request.actor, asked, cursor=cursor, size=limit)
    return ProposalPage(items=[ProposalOut(**_shown(row)) for row in rows], next_cursor=next_cursor)


@router.get("/counts", auth=READERS, response={200: Counts, **PROBLEMS})
def count_proposals(request: ClientRequest) -> Counts:
    """Count what is open, of which kind; for a person also what is theirs."""
    return Counts(**listing.counts(request.actor))


@router.get("/{uuid:proposal_id}", auth=READERS, response={200: ProposalDetail, **PROBLEMS})
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


def stated_of(changes: list[ChangeIn]) -> tuple[Change, ...]:
    """Return changes as they were written. Raises: ParamsInvalid (422)."""
    written = [change.model_dump(exclude_unset=True) for change in changes]
    try:
        return tuple(map(Change.from_json, written))
    except BadChange as error:
        raise ParamsInvalid(str(error), field="changes") from error


def exhibits_of(evidence: list[EvidenceIn]) -> tuple[Exhibit, ...]:
    """Return evidence as it came."""
    return tuple(
        Exhibit(item.label, item.source, item.content, tuple(item.paths)) for item in evidence
    )


def _wanted(payload: ProposalIn, origin: str, key: str) -> Request:
    return Request(
        state_key=payload.state,
        action_type=payload.action_type,
        params=payload.params,
        origin=origin,
        origin_step=key,
        stated=stated_of(payload.changes),
        evidence=exhibits_of(payload.evidence),
        rationale=payload.rationale,
        external_ref=payload.external_ref,
        base_number=payload.base_snapshot,
        preconditions=tuple(Precondition(item.path, item.equals) for item in payload.preconditions),
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
        "level": row.level,
        "policy": row.policy,
        "amount": None if row.amount is None else f"{row.amount.normalize():f}",
        "currency": row.currency,
        "counterparty": row.counterparty,
        "subject": row.subject,
        "agent": row.agent,
        "assignee": row.assignee.name if row.assignee else None,
        "claimed_by": row.claimed_by.name if row.claimed_by else None,
        "claimed_until": row.claimed_until,
        "external_ref": row.external_ref,
        "created_at": row.created_at,
        "due_at": row.due_at,
        "settled_at": row.settled_at,
        "settled_by": row.settled_by,
        "reason": row.settled_reason,
    }


def _detail(request: ClientRequest, response: HttpResponse, proposal_id: UUID) -> ProposalDetail:
    found = as_read_by(request.actor, queries.detail(request.actor.workspace_id, proposal_id))
    revision = found.revision
    response["ETag"] = f'"{revision.digest}"'
    return ProposalDetail(
        **_shown(found.proposal),
        params=revision.params,
        rationale=revision.rationale,
        terms=in_words(found.terms),
        escalated_at=found.proposal.escalated_at,
        decisions=[_said(row) for row in found.decisions if row.revision == revision.number],
        base_snapshot=revision.base_number,
        revision_digest=revision.digest,
        changes=revision.changes,
        checks=revision.checks,
        second=_opinion(found),
        false_authority=[ClaimOut(**item) for item in revision.false_authority],
        snapshot=found.execution.snapshot_number if found.execution else None,
    )


def _opinion(found: queries.Detail) -> SecondOut | None:
    if found.revision.second is None:
        return None
    second = Second.from_json(found.revision.second)
    return SecondOut(
        agent=second.agent,
        action_type=second.action_type,
        params=second.params,
        changes=[change.to_json() for change in second.changes],
        why=second.why,
        agrees=agrees(found.changes, second),
        differs_at=differs_at(found.changes, second),
    )


def _said(row: "Decision") -> DecisionOut:
    return DecisionOut(
        choice=row.choice,
        person=row.person.name,
        stands_for=row.stands_for.name if row.stands_for else None,
        reason_code=row.reason_code,
        reason=row.reason,
        decided_at=row.decided_at,
    )
