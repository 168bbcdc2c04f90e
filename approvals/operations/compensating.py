"""Open a proposal for what a rollback cannot take back, because it has left the house."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from approvals import recovering
from approvals.operations.proposing import Request, propose
from approvals.operations.registering import ActionTypeSpec, declare
from console.actors import Actor
from snapshots import queries as snapshots
from snapshots.operations.creating import create_state

RECOVER = ActionTypeSpec(
    name=recovering.NAME,
    label="See to what a rollback cannot take back",
    sentence="Recover what left the house: {title}",
    params_schema=recovering.SCHEMA,
    effect=recovering.EFFECT,
    risk=3,
    reversibility="Noting it changes nothing outside; the work itself is done by people.",
)


@dataclass(frozen=True, slots=True)
class Gone:
    """An effect that is outside while the record of it is rolled away."""

    proposal_id: UUID
    title: str
    number: int
    executed_at: str
    reversibility: str


def compensate(
    *, actor: Actor, state_key: str, gone: Gone, restoration_id: UUID, reason: str, now: datetime
) -> UUID:
    """Put the recovery of one effect before people and return the proposal; asked twice, once.

    Its State is made when the first one needs it. Part of the caller's transaction.
    """
    declare(actor, RECOVER)
    key = recovering.key_of(state_key)
    if snapshots.find(actor.workspace_id, key) is None:
        why = f"What rollbacks of {state_key} could not take back"
        create_state(actor=actor, key=key, document=recovering.nothing_yet(), reason=why, now=now)
    request = Request(
        state_key=key,
        action_type=recovering.NAME,
        params={
            "proposal": str(gone.proposal_id),
            "title": gone.title,
            "state": state_key,
            "snapshot": gone.number,
            "executed_at": gone.executed_at,
            "restoration": str(restoration_id),
            "reversibility": gone.reversibility,
        },
        origin=f"restoration:{restoration_id}",
        origin_step=str(gone.proposal_id),
        rationale=f"{state_key} was rolled back: {reason}\n\n{gone.reversibility}",
        by_people=True,
    )
    return propose(actor=actor, request=request, now=now)
