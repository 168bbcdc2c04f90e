"""Where do two runs part, and how do they differ?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from agents import aligning, queries
from agents.aligning import STEPS_AT_MOST, Pair
from agents.queries import Traced, used
from agents.showing.runs import status_label, workflow_label
from agents.showing.sentences import Sentence, icon_of, sentence
from agents.showing.words import opening, span
from agents.trail import digest_of
from console.access.models import Workspace
from console.errors import NotFound

if TYPE_CHECKING:
    from agents.models import Run

_CHOICES = 20
_NOBODY: Mapping[UUID, str] = {}
_RESULT_AT_MOST = 4_000


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two runs."""

    run: "Run"
    label: str
    status_label: str
    steps: int
    worked: str
    tokens: str
    result: str


@dataclass(frozen=True, slots=True)
class Half:
    """A step as one of the two runs did it."""

    step: Traced
    said: Sentence
    icon: str
    took: str


@dataclass(frozen=True, slots=True)
class Row:
    """What both did, or what only one of them did; `differs` if it was answered otherwise."""

    one: Half | None
    other: Half | None
    differs: bool
    parts_here: bool


def picker(workspace: Workspace, run_id: UUID) -> dict[str, Any]:
    """Return what the page shows while the other run is to be chosen. Raises: NotFound (404)."""
    run = queries.run(workspace.id, run_id)
    rows = [*used.attempts(run)]
    others = list(used.like(run).order_by("-created_at", "-id")[:_CHOICES])
    known = {each.id for each in rows}
    return {
        "run": run,
        "label": run.job.label or workflow_label(run.job.workflow),
        "attempts": [(each, status_label(each.status)) for each in rows],
        "others": [(each, status_label(each.status)) for each in others if each.id not in known],
    }


def compared(workspace: Workspace, one_id: UUID, other_id: UUID) -> dict[str, Any]:
    """Return what `agents/run_compare.html` shows of two runs. Raises: NotFound (404)."""
    if one_id == other_id:
        raise NotFound("A run is compared with another one.")
    one, other = queries.run(workspace.id, one_id), queries.run(workspace.id, other_id)
    left, right = _steps(one), _steps(other)
    pairs = aligning.align([_key(step) for step in left], [_key(step) for step in right])
    rows, sides = _rows(pairs, left, right), [_side(one), _side(other)]
    return {
        "one": sides[0],
        "other": sides[1],
        "sides": sides,
        "rows": rows,
        "shared": sum(pair.is_shared for pair in pairs),
        "differing": sum(row.differs for row in rows),
        "parting": next((row for row in rows if row.parts_here), None),
        "is_cut": max(one.next_step, other.next_step) > STEPS_AT_MOST,
        "at_most": STEPS_AT_MOST,
        "same_result": one.result == other.result,
    }


def _steps(run: "Run") -> list[Traced]:
    return queries.trace(run.id, first=0, before=min(run.next_step, STEPS_AT_MOST))


def _key(step: Traced) -> str:
    """Return what makes two steps the same: kind, name, agent and, of calls, what was asked."""
    asked = digest_of(step.asked) if step.kind == "tool_call" and step.asked is not None else ""
    return f"{step.kind}\n{step.name}\n{step.agent}\n{asked}"


def _rows(pairs: Sequence[Pair], left: Sequence[Traced], right: Sequence[Traced]) -> list[Row]:
    parting = aligning.parting(pairs)
    first_other = next(
        (n for n, p in enumerate(pairs) if _answered_otherwise(p, left, right)), None
    )
    places = [place for place in (parting, first_other) if place is not None]
    begins = min(places, default=None)
    return [
        Row(
            one=None if pair.one is None else _half(left[pair.one]),
            other=None if pair.other is None else _half(right[pair.other]),
            differs=_answered_otherwise(pair, left, right),
            parts_here=place == begins,
        )
        for place, pair in enumerate(pairs)
    ]


def _answered_otherwise(pair: Pair, left: Sequence[Traced], right: Sequence[Traced]) -> bool:
    if pair.one is None or pair.other is None:
        return False
    one, other = left[pair.one], right[pair.other]
    if one.kind in {"proposal", "outcome"}:
        # Ids of proposals differ, whatever became of them.
        return sentence(one, _NOBODY) != sentence(other, _NOBODY)
    return (one.answered, one.error) != (other.answered, other.error)


def _half(step: Traced) -> Half:
    took = span(step.ended_at - step.started_at)
    return Half(step, sentence(step, _NOBODY), icon_of(step), took)


def _side(run: "Run") -> Side:
    shares = used.by_agent(run.id)
    tokens = run.tokens or sum(share.tokens for share in shares)
    worked = sum((share.worked for share in shares), timedelta())
    result = "" if run.result is None else opening(run.result, at_most=_RESULT_AT_MOST)[0]
    label = run.job.label or workflow_label(run.job.workflow)
    status, taken = status_label(run.status), span(worked)
    return Side(run, label, status, run.next_step, taken, f"{tokens:,}", result)
