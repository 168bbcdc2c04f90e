"""Where do two runs do the same, and where do they part?

The longest common subsequence of their steps, by what makes two steps the same (`key`): what each
did alone stands between what both did.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# The table grows with the square; 800 by 800 takes half a second.
STEPS_AT_MOST = 800


@dataclass(frozen=True, slots=True)
class Pair:
    """A place in the one run and in the other; None where only one of them has it."""

    one: int | None
    other: int | None

    @property
    def is_shared(self) -> bool:
        """Say whether both runs did it."""
        return self.one is not None and self.other is not None


def align(one: Sequence[str], other: Sequence[str]) -> list[Pair]:
    """Return the steps of both runs side by side, by their keys, in an order that keeps both."""
    start = _alike(one, other)
    end = _alike(one[start:][::-1], other[start:][::-1])
    inner = _inner(one[start : len(one) - end], other[start : len(other) - end])
    middle = [Pair(_moved(pair.one, start), _moved(pair.other, start)) for pair in inner]
    first = [Pair(place, place) for place in range(start)]
    last = [Pair(len(one) - end + n, len(other) - end + n) for n in range(end)]
    return [*first, *middle, *last]


def parting(pairs: Sequence[Pair]) -> int | None:
    """Return the first place at which the two do not do the same; None if they always do."""
    return next((place for place, pair in enumerate(pairs) if not pair.is_shared), None)


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    length = min(len(one), len(other))
    return next((n for n in range(length) if one[n] != other[n]), length)


def _moved(place: int | None, by: int) -> int | None:
    return None if place is None else place + by


def _inner(one: Sequence[str], other: Sequence[str]) -> Iterator[Pair]:
    lengths = _lengths(one, other)
    a = b = 0
    while a < len(one) and b < len(other):
        if one[a] == other[b]:
            yield Pair(a, b)
            a, b = a + 1, b + 1
        elif lengths[a + 1][b] >= lengths[a][b + 1]:
            yield Pair(a, None)
            a += 1
        else:
            yield Pair(None, b)
            b += 1
    yield from (Pair(place, None) for place in range(a, len(one)))
    yield from (Pair(None, place) for place in range(b, len(other)))


def _lengths(one: Sequence[str], other: Sequence[str]) -> list[list[int]]:
    """Return for each pair of places how much the two still have in common from there on."""
    width = len(other) + 1
    table = [[0] * width for _ in range(len(one) + 1)]
    for a in range(len(one) - 1, -1, -1):
        here, below, key = table[a], table[a + 1], one[a]
        for b in range(width - 2, -1, -1):
            here[b] = below[b + 1] + 1 if key == other[b] else max(below[b], here[b + 1])
    return table
