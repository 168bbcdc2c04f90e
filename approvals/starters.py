"""With which policies may a workspace begin that has none? A pack adds its own when it is loaded.

They are offered where there are no policies yet, and put before people like any other change.
"""

from dataclasses import dataclass

from approvals.policy import Terms, Threshold
from approvals.rulebook import Rule

_DAY = 24 * 3600


@dataclass(frozen=True, slots=True)
class Starter:
    """A set of policies to begin with: its key, what it is called, and for whom it is."""

    key: str
    label: str
    text: str
    rules: tuple[Rule, ...]


_starters: dict[str, Starter] = {}


def offer(starter: Starter) -> None:
    """Let workspaces begin with these policies."""
    _starters[starter.key] = starter


def starters() -> list[Starter]:
    """Return what is offered, in the order of their names."""
    return sorted(_starters.values(), key=lambda starter: starter.label)


def starter(key: str) -> Starter | None:
    """Return one starter, or nothing."""
    return _starters.get(key)


CAREFUL = Starter(
    key="careful",
    label="Careful beginning",
    text="Two people for everything that leaves the house or failed a check, one for the rest.",
    rules=(
        Rule(
            "leaves_house || failed_checks > 0 || tainted || risk >= 3",
            Terms(
                policy="Risky things: two people",
                version=1,
                level=2,
                thresholds=(Threshold(approve=2),),
                expires_seconds=3 * _DAY,
                then="escalate",
                escalate_to=(Threshold(approve=2, roles=("admin",)),),
                escalate_seconds=_DAY,
            ),
        ),
        Rule(
            "true",
            Terms(
                policy="Everything else: one person",
                version=1,
                level=1,
                thresholds=(Threshold(approve=1),),
                expires_seconds=7 * _DAY,
            ),
        ),
        Rule(
            "risk == 1 && failed_checks == 0 && !tainted && !leaves_house",
            Terms(
                policy="Small things by themselves?",
                version=1,
                level=0,
                thresholds=(),
                expires_seconds=7 * _DAY,
                sample=0.1,
            ),
            mode="draft",
            note="A draft: put it into the shadow first, and look at what it would have done.",
        ),
    ),
)
