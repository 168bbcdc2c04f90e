"""What is a figure? Measured values, and the yardstick of the same run that they are told against.

A rate alone tells of the machine. A ratio of two things that were measured in turns, on the same
database, tells of the program.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One value per round, or one per event, of one thing.

    `at_least` and `at_most` are what we promise of the ratio to the yardstick; `less_by` that
    the yardstick is at least so many times this; `within` that this itself is no more. `called`
    is what a yardstick is called where something is told against it.
    """

    part: str
    name: str
    unit: str
    values: Sequence[float]
    against: "Figure | None" = None
    at_least: float | None = None
    at_most: float | None = None
    less_by: float | None = None
    within: float | None = None
    called: str = ""

    @property
    def value(self) -> float:
        """Return the median."""
        return statistics.median(self.values)

    @property
    def ratio(self) -> float | None:
        """Return how many yardsticks this is: the median over the rounds that both went through."""
        if self.against is None:
            return None
        if len(self.values) == len(self.against.values) > 1:
            pairs = zip(self.values, self.against.values, strict=True)
            return statistics.median(mine / theirs for mine, theirs in pairs)
        return self.value / self.against.value

    @property
    def is_kept(self) -> bool:
        """Say whether every promise holds."""
        if self.within is not None and self.value > self.within:
            return False
        ratio = self.ratio
        if ratio is None:
            return True
        most = 1 / self.less_by if self.less_by else self.at_most
        return (self.at_least or 0) <= ratio <= (most or ratio)

    @property
    def is_promised(self) -> bool:
        """Say whether anything is promised of it."""
        promises = (self.at_least, self.at_most, self.less_by, self.within)
        return any(promise is not None for promise in promises)

    def to_json(self) -> dict[str, Any]:
        """Return what the results file keeps."""
        return {
            "part": self.part,
            "name": self.name,
            "unit": self.unit,
            "median": self.value,
            "values": list(self.values),
            "ratio": self.ratio,
            "against": self.against.name if self.against else None,
            "at_least": self.at_least,
            "at_most": self.at_most,
            "less_by": self.less_by,
            "within": self.within,
            "kept": self.is_kept,
        }


@dataclass(slots=True)
class Part:
    """What one part of the benchmark brings: figures, remarks, and whatever was not right."""

    name: str
    figures: list[Figure] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def add(
        self,
        name: str,
        unit: str,
        values: Sequence[float],
        *,
        against: Figure | None = None,
        called: str = "",
        **promises: float | None,
    ) -> Figure:
        """Keep a figure and return it, so that others can be told against it."""
        figure = Figure(self.name, name, unit, values, against, called=called, **promises)
        self.figures.append(figure)
        return figure


def in_turns(rounds: int, subjects: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Measure every subject once a round, each round beginning with another one."""
    measured: dict[str, list[float]] = {name: [] for name in subjects}
    names = list(subjects)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            measured[name].append(subjects[name]())
    return measured


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value that `percent` of a hundred do not exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
