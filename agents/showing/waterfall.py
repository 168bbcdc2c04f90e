"""Where on a line from 0 to 1000 does each step stand, when long waits are compressed?

Shape: positions and widths are SVG user units; the engine works through steps one after the
other, so nothing overlaps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WIDTH = 1000.0
# A gap longer than this is drawn as a mark of fixed width, with its true length in words.
LONGEST_GAP = timedelta(seconds=2)
_WAIT_SHARE = 0.05
_ALL_WAITS_SHARE = 0.4
_THINNEST = 2.0

Interval = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Bar:
    """Where a step stands, and how long nothing ran before it."""

    x: float
    width: float
    gap: timedelta
    gap_x: float

    @property
    def is_after_wait(self) -> bool:
        """Say whether the gap before the step was compressed."""
        return self.gap > LONGEST_GAP


def bars(steps: Sequence[Interval]) -> list[Bar]:
    """Place steps, given in the order in which they ran."""
    gaps = _gaps(steps)
    worked = sum(map(_length, steps), timedelta()) or timedelta(milliseconds=1)
    short = sum((gap for gap in gaps if gap <= LONGEST_GAP), timedelta())
    waits = sum(gap > LONGEST_GAP for gap in gaps)
    wait_width = WIDTH * min(_WAIT_SHARE, _ALL_WAITS_SHARE / max(1, waits))
    scale = (WIDTH - waits * wait_width) / (worked + short).total_seconds()
    placed, x = [], 0.0
    for step, gap in zip(steps, gaps, strict=True):
        before = wait_width if gap > LONGEST_GAP else gap.total_seconds() * scale
        width = _length(step).total_seconds() * scale
        shown = max(width, _THINNEST)
        placed.append(Bar(_r(min(x + before, WIDTH - shown)), _r(shown), gap, _r(x)))
        x += before + width
    return placed


def _length(step: Interval) -> timedelta:
    # A step begins on the worker's clock and ends on the database's.
    return max(timedelta(), step[1] - step[0])


def _gaps(steps: Sequence[Interval]) -> list[timedelta]:
    starts = [start for start, _ in steps]
    ends = [starts[0], *(end for _, end in steps[:-1])] if steps else []
    return [max(timedelta(), s - e) for s, e in zip(starts, ends, strict=True)]


def _r(value: float) -> float:
    return round(max(0.0, value), 1)
