"""How often are checks and critic flags right about proposals of real runs?

Read from `../shared/data/proposals`: 65 runs whose writes are labelled by the state they leave;
where the folder is absent, nothing is measured. Scored as `manage.py measure_guards` does it.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from agents.packs.measuring.critics import Judged, judged, possible, scores
from benchmarks.figures import Part

RUNS = Path(__file__).parents[2] / "shared" / "data" / "proposals" / "runs.json"


def measure(*, rounds: int, quick: bool) -> Part:
    """Return precision and recall of each flag, the share of wrong proposals beside them."""
    part = Part("proposals")
    if not RUNS.exists():
        return part
    found = judged(json.loads(RUNS.read_bytes()))
    _add(part, "all", found)
    _add(part, "those that could be carried out", possible(found))
    return part


def _add(part: Part, name: str, found: Sequence[Judged]) -> None:
    wrong = sum(each.is_wrong for each in found)
    share = part.add(f"{name}: wrong", "%", [100 * wrong / len(found)], called="the base rate")
    for kind, score in scores(found).items():
        if score.flagged:
            precision = [100 * score.precision]
            part.add(f"{name}: {kind}, {score.flagged}, precision", "%", precision, against=share)
            part.add(f"{name}: {kind}, recall", "%", [100 * score.recall])
