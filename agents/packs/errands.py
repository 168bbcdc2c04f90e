"""What is a demo job of several errands: how much may it do, and was every errand settled?"""

from collections.abc import Mapping
from typing import Any, Final

from agents.declarations import Finished

# A job is a day's errands, each with calls, handoffs and a proposal of its own.
GUARDS: Final[dict[str, dict[str, int]]] = {
    "calls": {"limit": 200},
    "handoffs": {"limit": 120},
    "writes_of_one_kind": {"limit": 10},
}


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
