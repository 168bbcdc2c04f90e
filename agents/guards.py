"""Which rules watch a run, what do they do when they fire, and who may set them how?

A rule has a limit and a strength. Both come from the defaults here, then from what the workflow
declares, then from what a workspace has set for the workflow, then from what a person has raised
for one run while it was paused. `None` as a limit switches a rule off, where it may be.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Self

from agents.verdicts import STRENGTHS, Strength
from console.canonical import Json

Guard = Literal["breaker", "role", "silence", "context", "latency", "budget", "guard"]
Number = int | float


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: which guard it belongs to, how people call it, what it counts, its default.

    `unit` is said behind the limit. A `hard` rule always terminates; one that `asks` has a limit
    that a person may raise for a paused run. `can_be_off` says whether the limit may be None.
    """

    guard: Guard
    label: str
    says: str
    limit: Number | None
    strength: Strength
    unit: str = ""
    hard: bool = False
    can_be_off: bool = True


RULES: Final[Mapping[str, Rule]] = {
    # 1. Loops. What marks one is no progress, not that a tool is called often.
    "identical_call": Rule(
        "breaker",
        "Identical call",
        "The same tool with the same arguments, nothing written and nothing happened in between. "
        "The second is answered from the journal; this one fires the rule",
        3,
        "pause",
        "calls",
    ),
    "failed_again": Rule(
        "breaker",
        "The same call failed again",
        "The same tool with the same arguments failed so often; one before it the agent is told",
        3,
        "pause",
        "failures",
    ),
    "errors_in_a_row": Rule(
        "breaker",
        "Errors in a row",
        "So many calls failed one after the other",
        3,
        "pause",
        "errors",
    ),
    "errors": Rule(
        "breaker",
        "Errors in a run",
        "So many calls of the run failed, whatever went well in between",
        6,
        "pause",
        "errors",
    ),
    "nothing_new": Rule(
        "breaker",
        "Nothing new",
        "So many results in a row failed or said what another one had said before, and nothing "
        "was written and nothing happened in between",
        15,
        "pause",
        "results",
    ),
    "talk": Rule(
        "breaker",
        "Talk without action",
        "So many answers of models in a row, and nothing was called, proposed or handed over",
        30,
        "pause",
        "answers",
    ),
    "calls": Rule(
        "breaker",
        "Calls per run",
        "More than so many calls of tools and proposals; noted at 80 %",
        40,
        "terminate",
        "calls",
        hard=True,
    ),
    "reads_of_one_tool": Rule(
        "breaker",
        "Reads with one tool",
        "More than so many calls of one reading tool; a tool may have a limit of its own",
        None,
        "pause",
        "calls",
    ),
    "writes_of_one_kind": Rule(
        "breaker",
        "Writes of one kind",
        "More than so many proposals of one action type in a run",
        4,
        "pause",
        "proposals",
    ),
    "depth": Rule(
        "breaker", "Depth", "More than so many handoffs within handoffs", 8, "pause", "levels"
    ),
    "handoffs": Rule(
        "breaker", "Handoffs", "More than so many handoffs in a run", 30, "pause", "handoffs"
    ),
    "round_trips": Rule(
        "breaker", "Ping-pong", "Round trips between the same two agents", 3, "pause", "round trips"
    ),
    # 2. Roles.
    "outside_role": Rule(
        "role",
        "Outside the role",
        "A call that the agent's role does not allow is refused; after so many the rule fires",
        2,
        "pause",
        "calls",
    ),
    "work_redone": Rule(
        "role",
        "Work redone",
        "The same question to the same role, the same answer",
        2,
        "note",
        "times",
    ),
    "false_authority": Rule(
        "role",
        "False authority",
        "An agent says that something was approved, and no such decision exists",
        1,
        "note",
        "claims",
        can_be_off=False,
    ),
    # 4. Silent failures.
    "contract": Rule(
        "silence",
        "Contract broken",
        "What one agent hands to another does not keep its contract; first told, then it fires",
        2,
        "pause",
        "times",
    ),
    "not_proposed": Rule(
        "silence",
        "Expected but not proposed",
        "The run ended without something that a finished job must have proposed or explained",
        1,
        "note",
        "items",
    ),
    "second_opinion": Rule(
        "silence",
        "Second opinion differs",
        "An independent look at the same snapshot comes to another effect",
        1,
        "note",
        "proposals",
    ),
    # 5. Context.
    "window": Rule(
        "context", "Full window", "A prompt fills more than this share of its window", 0.8, "note"
    ),
    "repeats": Rule(
        "context", "Repeats", "Results that were there before make up this share", 0.4, "note"
    ),
    # 6. Latency.
    "latency": Rule(
        "latency",
        "Forecast beyond the budget",
        "The forecast of what is left to do exceeds the time that is left, so it is pruned",
        1,
        "note",
        "times",
    ),
    # Budgets. At 80 % they are noted, at 100 % the run ends.
    "tokens": Rule("budget", "Tokens per run", "", None, "terminate", "tokens", hard=True),
    "money": Rule("budget", "Money per run", "", None, "terminate", "USD", hard=True),
    "seconds": Rule(
        "budget",
        "Time per run",
        "Waiting for people does not count",
        None,
        "terminate",
        "seconds",
        hard=True,
    ),
    "job_tokens": Rule(
        "budget", "Tokens per job", "All runs of a job", None, "terminate", "tokens", hard=True
    ),
    "job_money": Rule(
        "budget", "Money per job", "All runs of a job", None, "terminate", "USD", hard=True
    ),
    "day_tokens": Rule(
        "budget", "Tokens of the workspace a day", "", None, "terminate", "tokens", hard=True
    ),
    "day_money": Rule(
        "budget", "Money of the workspace a day", "", None, "terminate", "USD", hard=True
    ),
    # A guard that cannot say anything is no guard.
    "guard_failed": Rule(
        "guard", "A guard failed", "A rule could not be evaluated", 1, "pause", can_be_off=False
    ),
}
NOTED_AT: Final = 0.8


@dataclass(frozen=True, slots=True)
class Setting:
    """How one rule is set: its limit, None where it is off, and what it does."""

    limit: Number | None
    strength: Strength

    def to_json(self) -> dict[str, Json]:
        """Return what a row keeps."""
        return {"limit": self.limit, "strength": self.strength}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any], default: "Setting") -> Self:
        """Return what a row keeps, the default where it says nothing."""
        limit = kept.get("limit", default.limit)
        return cls(limit, kept.get("strength", default.strength))


Settings = Mapping[str, Setting]
DEFAULTS: Final[Settings] = {
    name: Setting(rule.limit, rule.strength) for name, rule in RULES.items()
}


def settled(*layers: Mapping[str, Any]) -> dict[str, Setting]:
    """Return how every rule is set, later layers over earlier ones, all over the defaults.

    Shape of a layer: `{rule: {"limit"?, "strength"?}}`; rules that are not known are left out.
    """
    found = dict(DEFAULTS)
    for layer in layers:
        for name, kept in layer.items():
            if name in found:
                found[name] = _hard(name, Setting.from_json(kept, found[name]))
    return found


def objections(layer: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Say what of a layer cannot be, as pairs of rule and sentence; nothing if all can."""
    return [(name, said) for name, kept in layer.items() if (said := _objection(name, kept))]


def may_be_raised(rule: str) -> bool:
    """Say whether a limit above the one that fired makes sense for a rule."""
    return rule in RULES and not RULES[rule].hard


def _hard(name: str, setting: Setting) -> Setting:
    return replace(setting, strength="terminate") if RULES[name].hard else setting


def _objection(name: str, kept: Any) -> str | None:
    rule = RULES.get(name)
    if rule is None:
        return f"There is no rule {name!r}."
    if not isinstance(kept, Mapping) or set(kept) - {"limit", "strength"}:
        return "A rule has a limit and a strength, and nothing else."
    if kept.get("strength", rule.strength) not in STRENGTHS:
        return f"A strength is one of {', '.join(STRENGTHS)}."
    if rule.hard and kept.get("strength", "terminate") != "terminate":
        return f"{rule.label} is a hard budget, which always terminates."
    return _limit_objection(rule, kept["limit"]) if "limit" in kept else None


def _limit_objection(rule: Rule, limit: Any) -> str | None:
    if limit is None:
        return None if rule.can_be_off else f"{rule.label} cannot be switched off."
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not 0 < limit < 10**12:
        return "A limit is a number above 0."
    return None
