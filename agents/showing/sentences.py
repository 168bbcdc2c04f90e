"""What did one step do, in one plain sentence?

Shape: `what` is said first, `more` is the small print. Both may hold words of an agent.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from agents.guards import RULES
from agents.imported import MESSAGE_OF
from agents.queries import Traced
from agents.showing.words import called, cut, pretty
from console.words import counted

if TYPE_CHECKING:
    from agents.models import Step

_MORE_AT_MOST = 160
_SUBJECT_AT_MOST = 80
ICONS: Final = {
    "tool_call": "tool",
    "model_call": "model",
    "handoff": "handoff",
    "event": "outside",
    "memory": "memory",
    "proposal": "proposal",
    "outcome": "decision",
    "reply": "proposal",
    "guard": "guard",
}
# What a guard did, and its icon.
_STRENGTHS: Final = {
    "note": ("noted", "info"),
    "nudge": ("told {agent}", "guard"),
    "pause": ("paused the run", "paused"),
    "terminate": ("ended the run", "terminated"),
}
_ANSWERS: Final = {
    "continued": "{by} let it go on",
    "raised": "{by} let it go on with a higher limit",
    "terminated": "{by} ended it",
    "restored": "{by} began anew from a snapshot",
    "void": "The run ended before anybody answered",
}
_ENDINGS: Final = {
    "approved": "{by} approved",
    "rejected": "{by} rejected",
    "expired": "Nobody decided in time, so it expired",
    "stale": "The record changed before anyone decided, so it went out of date",
    "withdrawn": "It was withdrawn",
    "invalidated": "It was made void",
    "denied": "A policy denied it",
    "changes_requested": "{by} requested changes",
    "question": "{by} asked",
}


_REPLIES: Final = {
    "revise": "Worded its proposal anew",
    "answer": "Answered the question",
    "withdraw": "Withdrew its proposal",
}


@dataclass(frozen=True, slots=True)
class Sentence:
    """What a step did, in words."""

    what: str
    more: str = ""


def sentence(step: Traced, titles: Mapping[UUID, str]) -> Sentence:
    """Say what a step did; `titles` are those of the run's proposals."""
    told = _TELLERS.get(step.kind, _other)(step, titles)
    return Sentence(told.what, cut(step.error, _MORE_AT_MOST)) if step.error else told


def traced(row: "Step") -> Traced:
    """Return a whole step as sentences read it."""
    return Traced(
        index=row.index,
        kind=row.kind,
        name=row.name,
        agent=row.agent,
        asked=row.input,
        answered=row.output,
        error=row.error,
        proposal_id=row.proposal_id,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )


def icon_of(step: Traced) -> str:
    """Return the icon of a step; that of a guard says how strongly it spoke."""
    if step.error:
        return "failed"
    if step.kind == "guard":
        return "decision" if step.name == "answer" else _strength(step)[1]
    return ICONS.get(step.kind, "function")


def _strength(step: Traced) -> tuple[str, str]:
    return _STRENGTHS.get(str(_get(step.asked, "strength")), _STRENGTHS["note"])


def _guard(step: Traced, _titles: Mapping[UUID, str]) -> Sentence:
    if step.name == "answer":
        return _answer(step)
    rule = RULES.get(step.name)
    label = rule.label if rule else step.name.replace("_", " ").capitalize()
    agent = cut(str(_get(step.asked, "agent")), _SUBJECT_AT_MOST) or "the agent"
    did = _strength(step)[0].format(agent=agent)
    said = cut(str(_get(step.asked, "sentence")), 2 * _MORE_AT_MOST)
    return Sentence(f"A guard {did}: {label}", said)


def _answer(step: Traced) -> Sentence:
    """Say how a person answered a guard that had paused the run."""
    status, by = str(_get(step.answered, "status")), str(_get(step.answered, "by"))
    words = _ANSWERS.get(status, status.replace("_", " ").capitalize() or "Somebody answered")
    raised = _get(step.answered, "raised")
    limits = (
        [
            f"{RULES[name].label if name in RULES else name} {limit}"
            for name, limit in raised.items()
        ]
        if isinstance(raised, dict)
        else []
    )
    reason = cut(str(_get(step.answered, "reason")), _MORE_AT_MOST)
    small = " · ".join(filter(None, [", ".join(limits), reason]))
    return Sentence(words.format(by=by or "Somebody"), small)


def _tool_call(step: Traced, _titles: Mapping[UUID, str]) -> Sentence:
    if step.name == "read_state":
        key, seen = _get(step.asked, "state"), _get(step.answered, "snapshot")
        return Sentence(f"Read the State {key}", f"snapshot {seen}" if seen else "")
    return Sentence(called(step.name, step.asked))


def _model_call(step: Traced, _titles: Mapping[UUID, str]) -> Sentence:
    tokens = _get(step.answered, "tokens")
    text = cut(str(_get(step.answered, "text")), _MORE_AT_MOST)
    used = f"{tokens:,} tokens" if isinstance(tokens, int) and tokens else ""
    wants = _wanted(_get(step.answered, "calls"))
    return Sentence(f"Asked the model {step.name}", " · ".join(filter(None, [used, text, wants])))


def _wanted(calls: Any) -> str:
    """Say what a model wants to be called; a model that calls often says nothing besides."""
    if not isinstance(calls, list):
        return ""
    names = [str(_get(call, "tool")).replace("_", " ") for call in calls]
    return cut(f"wants {', '.join(names)}", _SUBJECT_AT_MOST) if names else ""


def _handoff(step: Traced, _titles: Mapping[UUID, str]) -> Sentence:
    what = f"Handed over to {step.name}" if step.name else "Handed in the result"
    return Sentence(what, cut(str(_get(step.asked, "content")), 120))


def _event(step: Traced, _titles: Mapping[UUID, str]) -> Sentence:
    if step.name.startswith(MESSAGE_OF):
        who = step.name.removeprefix(MESSAGE_OF).capitalize()
        return Sentence(f"{who} said", cut(str(_get(step.asked, "content")), _MORE_AT_MOST))
    number = _get(step.answered, "snapshot")
    more = f"became snapshot {number}" if number else "changed nothing"
    return Sentence(f"Happened outside: {step.name.replace('_', ' ')}", more)


def _memory(step: Traced, _titles: Mapping[UUID, str]) -> Sentence:
    if step.name == "recall":
        given, left = _get(step.answered, "entries"), _get(step.answered, "left_out")
        subject = _get(step.asked, "subject")
        what = f"Recalled {counted(len(given), 'entry')}"
        about = f" about {cut(str(subject), _SUBJECT_AT_MOST).strip()}" if subject else ""
        return Sentence(f"{what}{about}", f"{left} more were left out" if left else "")
    if step.name == "remember":
        subject = cut(str(_get(step.asked, "subject")), _SUBJECT_AT_MOST)
        value = step.asked.get("value") if isinstance(step.asked, dict) else None
        return Sentence(f"Kept in mind: {subject}", cut(pretty(value), _MORE_AT_MOST))
    return Sentence("Forgot an entry", str(_get(step.asked, "entry")))


def _proposal(step: Traced, titles: Mapping[UUID, str]) -> Sentence:
    if refused := _get(step.answered, "refused"):
        return Sentence(f"Could not propose {step.name.replace('_', ' ')}", str(refused))
    known = titles.get(step.proposal_id) if step.proposal_id else None
    return Sentence(f"Proposed: {known or step.name.replace('_', ' ')}")


def _outcome(step: Traced, _titles: Mapping[UUID, str]) -> Sentence:
    status, by = str(_get(step.answered, "status")), str(_get(step.answered, "by"))
    words = _ENDINGS.get(status, status.replace("_", " ").capitalize())
    reason = cut(str(_get(step.answered, "reason")), _MORE_AT_MOST)
    return Sentence(words.format(by=by or "Somebody"), reason)


def _reply(step: Traced, _titles: Mapping[UUID, str]) -> Sentence:
    if refused := _get(step.answered, "refused"):
        return Sentence(f"Could not {step.name}", str(refused))
    if step.name == "answer" and not _get(step.answered, "answered"):
        return Sentence("Would have answered, but others had")
    said = _get(step.asked, {"revise": "why", "answer": "text"}.get(step.name, "reason"))
    return Sentence(_REPLIES.get(step.name, step.name), cut(str(said), _MORE_AT_MOST))


def _other(step: Traced, _titles: Mapping[UUID, str]) -> Sentence:
    return Sentence(f"{step.kind.replace('_', ' ')}: {step.name}".capitalize())


def _get(value: Any, name: str) -> Any:
    """Return a member of what may be no object at all; small print never fails."""
    return (value.get(name) or "") if isinstance(value, dict) else ""


_TELLERS: Final[Mapping[str, Callable[[Traced, Mapping[UUID, str]], Sentence]]] = {
    "tool_call": _tool_call,
    "model_call": _model_call,
    "handoff": _handoff,
    "event": _event,
    "memory": _memory,
    "proposal": _proposal,
    "outcome": _outcome,
    "reply": _reply,
    "guard": _guard,
}
