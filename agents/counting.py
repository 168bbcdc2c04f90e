"""How often did something happen in a run, in which steps, and does that reach a rule's limit?"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, floor
from typing import Final

from agents.guards import DEFAULTS, Number, Setting, Settings
from agents.trail import Event
from agents.verdicts import Strength, Verdict
from console.canonical import Json

STEPS_AT_MOST: Final = 20
_HALTING: Final = ("pause", "terminate")


@dataclass(slots=True)
class Count:
    """How often something happened, and the first steps in which it did."""

    number: int = 0
    steps: list[int] = field(default_factory=list)

    def add(self, step: int) -> int:
        """Count one more and return how many there are."""
        self.number += 1
        if len(self.steps) < STEPS_AT_MOST:
            self.steps.append(step)
        return self.number


class Counts:
    """The counters of every rule, each under a subject of its own, and how the rules are set.

    A rule that halts a run fires at its limit and at everything beyond, so that a run which goes
    on regardless is halted again; a milder one is said once.
    """

    def __init__(self, settings: Settings) -> None:
        """Begin with nothing counted; rules that the settings do not name are as by default."""
        self._settings: dict[str, Setting] = {**DEFAULTS, **settings}
        self._counts: dict[str, defaultdict[str, Count]] = {}

    def of(self, rule: str, subject: str = "") -> Count:
        """Return what a rule has counted about a subject."""
        return self._counts.setdefault(rule, defaultdict(Count))[subject]

    def begin_anew(self, rule: str, subject: str | None = None) -> None:
        """Forget what a rule has counted, about one subject or at all."""
        if subject is None:
            self._counts.pop(rule, None)
        elif rule in self._counts:
            self._counts[rule].pop(subject, None)

    def limit(self, rule: str) -> Number | None:
        """Return the limit of a rule, None where it is off."""
        return self._settings[rule].limit

    def raise_limit(self, rule: str, limit: Number) -> None:
        """Set the limit of a rule to what a person has raised it to."""
        self._settings[rule] = Setting(limit, self._settings[rule].strength)

    def reached(self, rule: str, times: int) -> bool:
        """Say whether a rule fires that fires at its limit."""
        limit = self.limit(rule)
        return limit is not None and self._fires(rule, times, ceil(limit))

    def passed(self, rule: str, times: int, own_limit: Number | None = None) -> bool:
        """Say whether a rule fires that allows as many as its limit."""
        limit = self.limit(rule) if own_limit is None else own_limit
        return limit is not None and self._fires(rule, times, floor(limit) + 1)

    def _fires(self, rule: str, times: int, first: int) -> bool:
        halts = self._settings[rule].strength in _HALTING
        return times == first or (halts and times > first)

    def verdict(
        self,
        rule: str,
        sentence: str,
        about: Event,
        count: Count,
        *,
        strength: Strength | None = None,
        limit: Number | None = None,
    ) -> Verdict:
        """Return a verdict with its numbers; it began in the first step that counts."""
        setting = self._settings[rule]
        steps = tuple(count.steps)
        numbers: Mapping[str, Json] = {
            "counted": count.number,
            "limit": setting.limit if limit is None else limit,
        }
        return Verdict(
            rule=rule,
            strength=strength or setting.strength,
            sentence=sentence,
            began_at=steps[0] if steps else about.index,
            steps=steps if about.index in steps else (*steps, about.index),
            agent=about.actor,
            numbers=numbers,
        )


def with_one_more(count: Count, step: int) -> Count:
    """Return a count as it will be after one more, and leave this one as it is."""
    return Count(count.number + 1, [*count.steps[: STEPS_AT_MOST - 1], step])


def times(number: int) -> str:
    """Return how often, in words."""
    return "once" if number == 1 else f"{number} times"


def in_steps(steps: Sequence[int]) -> str:
    """Return in which steps, in words."""
    if len(steps) == 1:
        return f"step {steps[0]}"
    return f"steps {', '.join(map(str, steps[:-1]))} and {steps[-1]}"
