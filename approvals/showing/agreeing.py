"""Who must agree to a proposal, who did, and may this person?"""

from collections.abc import Sequence
from dataclasses import dataclass

from approvals import policy
from approvals.policy import Terms
from console.actors import Actor


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
    return Agreement(tuple(names), terms.approvals)


def objection(actor: Actor, terms: Terms, lineage: list[str]) -> str | None:
    """Say why this actor may not decide, or nothing when they may."""
    return policy.objection_to(
        kind=actor.kind, ref=actor.ref, roles=actor.roles, terms=terms, lineage=lineage
    )


def in_words(terms: Terms) -> list[str]:
    """Say what the terms ask for, one sentence each."""
    roles = " or ".join(terms.roles)
    people = "1 person" if terms.approvals == 1 else f"{terms.approvals} people"
    denials = "1 rejection ends it" if terms.denials == 1 else f"{terms.denials} rejections end it"
    sentences = [f"{people} with the role {roles} must agree; {denials}."]
    if terms.level > 1:
        sentences.append("Failed checks are ticked one by one, and a reason is given.")
    if terms.hold_seconds:
        sentences.append(f"Held for {duration(terms.hold_seconds)} before it is carried out.")
    return sentences


def duration(seconds: int) -> str:
    """Say a number of seconds the way people do."""
    for size, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            count = seconds // size
            return f"{count} {word}" if count == 1 else f"{count} {word}s"
    return f"{seconds} seconds"
