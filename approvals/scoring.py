"""How well does what a policy would have done agree with what people decided?

A policy in the shadow is scored by what people said of the very same wordings; what they did not
decide on says nothing and is counted apart.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import sqrt
from typing import Final, Literal

from approvals.rulebook import Would

# What people said of a wording: yes, no, word it anew, or nothing.
Said = Literal["approved", "rejected", "sent_back", "undecided"]
SAID: Final[tuple[Said, ...]] = ("approved", "rejected", "sent_back", "undecided")
WOULD: Final[tuple[Would, ...]] = ("auto", "review", "deny")
_Z95: Final = 1.959963984540054

# A policy is noisy when so many of its hits changed nothing; below this many hits nobody can tell.
NOISY_HITS: Final = 50
NOISY_SHARE: Final = 0.9
# An automatic policy has drifted when, of its newest looks, more than this share came back wrong.
DRIFT_LOOKS: Final = 50
DRIFT_LOOKS_AT_LEAST: Final = 10
DRIFT_SHARE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Scored:
    """What a policy would have done about one wording, and what people said of it."""

    would: Would
    said: Said
    amount: Decimal | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Interval:
    """A share of a sample, with the interval that holds the true one in 95 of 100 samples."""

    hits: int
    of: int

    @property
    def share(self) -> float:
        """Return the share in the sample, 0 without any."""
        return self.hits / self.of if self.of else 0.0

    @property
    def bounds(self) -> tuple[float, float]:
        """Return both ends; without a sample it may be anything. Source: Wilson 1927."""
        if not self.of:
            return 0.0, 1.0
        n, p, z2 = self.of, self.share, _Z95**2
        middle = p + z2 / (2 * n)
        width = _Z95 * sqrt(p * (1 - p) / n + z2 / (4 * n * n))
        low, high = ((middle + sign * width) / (1 + z2 / n) for sign in (-1, 1))
        return max(0.0, low), min(1.0, high)


@dataclass(frozen=True, slots=True)
class Scores:
    """The agreement of a policy with people: counts by what it would do and what they said."""

    matrix: Mapping[tuple[Would, Said], int]
    let_through: Mapping[str, Decimal]

    @property
    def seen(self) -> int:
        """Return of how many wordings the policy spoke."""
        return sum(self.matrix.values())

    @property
    def decided(self) -> int:
        """Return of how many of these people have said something."""
        return sum(count for (_, said), count in self.matrix.items() if said != "undecided")

    @property
    def false_approvals(self) -> Interval:
        """Return how often it would have let through what people rejected or sent back."""
        wrong = self.count("auto", "rejected") + self.count("auto", "sent_back")
        return Interval(wrong, wrong + self.count("auto", "approved"))

    @property
    def agreed(self) -> Interval:
        """Return how often it would have done what people said; a review is no opinion."""
        right = self.count("auto", "approved") + self.count("deny", "rejected")
        wrong = self.false_approvals.hits + self.count("deny", "approved")
        return Interval(right, right + wrong + self.count("deny", "sent_back"))

    def count(self, would: Would, said: Said) -> int:
        """Return one cell of the matrix."""
        return self.matrix.get((would, said), 0)


def scores(rows: Iterable[Scored]) -> Scores:
    """Add up what a policy would have done."""
    matrix: Counter[tuple[Would, Said]] = Counter()
    sums: dict[str, Decimal] = {}
    for row in rows:
        matrix[row.would, row.said] += 1
        is_wrong = row.would == "auto" and row.said in {"rejected", "sent_back"}
        if is_wrong and row.amount is not None:
            sums[row.currency] = sums.get(row.currency, Decimal(0)) + abs(row.amount)
    return Scores(matrix, dict(sorted(sums.items())))


def is_noisy(overridden: Interval) -> bool:
    """Say whether a policy should be looked at, because its reviews change nothing.

    A hit is a proposal that the policy put before people and that they settled; it was overridden
    when they approved it in its first wording, so that the review had no effect.
    """
    return overridden.of >= NOISY_HITS and overridden.share >= NOISY_SHARE


def has_drifted(wrong: Interval) -> bool:
    """Say whether too much of what a policy approved by itself came back wrong."""
    return wrong.of >= DRIFT_LOOKS_AT_LEAST and wrong.share > DRIFT_SHARE
