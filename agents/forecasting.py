"""How long will the agents that still have to work take, and is there time for one more?

A forecast comes from an agent's own turns. Where there are too few of them nothing is said, and
nobody is left out because of it: a guess must not cost an answer.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agents.declarations import Team

# Seconds of an agent's newest turns, in any order.
History = Mapping[str, Sequence[float]]
# From so many turns on there is a 95th percentile that is not only the longest of a few.
ENOUGH: Final = 5
KEPT_AT_MOST: Final = 200
USUALLY, NEARLY_ALWAYS = 0.5, 0.95


@dataclass(frozen=True, slots=True)
class Forecast:
    """Seconds that are usually enough (p50), and nearly always (p95)."""

    p50: float = 0.0
    p95: float = 0.0

    def __add__(self, other: "Forecast") -> "Forecast":
        """Return the forecast of one after the other; for p95 that is more than it will take."""
        return Forecast(self.p50 + other.p50, self.p95 + other.p95)


def of_turns(seconds: Sequence[float]) -> Forecast | None:
    """Return the forecast of one turn, or nothing before there is enough to say it from."""
    if len(seconds) < ENOUGH:
        return None
    ordered = sorted(seconds)
    return Forecast(_at(ordered, USUALLY), _at(ordered, NEARLY_ALWAYS))


def of_chain(agents: Sequence[str], history: History) -> Forecast:
    """Return the forecast of one turn after the other; who has no history takes no time."""
    known = (of_turns(history.get(agent, ())) for agent in agents)
    return sum((each for each in known if each), Forecast())


def objection(agents: Sequence[str], history: History, left: float | None) -> str | None:
    """Say why there is no time for these turns, in seconds that are left; nothing if there is."""
    if left is None:
        return None
    forecast = of_chain(agents, history)
    if forecast.p95 <= max(left, 0.0):
        return None
    return (
        f"{_named(agents)}: usually {_said(forecast.p50)}, up to {_said(forecast.p95)}; "
        f"{_said(max(left, 0.0))} are left."
    )


def ahead(agent: str, team: Team | None, asked: Collection[str]) -> tuple[str, ...]:
    """Return whose turns must fit into the time when this agent begins: also who has to follow.

    Before an optional agent, and before the team as such, there must be time for every required
    specialist who was not asked yet. So optional agents are left out first, and a team gives way
    to the one who can work alone only when it would be too late without them, too.
    """
    if team is None:
        return (agent,)
    role = next((role for role in team.roles if role.name == agent), None)
    if role is None or not (role.optional or role is team.coordinator):
        return (agent,)
    required = (each.name for each in team.specialists if not each.optional)
    return (agent, *(name for name in required if name not in asked))


def _at(ordered: Sequence[float], part: float) -> float:
    """Return the nearest rank, which is a time that was really taken."""
    return ordered[math.ceil(part * len(ordered)) - 1]


def _named(agents: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(agents))


def _said(seconds: float) -> str:
    return f"{seconds:.3g} s"
