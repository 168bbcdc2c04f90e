"""Who must agree to a proposal, who did, and may this person?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from approvals import policy, queries
from approvals.policy import Terms
from approvals.queries import Detail
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
    return Agreement(tuple(names), terms.needed)


def objection(actor: Actor, found: Detail, now: datetime) -> str | None:
    """Say why this actor may not decide, or nothing when they may."""
    question = queries.question(found.proposal, found.revision, now)
    barred = policy.objection_to(queries.reviewer(actor), question)
    return barred.sentence if barred else None


def in_words(terms: Terms) -> list[str]:
    """Say what the terms ask for, one sentence each."""
    roles = " or ".join(terms.roles)
    people = "1 person" if terms.needed == 1 else f"{terms.needed} people"
    deny = min((item.deny for item in terms.asked), default=1)
    denials = "1 rejection ends it" if deny == 1 else f"{deny} rejections end it"
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
