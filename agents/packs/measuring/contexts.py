"""How much of what fills the window of real runs need not be there?

Shape of the answer: bytes over all runs, as the last prompt of each would hold them.
"""

from collections.abc import Sequence
from typing import Any

from agents import windows
from agents.packs.recorded_runs import RecordedRun


def measure(runs: Sequence[RecordedRun]) -> dict[str, Any]:
    """Return the sizes before and after pruning, of it all and of the worst run of a hundred."""
    before = after = repeats = failed = results = 0
    shares = []
    for run in runs:
        turns = windows.turns_of(run.events)
        filled, left = windows.fill(turns), windows.pruned(turns)
        before, after = before + left.before, after + left.after
        repeats += filled.by_kind.get("repeat", 0)
        failed += filled.by_kind.get("failed", 0)
        results += filled.by_kind.get("result", 0)
        shares.append(filled.repeats)
    kept = _kept(runs)
    shares.sort()
    return {
        "runs": len(runs),
        "bytes_before": before,
        "bytes_after": after,
        "removed_share": _share(before - after, before),
        "results_bytes": results + repeats + failed,
        "repeats_bytes": repeats,
        "repeats_removed_share": _share(repeats - kept["repeat"], repeats),
        "failed_bytes": failed,
        "failed_removed_share": _share(failed - kept["failed"], failed),
        "repeats_share": _share(repeats, results + repeats + failed),
        "repeats_share_of_the_worst_hundredth": round(_worst_hundredth(shares), 3),
    }


def _kept(runs: Sequence[RecordedRun]) -> dict[str, int]:
    kept = {"repeat": 0, "failed": 0}
    for run in runs:
        filled = windows.fill(windows.pruned(windows.turns_of(run.events)).turns)
        for kind in ("repeat", "failed"):
            kept[kind] += filled.by_kind.get(kind, 0)
    return kept


def _worst_hundredth(shares: Sequence[float]) -> float:
    """Return the mean over the worst run of each hundred, at least one."""
    worst = shares[-max(1, len(shares) // 100) :]
    return sum(worst) / len(worst) if worst else 0.0


def _share(part: int, whole: int) -> float:
    return round(part / whole, 3) if whole else 0.0
