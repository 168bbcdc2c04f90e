"""How often are checks and critic flags right about proposals of real runs?

Read from `../shared/data/proposals`: 65 runs whose writes are labelled by the state they leave.
The set holds no conversation, so whether values are grounded cannot be scored on it; where the
folder is absent, nothing is measured. A flag is of use only above the share of wrong proposals.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents import critic
from approvals import legible
from approvals.effects import Measure
from approvals.fields import rows
from benchmarks.figures import Part
from snapshots.diff import Change

RUNS = Path(__file__).parents[2] / "shared" / "data" / "proposals" / "runs.json"


@dataclass(frozen=True, slots=True)
class Judged:
    """One proposal: what was said of it, and whether it is wrong."""

    flags: frozenset[str]
    is_wrong: bool


def measure(*, rounds: int, quick: bool) -> Part:
    """Return precision and recall of each flag, the share of wrong proposals beside them."""
    part = Part("proposals")
    if not RUNS.exists():
        return part
    found = judged(json.loads(RUNS.read_bytes()))
    _score(part, "all", found, lambda _: True)
    possible = "those that could be carried out"
    _score(part, possible, found, lambda each: "impossible" not in each.flags)
    return part


def judged(runs: Sequence[dict[str, Any]]) -> list[Judged]:
    """Return what our checks and the critic say of every proposal of some runs."""
    found = []
    for run in runs:
        before: list[critic.Act] = []
        for proposal in run["proposals"]:
            failed, changes = bool(proposal["error"]), proposal["diff"]
            act = critic.Act(proposal["step"], proposal["tool"], proposal["args"], changes, failed)
            flags = {flag.kind for flag in critic.flags(act, before)}
            flags |= _said({**proposal, "diff": changes})
            found.append(Judged(frozenset(flags), not proposal["matches_gold_state"]))
            before.append(act)
    return found


def _said(proposal: dict[str, Any]) -> set[str]:
    """Return what the preview says: impossible, no change, deceptive text, another way of writing.

    A call that the recorded back end refused is one that never becomes a proposal here.
    """
    changes = [Change.from_json(item) for item in proposal["diff"]]
    wording = legible.Wording(changes, (), proposal["args"], proposal["tool"], Measure())
    notes = " ".join(row.note for row in rows(changes, (), None, None))
    return {
        name
        for name, holds in (
            ("impossible", bool(proposal["error"])),
            ("changes_nothing", not changes and not proposal["error"]),
            ("deceives", legible.check(wording) is not None),
            ("format_changed", "format changed" in notes or "type changed" in notes),
        )
        if holds
    }


def _score(
    part: Part, name: str, found: Sequence[Judged], chosen: Callable[[Judged], bool]
) -> None:
    counted = [each for each in found if chosen(each)]
    wrong = sum(each.is_wrong for each in counted)
    share = part.add(f"{name}: wrong", "%", [100 * wrong / len(counted)], called="the base rate")
    kinds = sorted({flag for each in counted for flag in each.flags})
    for kind in [*kinds, "any"]:
        flagged = [
            each for each in counted if (each.flags if kind == "any" else kind in each.flags)
        ]
        right = sum(each.is_wrong for each in flagged)
        if flagged:
            precision = [100 * right / len(flagged)]
            part.add(f"{name}: {kind}, {len(flagged)}, precision", "%", precision, against=share)
            part.add(f"{name}: {kind}, recall", "%", [100 * right / wrong])
