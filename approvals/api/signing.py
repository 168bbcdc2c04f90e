"""Prove over HTTP who decides, for one decision: people only, with their session."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from ninja import Field, Router, Schema
from pydantic import ConfigDict

from approvals.operations.signing import prepare
from console.access.bearer import ClientRequest
from console.access.operations import stepping_up
from console.access.operations.stepping_up import FRESH
from console.access.people import People
from console.endpoints import PROBLEMS

router = Router()


class Wanted(Schema):
    """The decision that is to be proven.

    `digest` is the revision's, `choice` is approve, reject or break_glass, `meaning` one of
    reviewed, responsible and verified (for breaking the glass empty).
    """

    model_config = ConfigDict(extra="forbid")

    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    choice: Annotated[str, Field(pattern=r"^(approve|reject|break_glass)$")]
    meaning: Annotated[str, Field(max_length=20)] = ""


class Proof(Wanted):
    """The same, with the password and a one-time code, or with a passkey's answer."""

    password: Annotated[str, Field(max_length=200)] = ""
    code: Annotated[str, Field(max_length=20)] = ""
    passkey: dict[str, Any] | None = None


class Proven(Schema):
    """What goes with the decision as `step_up`; good once, and until then."""

    step_up: UUID
    expires_at: datetime


@router.post("/{proposal_id}/step-up", auth=People("decide"), response={200: Proven, **PROBLEMS})
def step_up(request: ClientRequest, proposal_id: UUID, payload: Proof) -> Proven:
    """Prove who you are for one decision; nothing is decided by it."""
    now, person = datetime.now(UTC), UUID(request.actor.id)
    prepared = prepare(
        actor=request.actor,
        proposal_id=proposal_id,
        revision_digest=payload.digest,
        choice=payload.choice,
        meaning=payload.meaning,
        now=now,
    )
    if payload.passkey is not None:
        proof = stepping_up.step_up_with_passkey(
            person=person, purpose=prepared.purpose, assertion=payload.passkey, now=now
        )
    else:
        proof = stepping_up.step_up(
            person=person,
            purpose=prepared.purpose,
            password=payload.password,
            code=payload.code,
            now=now,
            about=prepared.about,
        )
    return Proven(step_up=proof, expires_at=now + FRESH)


@router.post(
    "/{proposal_id}/step-up/passkey",
    auth=People("decide"),
    response={200: dict[str, Any], **PROBLEMS},
)
def step_up_passkey(request: ClientRequest, proposal_id: UUID, payload: Wanted) -> dict[str, Any]:
    """Return what a passkey has to sign for one decision: JSON for `navigator.credentials.get`."""
    now = datetime.now(UTC)
    prepared = prepare(
        actor=request.actor,
        proposal_id=proposal_id,
        revision_digest=payload.digest,
        choice=payload.choice,
        meaning=payload.meaning,
        now=now,
    )
    return stepping_up.begin_passkey(
        person=UUID(request.actor.id),
        purpose=prepared.purpose,
        host=request.get_host().partition(":")[0],
        now=now,
        over=prepared.challenge,
        about=prepared.about,
    )
