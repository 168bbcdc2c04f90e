"""How attentively was a decision made? What a page may report about it, and what is too quick.

Kept are durations and counts, never what somebody typed or where they moved.
Source of the pace floor: docs/attention.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from console.canonical import Json

FLOOR_SECONDS = 2.0
FLOOR_SECONDS_PER_FIELD = 1.0
_LONGEST_SECONDS = 24 * 3600
_MOST_OPENED = 1000


def floor(fields: int) -> float:
    """Return below how many seconds nobody has read that many changed fields."""
    return FLOOR_SECONDS + FLOOR_SECONDS_PER_FIELD * fields


def noticed(reported: Mapping[str, str], fields: int) -> dict[str, Json]:
    """Return what a decision keeps of what its page reported; nothing reported is nothing kept.

    Shape: fields, visible_seconds, hidden_seconds, reached_end, evidence_opened, under_floor.
    """
    visible = _number(reported.get("visible_seconds"), _LONGEST_SECONDS)
    if visible is None:
        return {}
    return {
        "fields": fields,
        "visible_seconds": visible,
        "hidden_seconds": _number(reported.get("hidden_seconds"), _LONGEST_SECONDS) or 0.0,
        "reached_end": reported.get("reached_end") in {"1", "true"},
        "evidence_opened": int(_number(reported.get("evidence_opened"), _MOST_OPENED) or 0),
        "under_floor": visible < floor(fields),
    }


def _number(text: str | None, most: float) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return round(value, 1) if 0 <= value <= most else None


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many, and how sure that is: Wilson's interval at 95 %.

    Source: Wilson 1927, without continuity correction.
    """

    count: int
    of: int

    @property
    def percent(self) -> int | None:
        """Return the share in percent, rounded, or nothing of nothing."""
        return round(100 * self.count / self.of) if self.of else None

    @property
    def interval(self) -> tuple[int, int] | None:
        """Return between which percentages it lies."""
        if not self.of:
            return None
        z = 1.959964
        share, n = self.count / self.of, self.of
        middle = (share + z * z / (2 * n)) / (1 + z * z / n)
        half = z * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5 / (1 + z * z / n)
        return round(100 * max(0.0, middle - half)), round(100 * min(1.0, middle + half))
