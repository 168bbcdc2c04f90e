"""What happened in a journal's entry, as the rules that watch a run see it?

Reading the record and keeping memory are no calls of a tool, so nothing counts them. A proposal
is a call that writes; what people said to it is its result, once it is settled.
"""

from collections.abc import Callable
from typing import Final

from agents.journal import Entry
from agents.trail import Event
from console.canonical import Json

READ_RECORD: Final = "read_state"
# What a proposal may be told without being settled.
_STILL_OPEN: Final = frozenset({"question", "changes_requested"})


def call_of(kind: str, name: str, agent: str, asked: Json, index: int) -> Event | None:
    """Return the call that a step is about to make, if it is one."""
    if kind == "proposal":
        params = asked.get("params") if isinstance(asked, dict) else None
        return Event(index, "call", agent, name, params, call_id=str(index), writes=True)
    if kind == "tool_call" and name != READ_RECORD:
        return Event(index, "call", agent, name, asked, call_id=str(index))
    return None


def events(entry: Entry) -> list[Event]:
    """Return what an entry tells, in order; nothing for one that the rules do not look at."""
    tell = _TELLING.get(entry.kind)
    return tell(entry) if tell else []


def _called(entry: Entry) -> list[Event]:
    call = call_of(entry.kind, entry.name, entry.agent, entry.input, entry.index)
    if call is None:
        return []
    return [call, _result(entry, call.call_id, entry.output, failed=bool(entry.error))]


def _happened_outside(entry: Entry) -> list[Event]:
    return [Event(entry.index, "outside", tool=entry.name, content=entry.input)]


def _spoke(entry: Entry) -> list[Event]:
    if entry.error:
        return []
    said = entry.output.get("text") if isinstance(entry.output, dict) else None
    return [Event(entry.index, "message", entry.agent, content=said)]


def _proposed(entry: Entry) -> list[Event]:
    call = call_of(entry.kind, entry.name, entry.agent, entry.input, entry.index)
    output = entry.output if isinstance(entry.output, dict) else {}
    made = Event(
        entry.index,
        "call",
        entry.agent,
        entry.name,
        call.args if call else None,
        call_id=str(output.get("proposal", entry.index)),
        writes=True,
    )
    if "refused" not in output:
        return [made]
    return [made, _result(entry, made.call_id, output["refused"], failed=True)]


def _settled(entry: Entry) -> list[Event]:
    output = entry.output if isinstance(entry.output, dict) else {}
    asked = entry.input if isinstance(entry.input, dict) else {}
    if output.get("status") in _STILL_OPEN:
        return []
    return [_result(entry, str(asked.get("proposal", "")), output, failed=False)]


def _handed(entry: Entry) -> list[Event]:
    # What broke its contract was not handed over; what nobody asked for goes to nobody.
    if entry.error or not entry.name:
        return []
    asked = entry.input if isinstance(entry.input, dict) else {}
    said = asked.get("gives", asked)
    return [Event(entry.index, "handoff", entry.agent, entry.name, content=said)]


def _result(entry: Entry, call_id: str, content: Json, *, failed: bool) -> Event:
    said = content if not entry.error else entry.error
    return Event(
        entry.index, "result", tool=entry.name, content=said, call_id=call_id, error=failed
    )


_TELLING: Final[dict[str, Callable[[Entry], list[Event]]]] = {
    "tool_call": _called,
    "proposal": _proposed,
    "outcome": _settled,
    "handoff": _handed,
    "event": _happened_outside,
    "model_call": _spoke,
}
