"""How is a series of numbers drawn as one line, with its limit, and said in one sentence?

Shape: points are SVG user units in a box of 240 by 48; nothing here needs a style.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 240.0, 48.0
# Room for half the width of the line, so that it is not cut at the edges.
_EDGE = 2.0


@dataclass(frozen=True, slots=True)
class Series:
    """What is drawn: values at times, oldest first, how one is said, and the limit."""

    name: str
    times: Sequence[float]
    values: Sequence[float]
    said: Callable[[float], str]
    limit: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawn series: the line's points, where it ends, where the limit lies, and the sentence."""

    name: str
    points: str
    x: float
    y: float
    limit_y: float | None
    says: str


def chart(series: Series) -> Chart | None:
    """Draw a series; one value is a point at the right edge, none is nothing."""
    if not series.values:
        return None
    low = min(0.0, *series.values)
    limit = series.limit
    high = max(low, *series.values, *([limit] if limit is not None else []), series.most or 0.0)
    placed = [
        (_across(series.times, time), _up(value, low, high))
        for time, value in zip(series.times, series.values, strict=True)
    ]
    return Chart(
        name=series.name,
        points=" ".join(f"{x:g},{y:g}" for x, y in placed),
        x=placed[-1][0],
        y=placed[-1][1],
        limit_y=None if limit is None else _up(limit, low, high),
        says=_sentence(series),
    )


def _across(times: Sequence[float], time: float) -> float:
    first, last = times[0], times[-1]
    part = (time - first) / (last - first) if last > first else 1.0
    return round(_EDGE + part * (WIDTH - 2 * _EDGE), 1)


def _up(value: float, low: float, high: float) -> float:
    part = (value - low) / (high - low) if high > low else 0.0
    return round(HEIGHT - _EDGE - part * (HEIGHT - 2 * _EDGE), 1)


def _sentence(series: Series) -> str:
    values, said = series.values, series.said
    limit = f", limit {said(series.limit)}" if series.limit is not None else ""
    if len(values) == 1:
        return f"{series.name}: {said(values[0])}, measured once{limit}"
    return (
        f"{series.name}, {len(values)} measurements: from {said(values[0])} to {said(values[-1])}, "
        f"lowest {said(min(values))}, highest {said(max(values))}{limit}"
    )
