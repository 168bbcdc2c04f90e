"""Whose turn a proposal is, other wordings of it, and several decisions at once, over HTTP."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Field, Router, Schema
from pydantic import AwareDatetime, ConfigDict

from approvals.api.proposals import ChangeIn, EvidenceIn, exhibits_of, stated_of
from approvals.operations import bulk, claiming
from approvals.operations.assigning import assign
from approvals.operations.breaking_glass import break_glass
from approvals.operations.deciding import Act, Seen
from approvals.operations.editing import edit
from approvals.operations.rebasing import rebase
from approvals.operations.rewording import reword
from approvals.operations.snoozing import snooze
from console.access.bearer import Bearer, ClientRequest
from console.access.people import People
from console.endpoints import PROBLEMS

router = Router()
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Reason = Annotated[str, Field(max_length=1000)]


class Claimed(Schema):
    """Until when the others see that this person is looking at it."""

    claimed_until: datetime | None


class AssignIn(Schema):
    """Whose turn it is meant to be; null gives it back to all."""

    model_config = ConfigDict(extra="forbid")

    person: UUID | None


class Assigned(Schema):
    """Whose turn it is meant to be."""

    person: UUID | None


class SnoozeIn(Schema):
    """Until when a person does not want to see it in their queue; null brings it back."""

    model_config = ConfigDict(extra="forbid")

    until: AwareDatetime | None


class Snoozed(Schema):
    """Until when it is out of this person's queue."""

    until: AwareDatetime | None


class ReviseIn(Schema):
    """A new wording; what is left out stays as it was. `why` stands beside the revision."""

    model_config = ConfigDict(extra="forbid")

    params: dict[str, Any] | None = None
    changes: Annotated[list[ChangeIn] | None, Field(max_length=500)] = None
    evidence: Annotated[list[EvidenceIn], Field(max_length=20, default_factory=list)]
    rationale: Annotated[str, Field(max_length=4000)] = ""
    why: Annotated[str, Field(max_length=200)] = ""


class SeenIn(Schema):
    """What was on the screen."""

    model_config = ConfigDict(extra="forbid")

    revision: Annotated[int, Field(ge=1, le=2**31 - 1)]
    digest: Digest


class EditIn(SeenIn):
    """Other parameters for what was on the screen, and the reason for them."""

    params: dict[str, Any]
    reason: Annotated[str, Field(min_length=1, max_length=500)]


class GlassIn(SeenIn):
    """Which emergency it is, and the proof of who says so."""

    reason: Annotated[str, Field(min_length=1, max_length=1000)]
    step_up: UUID


class Revised(Schema):
    """The number of the revision that people decide on now."""

    revision: int


class Broken(Schema):
    """What was carried out, before enough people agreed."""

    execution: UUID


class ItemIn(SeenIn):
    """One of several proposals, as it was on the screen."""

    proposal: UUID


class ManyIn(Schema):
    """One decision on several proposals, each of which asks for one click."""

    model_config = ConfigDict(extra="forbid")

    items: Annotated[list[ItemIn], Field(min_length=1, max_length=bulk.AT_MOST)]
    choice: Literal["approve", "reject", "request_changes"]
    reason: Reason = ""
    reason_code: Annotated[str, Field(max_length=40)] = ""


class ResultOut(Schema):
    """What became of one: the `outcome`, or `code` and `detail` of the refusal."""

    proposal: UUID
    ok: bool
    outcome: str
    code: str
    detail: str


class Results(Schema):
    """What became of each, in the order asked; after a dry run, what would become of it."""

    dry_run: bool
    items: list[ResultOut]


@router.post(
    "/{uuid:proposal_id}/claim", auth=People("decide"), response={200: Claimed, **PROBLEMS}
)
def claim_proposal(request: ClientRequest, proposal_id: UUID) -> Claimed:
    """Tell the others that you are looking at it; claiming again renews the claim."""
    until = claiming.claim(actor=request.actor, proposal_id=proposal_id, now=datetime.now(UTC))
    return Claimed(claimed_until=until)


@router.post(
    "/{uuid:proposal_id}/release", auth=People("decide"), response={200: Claimed, **PROBLEMS}
)
def release_proposal(request: ClientRequest, proposal_id: UUID) -> Claimed:
    """Let go of a claim."""
    claiming.release(actor=request.actor, proposal_id=proposal_id, now=datetime.now(UTC))
    return Claimed(claimed_until=None)


@router.post(
    "/{uuid:proposal_id}/assign", auth=People("decide"), response={200: Assigned, **PROBLEMS}
)
def assign_proposal(request: ClientRequest, proposal_id: UUID, payload: AssignIn) -> Assigned:
    """Say whose turn it is meant to be; it keeps nobody else from deciding."""
    now = datetime.now(UTC)
    assign(actor=request.actor, proposal_id=proposal_id, person_id=payload.person, now=now)
    return Assigned(person=payload.person)


@router.post(
    "/{uuid:proposal_id}/snooze", auth=People("decide"), response={200: Snoozed, **PROBLEMS}
)
def snooze_proposal(request: ClientRequest, proposal_id: UUID, payload: SnoozeIn) -> Snoozed:
    """Take it out of your own queue for a while."""
    now = datetime.now(UTC)
    snooze(actor=request.actor, proposal_id=proposal_id, until=payload.until, now=now)
    return Snoozed(until=payload.until)


@router.post(
    "/{uuid:proposal_id}/rebase",
    auth=[Bearer("proposals:write"), People("decide", only=False)],
    response={200: Revised, **PROBLEMS},
)
def rebase_proposal(request: ClientRequest, proposal_id: UUID) -> Revised:
    """Bring it up to its State as it stands now, if it moved."""
    now = datetime.now(UTC)
    return Revised(revision=rebase(actor=request.actor, proposal_id=proposal_id, now=now))


@router.post(
    "/{uuid:proposal_id}/revise",
    auth=Bearer("proposals:write"),
    response={200: Revised, **PROBLEMS},
)
def revise_proposal(request: ClientRequest, proposal_id: UUID, payload: ReviseIn) -> Revised:
    """Word your own proposal anew; what was approved stays with the wording it was given to."""
    number = reword(
        actor=request.actor,
        proposal_id=proposal_id,
        params=payload.params,
        stated=None if payload.changes is None else stated_of(payload.changes),
        rationale=payload.rationale,
        evidence=exhibits_of(payload.evidence),
        why=payload.why,
        now=datetime.now(UTC),
    )
    return Revised(revision=number)


@router.post("/{uuid:proposal_id}/edit", auth=People("decide"), response={200: Revised, **PROBLEMS})
def edit_proposal(request: ClientRequest, proposal_id: UUID, payload: EditIn) -> Revised:
    """Change what you decide on; you become an author of it, so another person approves."""
    number = edit(
        actor=request.actor,
        proposal_id=proposal_id,
        seen=Seen(payload.revision, payload.digest),
        params=payload.params,
        reason=payload.reason,
        now=datetime.now(UTC),
    )
    return Revised(revision=number)


@router.post(
    "/{uuid:proposal_id}/break-glass",
    auth=People("break_glass"),
    response={200: Broken, **PROBLEMS},
)
def break_the_glass(request: ClientRequest, proposal_id: UUID, payload: GlassIn) -> Broken:
    """Have it carried out at once in an emergency; two others owe a review within a day."""
    execution = break_glass(
        actor=request.actor,
        proposal_id=proposal_id,
        seen=Seen(payload.revision, payload.digest),
        reason=payload.reason,
        step_up=payload.step_up,
        now=datetime.now(UTC),
    )
    return Broken(execution=execution)


@router.post("/decide-many", auth=People("decide"), response={200: Results, **PROBLEMS})
def decide_several(request: ClientRequest, payload: ManyIn, *, dry_run: bool = False) -> Results:
    """Decide on up to 25 independent proposals of level 1, each as if it were alone."""
    found = bulk.decide_many(
        actor=request.actor,
        items=[
            bulk.Item(item.proposal, Seen(item.revision, item.digest)) for item in payload.items
        ],
        act=Act(payload.choice, reason=payload.reason, reason_code=payload.reason_code),
        dry_run=dry_run,
        now=datetime.now(UTC),
    )
    items = [
        ResultOut(
            proposal=row.proposal_id,
            ok=row.ok,
            outcome=row.outcome,
            code=row.code,
            detail=row.sentence,
        )
        for row in found
    ]
    return Results(dry_run=dry_run, items=items)
