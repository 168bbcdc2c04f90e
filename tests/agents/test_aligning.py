"""Two runs side by side: what both did stands together, and where they part is found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.aligning import align, parting

LETTERS = st.lists(st.sampled_from("abc"), max_size=12)


def shown(one: str, other: str) -> str:
    """Return the pairs as text: both, only the one (in capitals), only the other (with a dot)."""
    found = []
    for pair in align(one, other):
        if pair.one is not None and pair.other is not None:
            found.append(one[pair.one])
        elif pair.one is not None:
            found.append(one[pair.one].upper())
        elif pair.other is not None:
            found.append(f".{other[pair.other]}")
    return "".join(found)


@pytest.mark.parametrize(
    ("one", "other", "expected", "part"),
    [
        ("", "", "", None),
        ("abc", "abc", "abc", None),
        ("abc", "", "ABC", 0),
        ("abxc", "abyc", "abX.yc", 2),
        ("abc", "abbc", "ab.bc", 2),
        ("abcabc", "acbc", "aBcAbc", 1),
        ("ab", "abab", "ab.a.b", 2),
    ],
)
def test_stand_side_by_side(one: str, other: str, expected: str, part: int | None) -> None:
    assert shown(one, other) == expected
    assert parting(align(one, other)) == part


@given(LETTERS, LETTERS)
def test_nothing_is_lost_and_nothing_changes_places(one: list[str], other: list[str]) -> None:
    pairs = align(one, other)
    assert [pair.one for pair in pairs if pair.one is not None] == [*range(len(one))]
    assert [pair.other for pair in pairs if pair.other is not None] == [*range(len(other))]
    for pair in pairs:
        if pair.one is not None and pair.other is not None:
            assert one[pair.one] == other[pair.other]


@given(LETTERS, LETTERS)
def test_as_much_as_possible_is_shared(one: list[str], other: list[str]) -> None:
    def longest(a: int, b: int) -> int:
        if a == len(one) or b == len(other):
            return 0
        if one[a] == other[b]:
            return 1 + longest(a + 1, b + 1)
        key = (a, b)
        if key not in known:
            known[key] = max(longest(a + 1, b), longest(a, b + 1))
        return known[key]

    known: dict[tuple[int, int], int] = {}
    assert sum(pair.is_shared for pair in align(one, other)) == longest(0, 0)
