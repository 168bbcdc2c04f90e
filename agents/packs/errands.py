"""What have demo jobs of several errands in common: limits, contracts, looking up, the critic?"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from agents.declarations import Contract, Finished, Role
from agents.workflows import Context, Reply, ToolFailed
from approvals.effects import CannotDo

# A job is a day's errands, each with calls, handoffs and a proposal of its own.
GUARDS: Final[dict[str, dict[str, int]]] = {
    "calls": {"limit": 200},
    "handoffs": {"limit": 120},
    "writes_of_one_kind": {"limit": 10},
}

TEXT: Final[dict[str, Any]] = {"type": "string", "minLength": 1}
# What was decided about somebody, as an agent keeps it in mind.
DECISION: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["params", "ended", "said"],
    "properties": {
        "params": {"type": "object"},
        "ended": {"enum": ["approved", "rejected"]},
        "said": {"type": "string"},
    },
    "additionalProperties": False,
}


def object_of(**properties: Any) -> dict[str, Any]:
    """Return the schema of an object that has all of these."""
    return {"type": "object", "required": [*properties], "properties": properties}


def coordinating(name: str, whom: str) -> Role:
    """Return the role of whoever hands errands to somebody, one after the other."""
    return Role(
        name,
        purpose=f"Hands the errands of a job to the {whom}, one after the other.",
        instructions="",
        gives=Contract(object_of(outcomes={"type": "object"})),
    )


def found(look: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """Return an entry of the record. Raises: ToolFailed where there is none."""
    try:
        return dict(look())
    except CannotDo as error:
        raise ToolFailed(str(error)) from error


def commented(
    context: Context, draft: Reply, ask: Callable[[], Reply], *, drafter: str, critic: str
) -> str:
    """Return what the critic says of a draft, or that there was no time to ask."""
    if not context.has_time_for(critic):
        return "The critic was left out: there was no time."
    context.handoff(from_agent=drafter, to_agent=critic, content=draft.text, value=draft.data)
    said: Any = context.give(agent=critic, value={"note": ask().text})
    return f"The critic's note: {said['note']}"


def expected(script: Mapping[str, Mapping[str, Any]], finished: Finished) -> list[str]:
    """Say which errands a finished job neither proposed nor explained."""
    result: Any = finished.result if isinstance(finished.result, dict) else {}
    proposed = {put.action_type for put in finished.proposals}
    missing = []
    for name in finished.job_input.get("only", list(script)):
        told = (result.get("outcomes") or {}).get(name) or {}
        kind = script[name]["action_type"]
        if kind not in proposed and not told.get("reason"):
            missing.append(f"{script[name]['errand']} No {kind} was proposed, and nobody said why.")
    return missing
