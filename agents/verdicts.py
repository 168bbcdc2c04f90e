"""What does a guard say about a run: which rule, how strongly, with which numbers, since when?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self

from console.canonical import Json

Strength = Literal["note", "nudge", "pause", "terminate"]
# From the mildest to the hardest.
STRENGTHS: Final[tuple[Strength, ...]] = ("note", "nudge", "pause", "terminate")
MEANS: Final[Mapping[Strength, str]] = {
    "note": "It is shown.",
    "nudge": "The agent is told once.",
    "pause": "The run waits for a person.",
    "terminate": "The run ends.",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One verdict: the rule's name in `guards.RULES`, a sentence for people, and the evidence.

    `began_at` is the index of the step that began it, `steps` those that count towards it;
    `agent` is whom it is about, and whom a nudge is told.
    """

    rule: str
    strength: Strength
    sentence: str
    began_at: int | None = None
    steps: tuple[int, ...] = ()
    agent: str = ""
    numbers: Mapping[str, Json] = field(default_factory=dict)

    def to_json(self) -> dict[str, Json]:
        """Return what a step keeps."""
        return {
            "rule": self.rule,
            "strength": self.strength,
            "sentence": self.sentence,
            "began_at": self.began_at,
            "steps": [*self.steps],
            "agent": self.agent,
            "numbers": dict(self.numbers),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Return the verdict that a step keeps."""
        return cls(**{**kept, "steps": tuple(kept.get("steps", ()))})


def harder(one: Strength, other: Strength) -> Strength:
    """Return the harder of two strengths."""
    return max(one, other, key=STRENGTHS.index)
