"""How often do suspect steps name the step in which a failed run went wrong?

Shape of a file: a list of `{"traj": [{"role", "content", "index", "tool_calls", "tool_call_id",
"name"}], "label": {"failures": [{"failure_id", "step_number"}], "root_cause": {"failure_id"}}}`;
steps are counted from 1, the system message being the first. The step that people named as the
root cause is the one to be found.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agents.packs.recorded_runs import BadRuns, writes
from agents.suspects import Suspect, rank
from agents.trail import Event

NEAR, AROUND, TOP = 1, 3, 3
_ROLES: Final = {"user": "user", "assistant": "assistant", "system": "system"}


@dataclass(frozen=True, slots=True)
class Judged:
    """One failed run: what happened, and the step that people say it began in."""

    name: str
    events: tuple[Event, ...]
    root: int


def read(records: Sequence[Mapping[str, Any]]) -> list[Judged]:
    """Return records as judged runs. Raises: BadRuns."""
    return [_judged(record) for record in records]


def measure(runs: Sequence[Judged]) -> dict[str, Any]:
    """Return how many root causes each way of pointing finds, and what was said of each run.

    Shape: `{"runs", "exact", "within_1", "within_3", "in_top_3", "baselines": {name: {"exact",
    "within_1", "within_3"}}, "each": […]}`; all are numbers of runs.
    """
    ranked = [(run, rank(run.events)) for run in runs]
    found = [(run.root, [each.step for each in suspects]) for run, suspects in ranked]
    return {
        "runs": len(runs),
        **_hits([(root, steps[0] if steps else None) for root, steps in found]),
        f"in_top_{TOP}": sum(root in steps[:TOP] for root, steps in found),
        "baselines": {
            name: _hits([(run.root, pointed(run.events)) for run in runs])
            for name, pointed in BASELINES.items()
        },
        "each": [_told(run, suspects) for run, suspects in ranked],
    }


def first_write(events: Sequence[Event]) -> int | None:
    """Return the step of the first write."""
    return next((each.index for each in events if each.kind == "call" and each.writes), None)


def first_error(events: Sequence[Event]) -> int | None:
    """Return the first step whose result looks like an error."""
    return next((each.index for each in events if each.kind == "result" and each.error), None)


BASELINES: Final[Mapping[str, Callable[[Sequence[Event]], int | None]]] = {
    "first_write": first_write,
    "first_error": first_error,
}


def _hits(pointed: Sequence[tuple[int, int | None]]) -> dict[str, int]:
    away = [abs(root - step) for root, step in pointed if step is not None]
    return {
        "exact": sum(each == 0 for each in away),
        f"within_{NEAR}": sum(each <= NEAR for each in away),
        f"within_{AROUND}": sum(each <= AROUND for each in away),
    }


def _told(run: Judged, suspects: Sequence[Suspect]) -> dict[str, Any]:
    return {
        "run": run.name,
        "root": run.root,
        "suspects": [
            {"step": each.step, "score": each.score, "reason": each.reason}
            for each in suspects[:TOP]
        ],
    }


def _judged(record: Mapping[str, Any]) -> Judged:
    try:
        label = record["label"]
        root = label["root_cause"]["failure_id"]
        [step] = [each["step_number"] for each in label["failures"] if each["failure_id"] == root]
        name = str(label.get("trajectory_id", "a run without a name"))
        return Judged(name, tuple(_events(record["traj"])), int(step))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadRuns(f"A judged run lacks something or holds it otherwise: {error!r}.") from error


def _events(turns: Sequence[Mapping[str, Any]]) -> Iterator[Event]:
    names: dict[str, str] = {}
    # The system message is step 1, and what follows it may be without a number.
    for place, turn in enumerate(turns, start=2):
        index, content = int(turn.get("index", place)), turn.get("content")
        if turn["role"] == "tool":
            tool = str(turn.get("name") or names.get(turn["tool_call_id"], ""))
            failed = str(content).startswith("Error")
            yield Event(
                index,
                "result",
                "tool",
                tool,
                content=content,
                call_id=str(turn["tool_call_id"]),
                error=failed,
                writes=writes(tool),
            )
            continue
        if content:
            yield Event(index, "message", _ROLES.get(turn["role"], "assistant"), content=content)
        for call in turn.get("tool_calls") or ():
            tool, args = call["function"]["name"], json.loads(call["function"]["arguments"])
            names[call["id"]] = tool
            yield Event(
                index, "call", "assistant", tool, args, call_id=call["id"], writes=writes(tool)
            )
