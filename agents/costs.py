"""What does a rule cost: how many runs that did well would it have halted, and how many others?

The figures were measured on recorded runs by `manage.py measure_costs`, and ship with the code, so
that whoever sets a limit sees its price beside the field.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from agents.breaker import Watch
from agents.guards import DEFAULTS, Number, Setting
from agents.trail import Event
from console.canonical import Json

MEASURED: Final = Path(__file__).with_name("measured.json")
# Which limits are tried, by rule: around the default, and what people first think of.
TRIED: Final[Mapping[str, Sequence[int]]] = {
    "identical_call": (2, 3, 4, 5),
    "failed_again": (2, 3, 4),
    "errors_in_a_row": (2, 3, 4, 5),
    "errors": (3, 4, 6, 8),
    "nothing_new": (5, 10, 15, 20),
    "talk": (10, 20, 30),
    "calls": (10, 20, 30, 40, 60),
    "reads_of_one_tool": (3, 5, 10, 20),
    "writes_of_one_kind": (1, 2, 3, 4, 6),
}


@dataclass(frozen=True, slots=True)
class At:
    """What one limit costs: on how many of the runs that did well, and of the others, it fires."""

    limit: int
    good: int
    bad: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What is known of one rule: what was published, and a limit after the other on our sample."""

    published: str = ""
    at: tuple[At, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """The sample that was measured, what was published of how many runs, and the costs by rule."""

    good: int
    bad: int
    published_runs: int
    published_good: int
    costs: Mapping[str, Cost]

    def of(self, rule: str) -> Cost:
        """Return what is known of a rule, be it nothing."""
        return self.costs.get(rule, Cost())


@cache
def measured() -> Measured:
    """Return the figures that ship with the code."""
    kept = json.loads(MEASURED.read_text())
    published, rules = kept["published"], kept["rules"]
    costs = {
        rule: Cost(
            published["rules"].get(rule, ""),
            tuple(At(*each) for each in rules.get(rule, ())),
        )
        for rule in {*published["rules"], *rules}
    }
    return Measured(kept["good"], kept["bad"], published["runs"], published["good"], costs)


def measure(good: Sequence[Sequence[Event]], bad: Sequence[Sequence[Event]]) -> dict[str, Json]:
    """Return the costs of every limit that is tried, as the file keeps them."""
    rules: dict[str, Json] = {}
    for rule, tried in TRIED.items():
        rows: list[Json] = [
            [limit, _count(good, rule, limit), _count(bad, rule, limit)] for limit in tried
        ]
        rules[rule] = rows
    return {"good": len(good), "bad": len(bad), "rules": rules}


def fires(events: Iterable[Event], rule: str, limit: Number) -> bool:
    """Say whether a rule with this limit, and all others off, would have halted a run."""
    settings = {name: Setting(None, kept.strength) for name, kept in DEFAULTS.items()}
    watch = Watch({**settings, rule: Setting(limit, "pause")})
    return any(
        verdict.rule == rule and verdict.strength in {"pause", "terminate"}
        for event in events
        for verdict in _said(watch, event)
    )


def _said(watch: Watch, event: Event) -> list[Any]:
    before = watch.before(event) if event.kind == "call" else []
    return [*before, *watch.seen(event)]


def _count(runs: Sequence[Sequence[Event]], rule: str, limit: int) -> int:
    return sum(fires(events, rule, limit) for events in runs)
