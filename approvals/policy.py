"""Who must agree to an action, and do the decisions so far settle it?

A policy is data. When a proposal is made, the first policy that matches is copied into it as its
terms; what is decided later is judged by those terms alone. No match means review by two.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, Self

from console.canonical import Json

Choice = Literal["approve", "reject"]
Outcome = Literal["pending", "approved", "rejected"]
# From this level on, a yes needs a reason and a tick on every failed check.
REASONED = 2
LEVELS = {1: "one click", 2: "tick failed checks and give a reason"}


@dataclass(frozen=True, slots=True)
class Terms:
    """The policy as copied into a proposal."""

    policy: str
    version: int
    level: int
    approvals: int
    denials: int
    roles: tuple[str, ...]
    expires_seconds: int
    hold_seconds: int = 0

    def to_json(self) -> dict[str, Json]:
        """Return what the proposal's row keeps."""
        return {
            "policy": self.policy,
            "version": self.version,
            "level": self.level,
            "approvals": self.approvals,
            "denials": self.denials,
            "roles": list(self.roles),
            "expires_seconds": self.expires_seconds,
            "hold_seconds": self.hold_seconds,
        }

    @classmethod
    def from_json(cls, kept: dict[str, Json]) -> Self:
        """Return the terms that a proposal's row keeps."""
        values = {**kept, "roles": tuple(kept["roles"])}  # type: ignore[arg-type]
        return cls(**values)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Rule:
    """One policy: which action types it is for, and the terms it sets."""

    action_types: tuple[str, ...]
    terms: Terms

    def matches(self, action_type: str) -> bool:
        """Say whether one of the patterns (`pay_*`) names the action type."""
        return any(fnmatchcase(action_type, pattern) for pattern in self.action_types)


REVIEW_BY_TWO = Terms(
    policy="Nothing matched: review by two",
    version=0,
    level=2,
    approvals=2,
    denials=1,
    roles=("reviewer", "admin"),
    expires_seconds=7 * 24 * 3600,
)


def terms_for(rules: Iterable[Rule], action_type: str) -> Terms:
    """Return the terms of the first rule that matches, else review by two."""
    return next((rule.terms for rule in rules if rule.matches(action_type)), REVIEW_BY_TWO)


def objection_to(
    *, kind: str, ref: str, roles: Iterable[str], terms: Terms, lineage: Sequence[str]
) -> str | None:
    """Say why this actor may not decide, or nothing when they may."""
    if kind != "person":
        return "Only people decide; a program or an agent cannot."
    if ref in lineage:
        return "You took part in making this proposal, so somebody else has to decide."
    if not set(roles) & set(terms.roles):
        needed = " or ".join(terms.roles)
        return f"This decision needs the role {needed}."
    return None


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's choice, with the roles that person holds now."""

    choice: Choice
    ref: str
    roles: frozenset[str]


def counted(terms: Terms, votes: Iterable[Vote], lineage: Sequence[str]) -> list[Choice]:
    """Return the choices of those who may still decide; a role that was taken away ends a vote."""
    return [
        vote.choice
        for vote in votes
        if not objection_to(
            kind="person", ref=vote.ref, roles=vote.roles, terms=terms, lineage=lineage
        )
    ]


def outcome(terms: Terms, choices: Sequence[Choice]) -> Outcome:
    """Return what the decisions on one revision add up to; a denial wins over approvals."""
    if choices.count("reject") >= terms.denials:
        return "rejected"
    if choices.count("approve") >= terms.approvals:
        return "approved"
    return "pending"


def says_something(reason: str) -> bool:
    """Say whether a reason holds a letter or a digit, not only what cannot be seen."""
    return any(letter.isalnum() for letter in reason)


def missing_from(terms: Terms, choice: Choice, reason: str, unticked: Sequence[str]) -> str | None:
    """Say what this decision still needs, or nothing when it is complete."""
    if choice == "reject" and not says_something(reason):
        return "Say why you reject, so that the agent and your colleagues can learn from it."
    if choice == "approve" and terms.level >= REASONED and not says_something(reason):
        return "This level asks for a reason."
    if choice == "approve" and terms.level >= REASONED and unticked:
        return f"Tick what you have checked yourself: {unticked[0]}"
    return None


def rank(risk: int, due_epoch_seconds: int) -> int:
    """Return the place in the queue: highest risk first, then the nearest deadline."""
    return (9 - risk) * 10**12 + due_epoch_seconds
