"""What may have started what went wrong in a run, and what would our guards have said of it?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents import suspects
from agents.breaker import Watch
from agents.guards import DEFAULTS, RULES
from agents.queries import trails, used
from agents.showing.words import cut
from agents.trail import Event
from agents.verdicts import Verdict

if TYPE_CHECKING:
    from agents.models import Run

_WENT_WRONG = {"failed", "terminated", "paused"}
_SUSPECTS, _VERDICTS = 5, 12
_SENTENCE = 400


@dataclass(frozen=True, slots=True)
class Suspect:
    """A step that may have started it, and why one may think so."""

    step: int
    reason: str


@dataclass(frozen=True, slots=True)
class Said:
    """What a guard would have said, from which step on, and how often again."""

    label: str
    strength: str
    sentence: str
    step: int | None
    again: int


def suspected(run: "Run", events: Sequence[Event]) -> list[Suspect]:
    """Return the steps that may have started what went wrong, the likeliest first.

    An inference from the order of things; a run that went well has none.
    """
    if run.status not in _WENT_WRONG or not events:
        return []
    found = suspects.rank(events, verdicts=_verdicts(run))
    return [Suspect(each.step, cut(each.reason, _SENTENCE)) for each in found[:_SUSPECTS]]


def _verdicts(run: "Run") -> list[Verdict]:
    """Return what guards have said of a run of ours."""
    rows = [] if run.source else used.said(run.id)
    return [Verdict.from_json(row.input) for row in rows if row.name != "answer"]


def would_have_said(run: "Run", events: Sequence[Event]) -> list[Said]:
    """Return what our guards would have said of a run that was brought in, as they are set here.

    Each rule is told once for an agent; a run that our guards had paused would have gone otherwise.
    """
    if not run.source:
        return []
    watch = Watch(DEFAULTS, ())
    told: dict[tuple[str, str], list[Verdict]] = {}
    for event in events:
        before = watch.before(event) if event.kind == "call" else []
        for verdict in [*before, *watch.seen(event)]:
            told.setdefault((verdict.rule, verdict.strength), []).append(verdict)
    return [_said(verdicts) for verdicts in [*told.values()][:_VERDICTS]]


def _said(verdicts: Sequence[Verdict]) -> Said:
    first = verdicts[0]
    label = RULES[first.rule].label if first.rule in RULES else first.rule
    sentence = cut(first.sentence, _SENTENCE)
    return Said(label, first.strength, sentence, first.began_at, len(verdicts) - 1)


def events_of(run: "Run") -> list[Event]:
    """Return a run's trail, where it is looked back at."""
    return trails.trail(run.id) if run.source or run.status in _WENT_WRONG else []
