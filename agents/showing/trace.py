"""How does a journal become a tree that is read from top to bottom?

What an agent does after a handoff stands below it, until one of the agents above acts again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from agents.queries import Traced
from agents.showing.sentences import Sentence, icon_of, sentence
from agents.showing.waterfall import Bar, bars
from agents.showing.words import span

DEEPEST = 5
# A decision's wait is always told; other pauses only when somebody would wonder.
_TOLD_WAIT, _TOLD_PAUSE = timedelta(seconds=1), timedelta(seconds=10)
PEOPLE, OUTSIDE, GUARDS = "People", "Outside", "Guards"
LANE_HEIGHT = 20


@dataclass(slots=True)
class Line:
    """One step of the tree, with what stands below it."""

    step: Traced
    icon: str
    said: Sentence
    took: str
    gap: str
    bar: Bar
    children: list["Line"] = field(default_factory=list)

    @property
    def is_refused(self) -> bool:
        """Say whether a proposal could not even be made."""
        return self.step.kind == "proposal" and self.step.proposal_id is None

    @property
    def began_at(self) -> int | None:
        """Return the step that began what a guard speaks of."""
        asked = self.step.asked
        began = (
            asked.get("began_at") if self.step.kind == "guard" and isinstance(asked, dict) else None
        )
        return began if isinstance(began, int) else None

    @property
    def held_it_up(self) -> bool:
        """Say whether a guard paused or ended the run here."""
        asked = self.step.asked
        strength = asked.get("strength") if isinstance(asked, dict) else None
        return self.step.kind == "guard" and strength in {"pause", "terminate"}


@dataclass(frozen=True, slots=True)
class Lane:
    """One agent's row in the overview."""

    name: str
    y: int
    lines: list[Line]


def lines(steps: Sequence[Traced], titles: Mapping[UUID, str]) -> list[Line]:
    """Return one line per step, in order."""
    placed = bars([(step.started_at, step.ended_at) for step in steps])
    return [_line(step, bar, titles) for step, bar in zip(steps, placed, strict=True)]


def _line(step: Traced, bar: Bar, titles: Mapping[UUID, str]) -> Line:
    return Line(
        step=step,
        icon=icon_of(step),
        said=sentence(step, titles),
        took=span(step.ended_at - step.started_at),
        gap=_gap(step, bar.gap),
        bar=bar,
    )


def _gap(step: Traced, gap: timedelta) -> str:
    if step.kind == "outcome" and gap >= _TOLD_WAIT:
        return f"waited {span(gap)} for a decision"
    if (step.kind, step.name) == ("guard", "answer") and gap >= _TOLD_WAIT:
        return f"waited {span(gap)} for an answer"
    return f"nothing ran for {span(gap)}" if gap >= _TOLD_PAUSE else ""


def tree(flat: Sequence[Line]) -> list[Line]:
    """Put the lines below the handoffs that led to them."""
    top: list[Line] = []
    owners, levels = [""], [top]
    for line in flat:
        owners[0] = owners[0] or line.step.agent
        # A guard speaks about an agent, it is none: it stands where the work was.
        if line.step.kind != "guard" and line.step.agent in owners:
            place = owners.index(line.step.agent) + 1
            del owners[place:], levels[place:]
        levels[-1].append(line)
        is_new = line.step.name not in owners and len(levels) < DEEPEST
        if line.step.kind == "handoff" and is_new:
            owners.append(line.step.name)
            levels.append(line.children)
    return top


def lanes(flat: Sequence[Line]) -> list[Lane]:
    """Return the lines by who acted, in the order of their first act."""
    by_name: dict[str, list[Line]] = {}
    for line in flat:
        by_name.setdefault(_who(line.step), []).append(line)
    found = enumerate(by_name.items())
    return [Lane(name, row * LANE_HEIGHT, mine) for row, (name, mine) in found]


def _who(step: Traced) -> str:
    if step.kind == "guard":
        return PEOPLE if step.name == "answer" else GUARDS
    return step.agent or (PEOPLE if step.kind == "outcome" else OUTSIDE)
