"""Which steps does a recorded run of somebody else's agent tell of?

A call and its result become one step, a message of a model a model call, a message of anybody else
an event from outside: the same shapes that a run of ours leaves in its journal.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from agents.journal import Entry, digest_of
from agents.trail import Event, pairs
from console.canonical import Json

_NAME, _AGENT, _ERROR = 120, 80, 2000
# Who is not an agent in recorded runs.
PEOPLE: Final = frozenset({"user", "human", "customer", "environment", "system", "tool", ""})
# How the step is called in which somebody who is no agent says something.
MESSAGE_OF: Final = "message of "
UNANSWERED: Final = "It was never answered."


def entries(
    events: Sequence[Event], at: Mapping[int, datetime], otherwise: datetime
) -> list[Entry]:
    """Return the steps of a trail; `at` says when its events were, by their index."""
    answers = {id(call): result for call, result in pairs(events)}
    found: list[Entry] = []
    last = otherwise
    for event in events:
        if event.kind == "result":
            continue
        answer = answers.get(id(event)) if event.kind == "call" else None
        started = max(last, at.get(event.index, last)) if found else at.get(event.index, last)
        ended = max(started, at.get(answer.index, started)) if answer else started
        found.append(_entry(len(found), event, answer, (started, ended)))
        last = started
    return found


def _entry(index: int, event: Event, answer: Event | None, at: tuple[datetime, datetime]) -> Entry:
    kind, name, asked, output, error = _told(event, answer)
    known: Json = {} if asked is None else asked
    return Entry(
        index=index,
        kind=kind,
        name=name[:_NAME] or "unnamed",
        agent="" if kind == "event" else event.actor[:_AGENT],
        input=known,
        input_digest=digest_of(known),
        output=output,
        error=error[:_ERROR],
        proposal_id=None,
        started_at=at[0],
        ended_at=at[1],
    )


# Kind, name, input, output, error.
_Step = tuple[str, str, Json, Json, str]


def _told(event: Event, answer: Event | None) -> _Step:
    if event.kind == "call":
        return _call(event, answer)
    if event.kind == "handoff":
        return "handoff", event.tool or "another agent", {"content": event.content}, None, ""
    if event.kind == "message" and event.actor not in PEOPLE:
        answered: Json = {"text": event.content, "data": None, "tokens": 0}
        return "model_call", event.tool or "a model", {}, answered, ""
    name = event.tool or f"{MESSAGE_OF}{event.actor or 'somebody'}"
    asked: dict[str, Json] = {"content": event.content}
    return "event", name, asked if event.args is None else {**asked, "args": event.args}, None, ""


def _call(event: Event, answer: Event | None) -> _Step:
    if answer is None:
        return "tool_call", event.tool, event.args, None, UNANSWERED
    if answer.error:
        said = answer.content if isinstance(answer.content, str) else ""
        output = None if said else answer.content
        return "tool_call", event.tool, event.args, output, said or "The tool failed."
    return "tool_call", event.tool, event.args, answer.content, ""
