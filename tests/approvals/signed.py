"""A proposal of level 3 and people who can sign it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from approvals import queries
from approvals.operations.signing import prepare
from approvals.policy import Choice, Outcome
from approvals.queries.facts import fact_of
from console.access.operations.stepping_up import step_up
from console.actors import Actor
from tests.access.proving import PASSWORD, code_of
from tests.story import Cast, now

MEANING = "reviewed"


def ask_for_signatures(cast: Cast, *, approvals: int = 1, **more: Any) -> UUID:
    """Let Scout propose what takes a signature."""
    cast.policy(level=3, approvals=approvals)
    return cast.ask(**more)


def fact(cast: Cast, proposal_id: UUID, who: Actor) -> str:
    """Return what somebody has to type from the diff."""
    found = queries.detail(cast.workspace.id, proposal_id)
    asked = fact_of(found.proposal, found.revision, who)
    return asked.expected if asked else ""


def proof(
    cast: Cast,
    who: Actor,
    proposal_id: UUID,
    secret: str,
    choice: Choice = "approve",
    *,
    meaning: str = MEANING,
    at: datetime | None = None,
) -> UUID:
    """Let somebody prove with a password and a code that they decide."""
    at = at or now()
    digest = cast.look(proposal_id).revision.digest
    prepared = prepare(
        actor=who,
        proposal_id=proposal_id,
        revision_digest=digest,
        choice=choice,
        meaning=meaning,
        now=at,
    )
    return step_up(
        person=UUID(who.id),
        purpose=prepared.purpose,
        password=PASSWORD,
        code=code_of(secret, at),
        now=at,
        about=prepared.about,
    )


def decide(
    cast: Cast,
    who: Actor,
    proposal_id: UUID,
    step_up_id: UUID | None,
    choice: Choice = "approve",
    *,
    meaning: str = MEANING,
    **more: Any,
) -> Outcome:
    """Let somebody decide with a proof, having typed what was asked."""
    return cast.decide(
        who,
        proposal_id,
        choice,
        fact=fact(cast, proposal_id, who),
        meaning=meaning,
        step_up=step_up_id,
        **more,
    )
