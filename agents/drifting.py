"""How far has a State drifted, how fast does it grow, and which limits has it passed?

Shares are 0 to 1 of a memory's entries; growth is bytes per thousand jobs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from console.canonical import Json

# One bad entry of two is no drift yet, and one job's bytes times a thousand no growth.
FEWEST_ENTRIES = 10
FEWEST_JOBS = 20
# Growth is told over the last thousand jobs, or over all of them while there are fewer.
GROWTH_WINDOW_JOBS = 1_000


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured. `differing` is null without an outside reading, `growth` without jobs."""

    entries: int
    stale: int
    contradicting: int
    differing: int | None
    document_bytes: int
    jobs: int
    growth: float | None

    @property
    def stale_share(self) -> float:
        """Return the share of entries that are expired, orphaned or superseded."""
        return self.stale / self.entries if self.entries else 0.0

    @property
    def contradicting_share(self) -> float:
        """Return the share of entries that the record contradicts."""
        return self.contradicting / self.entries if self.entries else 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on drift is too much; null means never."""

    stale_share: float | None = None
    contradicting_share: float | None = None
    differing: float | None = None
    growth: float | None = None


@dataclass(frozen=True, slots=True)
class Over:
    """A limit that was passed: which, by what, and the sentence with both numbers."""

    measure: str
    value: float
    limit: float
    says: str

    def to_json(self) -> dict[str, Json]:
        """Return what a measurement keeps."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Mark:
    """How large a State was after how many jobs."""

    jobs: int
    document_bytes: int


MEASURES: Final = tuple(each.name for each in fields(Limits))
NAMES: Final[Mapping[str, str]] = {
    "stale_share": "Stale entries",
    "contradicting_share": "Contradicted entries",
    "differing": "Fields that differ outside",
    "growth": "Growth per 1,000 jobs",
}


def growth(then: Mark | None, now: Mark) -> float | None:
    """Return by how many bytes a State grows in a thousand jobs, if enough jobs were done."""
    if then is None or now.jobs - then.jobs < FEWEST_JOBS:
        return None
    return (now.document_bytes - then.document_bytes) * 1000 / (now.jobs - then.jobs)


def over(figures: Figures, limits: Limits) -> list[Over]:
    """Return the limits that are passed, each with its sentence."""
    found = []
    for measure in MEASURES:
        value, limit = _judged(figures, measure), getattr(limits, measure)
        if value is not None and limit is not None and value > limit:
            found.append(Over(measure, value, limit, _sentence(measure, value, limit, figures)))
    return found


def crossed(now: Sequence[Over], before: Sequence[Mapping[str, Any]]) -> list[Over]:
    """Return the limits that the measurement before had not passed."""
    known = {each.get("measure") for each in before}
    return [each for each in now if each.measure not in known]


def shown(measure: str, value: float | None) -> str:
    """Say a measured value, or a limit, with its unit."""
    if value is None:
        return "–"
    if measure.endswith("_share"):
        return f"{value * 100:.3g} %"
    if measure == "growth":
        return f"{'−' if value < 0 else ''}{_bytes(abs(value))}"
    return f"{value:,.0f}"


def _judged(figures: Figures, measure: str) -> float | None:
    if measure.endswith("_share") and figures.entries < FEWEST_ENTRIES:
        return None
    value: float | None = getattr(figures, measure)
    return value


def _sentence(measure: str, value: float, limit: float, figures: Figures) -> str:
    said, most = shown(measure, value), shown(measure, limit)
    if measure == "stale_share":
        what = f"{figures.stale:,} of {figures.entries:,} entries are stale ({said})"
    elif measure == "contradicting_share":
        count = f"{figures.contradicting:,} of {figures.entries:,} entries"
        what = f"The record contradicts {count} ({said})"
    elif measure == "differing":
        what = f"{said} fields differ from the outside record"
    else:
        what = f"It grows by {said} in 1,000 jobs"
    return f"{what}; the limit is {most}."


def _bytes(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 999.5:  # noqa: PLR2004  (decimal units, rounded to three digits)
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.0f} GB"
