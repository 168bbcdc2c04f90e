"""Who must agree to a proposal, who did, and may this person?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from approvals import policy, queries
from approvals.packing import in_words
from approvals.policy import Objection, Terms
from approvals.queries import Detail
from console.actors import Actor

__all__ = ["Agreement", "agreement", "approvers", "in_words", "objection", "own_decision"]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far a proposal is on its way to the agreement its terms ask for."""

    agreed: tuple[str, ...]
    needed: int

    @property
    def missing(self) -> int:
        """Return how many more must agree."""
        return max(0, self.needed - len(self.agreed))


def agreement(terms: Terms, names: Sequence[str]) -> Agreement:
    """Hold those who approved against the terms."""
    return Agreement(tuple(names), terms.needed)


def approvers(found: Detail) -> list[str]:
    """Return who approved the current revision."""
    return [
        said.person.name
        for said in found.decisions
        if said.choice == "approve" and said.revision == found.revision.number
    ]


def own_decision(found: Detail, actor: Actor) -> str:
    """Return what this person chose on the current revision, or nothing."""
    mine = [
        said.choice
        for said in found.decisions
        if str(said.person_id) == actor.id and said.revision == found.revision.number
    ]
    return mine[0] if mine else ""


def objection(
    actor: Actor, found: Detail, now: datetime, stands_for: UUID | None = None
) -> Objection | None:
    """Say why this actor may not decide, or nothing when they may."""
    question = queries.question(found.proposal, found.revision, now)
    return policy.objection_to(queries.reviewer(actor, stands_for), question)
