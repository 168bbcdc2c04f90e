"""How often are checks and critic flags right about proposals of real runs?

Shape of a file: runs with `proposals`, each `{"step", "tool", "args", "result", "error", "diff",
"matches_gold_state"}`. It holds no conversation, so whether values are grounded cannot be scored
on it. A flag is of use only where it is right more often than the base rate, the share of wrong
proposals.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agents import critic
from agents.packs.recorded_runs import BadRuns
from approvals import legible
from approvals.effects import Measure
from approvals.fields import rows
from snapshots.diff import Change

# What the back end of the recording refused never becomes a proposal here.
IMPOSSIBLE: Final = "impossible"


@dataclass(frozen=True, slots=True)
class Judged:
    """One proposal: what was said of it, and whether it is wrong."""

    flags: frozenset[str]
    is_wrong: bool


@dataclass(frozen=True, slots=True)
class Score:
    """How often a flag was raised, and how often it was right."""

    flagged: int
    right: int
    wrong: int

    @property
    def precision(self) -> float:
        """Return the share of wrong proposals among the flagged."""
        return self.right / self.flagged if self.flagged else 0.0

    @property
    def recall(self) -> float:
        """Return the share of flagged proposals among the wrong."""
        return self.right / self.wrong if self.wrong else 0.0


def judged(runs: Sequence[Mapping[str, Any]]) -> list[Judged]:
    """Return what our checks and the critic say of every proposal. Raises: BadRuns."""
    found = []
    try:
        for run in runs:
            before: list[critic.Act] = []
            for proposal in run["proposals"]:
                failed, changes = bool(proposal["error"]), proposal["diff"]
                act = critic.Act(
                    proposal["step"], proposal["tool"], proposal["args"], changes, failed
                )
                flags = {flag.kind for flag in critic.flags(act, before)} | _said(proposal)
                found.append(Judged(frozenset(flags), not proposal["matches_gold_state"]))
                before.append(act)
    except (KeyError, TypeError) as error:
        raise BadRuns(f"A proposal lacks something or holds it otherwise: {error!r}.") from error
    return found


def possible(found: Sequence[Judged]) -> list[Judged]:
    """Return those that could be carried out, which a person would have seen."""
    return [each for each in found if IMPOSSIBLE not in each.flags]


def scores(found: Sequence[Judged]) -> dict[str, Score]:
    """Return the score of each flag, and of `any`."""
    wrong = sum(each.is_wrong for each in found)
    kinds = sorted({flag for each in found for flag in each.flags})
    return {
        **{kind: _score([each for each in found if kind in each.flags], wrong) for kind in kinds},
        "any": _score([each for each in found if each.flags], wrong),
    }


def measure(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return precision and recall of the flags together and of each, the base rate beside them.

    Shape: `{"proposals", "wrong", "base_rate", "flagged", "precision", "recall", "flags": {kind:
    {"flagged", "precision", "recall"}}}` of the proposals that could be carried out, and `all`
    with the same of every one.
    """
    found = judged(runs)
    return {**_measured(possible(found)), "all": _measured(found)}


def _measured(found: Sequence[Judged]) -> dict[str, Any]:
    each = scores(found)
    wrong = sum(one.is_wrong for one in found)
    return {
        "proposals": len(found),
        "wrong": wrong,
        "base_rate": round(wrong / len(found), 3) if found else 0.0,
        **_told(each["any"]),
        "flags": {kind: _told(score) for kind, score in each.items() if kind != "any"},
    }


def _told(score: Score) -> dict[str, Any]:
    return {
        "flagged": score.flagged,
        "precision": round(score.precision, 3),
        "recall": round(score.recall, 3),
    }


def _score(flagged: Sequence[Judged], wrong: int) -> Score:
    return Score(len(flagged), sum(each.is_wrong for each in flagged), wrong)


def _said(proposal: Mapping[str, Any]) -> set[str]:
    """Return what the preview says: impossible, no change, deceptive, written another way."""
    changes = [Change.from_json(item) for item in proposal["diff"]]
    wording = legible.Wording(changes, (), proposal["args"], proposal["tool"], Measure())
    notes = " ".join(row.note for row in rows(changes, (), None, None))
    return {
        name
        for name, holds in (
            (IMPOSSIBLE, bool(proposal["error"])),
            ("changes_nothing", not changes and not proposal["error"]),
            ("deceives", legible.check(wording) is not None),
            ("format_changed", "format changed" in notes or "type changed" in notes),
        )
        if holds
    }
