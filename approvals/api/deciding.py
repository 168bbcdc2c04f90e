"""Decisions over HTTP: by people who are signed in, never by a token; and who else may decide."""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from ninja import Field, Header, Router, Schema
from pydantic import ConfigDict

from approvals.api.proposals import READERS
from approvals.operations.deciding import Act, RevisionChanged, Seen, decide
from approvals.showing.eligible import who_may_decide
from console.access.bearer import ClientRequest
from console.access.people import People
from console.endpoints import PROBLEMS, Problem
from console.errors import Refused

router = Router()


class IfMatchRequired(Refused):
    """Send If-Match with the digest of the revision that you looked at."""

    status: ClassVar[int] = 428
    code = "if_match_required"


class DecisionIn(Schema):
    """A person's choice on exactly one wording.

    `reason_code` goes with reject and request_changes; `fact`, `meaning` and `step_up` with level
    3; `stands_for` is whom they stand in for.
    """

    model_config = ConfigDict(extra="forbid")

    choice: Literal["approve", "reject", "request_changes"]
    revision: Annotated[int, Field(ge=1, le=2**31 - 1)]
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    reason_code: Annotated[str, Field(max_length=40)] = ""
    comment: Annotated[str, Field(max_length=1000)] = ""
    ticked: Annotated[list[str], Field(max_length=100, default_factory=list)]
    fact: Annotated[str, Field(max_length=200)] = ""
    meaning: Annotated[str, Field(max_length=20)] = ""
    step_up: UUID | None = None
    stands_for: UUID | None = None


class Decided(Schema):
    """What the decisions so far add up to."""

    outcome: Literal["pending", "approved", "rejected", "changes_requested"]


class EligibleOut(Schema):
    """A person who may decide, and in whose place if not in their own name."""

    person: UUID
    name: str
    roles: list[str]
    stands_for: UUID | None
    stands_for_name: str


class EligibleList(Schema):
    """Who may decide, and whether they are enough to agree."""

    items: list[EligibleOut]
    needed: int
    enough: bool


@router.post(
    "/{uuid:proposal_id}/decisions",
    auth=People("decide"),
    response={200: Decided, 428: Problem, **PROBLEMS},
)
def decide_proposal(
    request: ClientRequest,
    proposal_id: UUID,
    payload: DecisionIn,
    if_match: Annotated[str, Header(alias="If-Match")] = "",
) -> Decided:
    """Decide on the wording that `If-Match` names; sent twice, it is one decision."""
    outcome = decide(
        proposal_id=proposal_id,
        seen=_seen(payload, if_match),
        actor=request.actor,
        act=Act(
            choice=payload.choice,
            reason=payload.comment,
            reason_code=payload.reason_code,
            ticked=tuple(payload.ticked),
            fact=payload.fact,
            meaning=payload.meaning,
            step_up=payload.step_up,
            stands_for=payload.stands_for,
        ),
        now=datetime.now(UTC),
    )
    return Decided(outcome=outcome)


@router.get(
    "/{uuid:proposal_id}/eligible-reviewers",
    auth=READERS,
    response={200: EligibleList, **PROBLEMS},
)
def list_eligible_reviewers(request: ClientRequest, proposal_id: UUID) -> dict[str, Any]:
    """Say who may decide on the current revision at this moment."""
    return who_may_decide(request.actor.workspace_id, proposal_id, datetime.now(UTC))


def _seen(payload: DecisionIn, if_match: str) -> Seen:
    """Return what was looked at, if header and body say the same. Raises: IfMatchRequired (428)."""
    named = if_match.strip().removeprefix("W/").strip('"')
    if not named:
        raise IfMatchRequired
    if named != payload.digest:
        raise RevisionChanged("If-Match names another revision than the decision does.")
    return Seen(payload.revision, payload.digest)
