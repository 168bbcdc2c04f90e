"""How long does it take to find out what changed, next to jsonpatch and deepdiff?

Two documents that share nothing, one record in a hundred changed.
"""

from functools import partial

from benchmarks.figures import Part, in_turns
from benchmarks.hands import Hand

JSONPATCH_LESS_BY, DEEPDIFF_LESS_BY = 12.0, 190.0
SIZES = {100_000: "100 KB", 1_000_000: "1 MB", 10_000_000: "10 MB"}
LOADS = ((100_000, "scattered"), (1_000_000, "scattered"), (1_000_000, "local"))
LARGEST = (10_000_000, "scattered")
IN_A_ROW = 5
# From here on deepdiff takes seconds, and is asked once.
ONCE_FROM_BYTES = 1_000_000


def measure(*, rounds: int, quick: bool) -> Part:
    """Return milliseconds of a comparison, by size and kind of change."""
    part = Part("diffing")
    with Hand("benchmarks.comparing") as hand:
        for size, way in LOADS if quick else (*LOADS, LARGEST):
            hand.call("prepare", size, way)
            _measure_load(part, hand, rounds, size, f"{SIZES[size]} {way}")
    return part


def _measure_load(part: Part, hand: Hand, rounds: int, size: int, title: str) -> None:
    names = ("ours", "jsonpatch")
    found = in_turns(rounds, {n: partial(hand.call, "compare", n, IN_A_ROW) for n in names})
    times = 1 if size >= ONCE_FROM_BYTES else IN_A_ROW
    deep = [hand.call("compare", "deepdiff", times)]
    for name, values, promised in (
        ("jsonpatch", found["jsonpatch"], JSONPATCH_LESS_BY),
        ("deepdiff", deep, DEEPDIFF_LESS_BY),
    ):
        theirs = part.add(f"{title}: {name}", "ms", values, called=name)
        label = f"{title}: snapshots.diff, to {name}"
        part.add(label, "ms", found["ours"], against=theirs, less_by=promised)
