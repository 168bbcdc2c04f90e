"""How many runaways do the breakers stop, and how many successes do they harm?

A runaway ended for its length or its errors, or made more calls than `RUNAWAY_CALLS`. It counts
as stopped when a guard paused or terminated it before its last call, or, where it did nothing but
talk at the end, while more than one answer was still to come. The yardstick is the plain rule:
whoever calls one tool more than three times is terminated.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from agents.breaker import Watch
from agents.guards import DEFAULTS, Settings
from agents.packs.recorded_runs import RecordedRun
from agents.trail import Event
from agents.verdicts import STRENGTHS, Strength, Verdict

RUNAWAY_CALLS: Final = 40
RUNAWAY_ENDS: Final = frozenset({"max_steps", "too_many_errors"})
PLAIN_RULE: Final = 3
_HALTING: Final = ("pause", "terminate")


@dataclass(frozen=True, slots=True)
class Halted:
    """How far a run came: what halted it, at which of its calls, and whether it was told before.

    `call` counts from 1; a halt after the last call has one more than there are. `left` is how
    many events were still to come.
    """

    strength: Strength | None = None
    rule: str = ""
    call: int = 0
    nudged: bool = False
    left: int = 0


def measure(runs: Sequence[RecordedRun], settings: Settings = DEFAULTS) -> dict[str, Any]:
    """Return what the rules do to runs, what the plain rule does, and each runaway.

    Shape: `{"runaways", "runaways_stopped", "successes", "successes_terminated",
    "successes_paused", "successes_nudged", "plain_rule": {the same}, "each": […]}`.
    """
    halts = [(run, watched(run.events, settings)) for run in runs]
    return {
        **_counted(halts),
        "plain_rule": _counted([(run, plain(run.events)) for run in runs]),
        "each": [_told(run, halt) for run, halt in halts if is_runaway(run)],
    }


def watched(events: Sequence[Event], settings: Settings = DEFAULTS) -> Halted:
    """Return where the rules halt a run, if they do."""
    watch, calls, nudged = Watch(settings), 0, False
    for left, event in zip(reversed(range(len(events))), events, strict=True):
        if event.kind == "call":
            calls += 1
            nudged |= watch.repeated(event) is not None
            if halt := _hardest(watch.before(event)):
                return Halted(halt.strength, halt.rule, calls, nudged, left)
        found = watch.seen(event)
        nudged |= any(each.strength == "nudge" for each in found)
        if halt := _hardest(found):
            return Halted(halt.strength, halt.rule, calls + 1, nudged, left)
    return Halted(nudged=nudged)


def plain(events: Sequence[Event]) -> Halted:
    """Return where the plain rule terminates a run, if it does."""
    of_tool: Counter[str] = Counter()
    for event in events:
        if event.kind == "call":
            of_tool[event.tool] += 1
            if of_tool[event.tool] > PLAIN_RULE:
                return Halted("terminate", "plain_rule", of_tool.total())
    return Halted()


def is_runaway(run: RecordedRun) -> bool:
    """Say whether a run did not end by itself, or far too late."""
    return run.termination in RUNAWAY_ENDS or run.calls > RUNAWAY_CALLS


def _hardest(found: Sequence[Verdict]) -> Verdict | None:
    halting = [each for each in found if each.strength in _HALTING]
    return max(halting, key=lambda each: STRENGTHS.index(each.strength), default=None)


def _counted(halts: Sequence[tuple[RecordedRun, Halted]]) -> dict[str, int]:
    runaways = [(run, halt) for run, halt in halts if is_runaway(run)]
    successes = [(run, halt) for run, halt in halts if run.succeeded]
    return {
        "runaways": len(runaways),
        "runaways_stopped": sum(is_stopped(run, halt) for run, halt in runaways),
        "successes": len(successes),
        "successes_terminated": sum(halt.strength == "terminate" for _, halt in successes),
        "successes_paused": sum(halt.strength == "pause" for _, halt in successes),
        "successes_nudged": sum(halt.nudged for _, halt in successes),
    }


def is_stopped(run: RecordedRun, halt: Halted) -> bool:
    """Say whether a run was halted before its last call, or in the middle of its talk."""
    return halt.strength is not None and (halt.call <= run.calls or halt.left > 1)


def _told(run: RecordedRun, halt: Halted) -> dict[str, Any]:
    return {
        "run": run.name,
        "calls": run.calls,
        "stopped_at_call": min(halt.call, run.calls) if is_stopped(run, halt) else None,
        "rule": halt.rule,
        "strength": halt.strength,
    }
