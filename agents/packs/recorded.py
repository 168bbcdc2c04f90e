"""What would the queue have looked like? Plays the calls of a recorded run against a live State.

Reads answer with what was recorded; every write of the agent becomes a proposal with the changes
that were recorded; what the user did meanwhile is an event from outside.
"""

from typing import Any, Final

from agents.guards import RULES
from agents.workflows import Context, ToolFailed, Workflow, register_workflow
from console.canonical import Json
from snapshots.diff import Change

AGENT = "recorded-agent"
CALL_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["n", "by", "tool", "args", "kind"],
    "properties": {
        "n": {"type": "integer"},
        "by": {"enum": ["agent", "user"]},
        "tool": {"type": "string", "maxLength": 80},
        "args": {"type": "object"},
        "kind": {"enum": ["read", "write", "generic"]},
        "high_stakes": {"type": "boolean"},
        "result": {},
        "error": {"type": "boolean"},
        "changes": {"type": "array", "maxItems": 500},
    },
}
INPUT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["calls"],
    "properties": {
        "calls": {"type": "array", "maxItems": 1000, "items": CALL_SCHEMA},
        "instruction": {"type": "string"},
    },
}


# What was recorded is played to its end, to be seen as it was: no call is made again, so no answer
# may come from the journal instead, and what guards would have said is noted.
GUARDS: Final[dict[str, dict[str, Any]]] = {
    **{
        name: {"strength": "note"}
        for name, rule in RULES.items()
        if rule.guard == "breaker" and not rule.hard
    },
    "identical_call": {"limit": None},
    "calls": {"limit": None},
}


def register() -> None:
    """Make the workflow known."""
    register_workflow(
        Workflow("recorded", "Recorded run", play, INPUT_SCHEMA, _asked, guards=GUARDS)
    )


def play(context: Context) -> Json:
    """Play every call in order; return how the proposals ended, by call number."""
    outcomes: dict[str, Json] = {}
    for call in context.job_input["calls"]:
        if status := _play_one(context, call):
            outcomes[str(call["n"])] = status
    return {"outcomes": outcomes}


def _asked(job_input: dict[str, Any]) -> Json:
    # The calls are the recording; only the instruction was asked for.
    return str(job_input.get("instruction", ""))


def _play_one(context: Context, call: dict[str, Any]) -> str:
    changes = [Change.from_json(item) for item in call.get("changes", [])]
    if call["by"] == "user":
        context.observe(name=call["tool"], args=call["args"], changes=changes)
        return ""
    if call["kind"] == "write" and not call.get("error"):
        outcome = context.propose(
            agent=AGENT, action_type=call["tool"], params=call["args"], stated=changes
        )
        return outcome.status
    try:
        context.tool(
            agent=AGENT, name=call["tool"], args=call["args"], function=lambda: _recorded(call)
        )
    except ToolFailed:
        return ""
    return ""


def _recorded(call: dict[str, Any]) -> Json:
    answer: Json = call.get("result")
    if call.get("error"):
        raise ToolFailed(str(answer))
    return answer
