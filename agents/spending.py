"""Which budget of a run is used up, and which one nearly?"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from agents.guards import NOTED_AT, RULES, Number, Setting, Settings
from agents.verdicts import Verdict
from console.canonical import Json

BUDGETS: Final = tuple(name for name, rule in RULES.items() if rule.guard == "budget")
Amount = int | float | Decimal


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What the other runs of the job have used, and the workspace on this day (UTC)."""

    job_tokens: int = 0
    job_money: Decimal = Decimal(0)
    day_tokens: int = 0
    day_money: Decimal = Decimal(0)


def used(tokens: int, money: Decimal, seconds: float, elsewhere: Elsewhere) -> dict[str, Amount]:
    """Return what counts towards each budget; the day's use has that of this run in it."""
    return {
        "tokens": tokens,
        "money": money,
        "seconds": seconds,
        "job_tokens": elsewhere.job_tokens + tokens,
        "job_money": elsewhere.job_money + money,
        "day_tokens": elsewhere.day_tokens,
        "day_money": elsewhere.day_money,
    }


def verdicts(
    settings: Settings,
    amounts: Mapping[str, Amount],
    *,
    step: int,
    agent: str,
    noted: Collection[str],
) -> Iterator[Verdict]:
    """Say which budgets are used up, and once of each that 80 % of it are."""
    for rule in BUDGETS:
        limit = settings[rule].limit
        if limit is None:
            continue
        amount, whole = Decimal(str(amounts[rule])), Decimal(str(limit))
        if amount >= whole:
            yield _verdict(rule, settings[rule], amount, step, agent, is_over=True)
        elif amount >= whole * Decimal(str(NOTED_AT)) and rule not in noted:
            yield _verdict(rule, settings[rule], amount, step, agent, is_over=False)


def tightened(settings: Settings, limits: Mapping[str, Any]) -> dict[str, Setting]:
    """Return the settings with limits that others set as well; the lower one counts.

    What is no number is left out: it was refused where it was set.
    """
    found = dict(settings)
    for rule, said in limits.items():
        limit = _number(said)
        if limit is None:
            continue
        known = found[rule].limit
        found[rule] = replace(found[rule], limit=limit if known is None else min(known, limit))
    return found


def _number(said: Any) -> Number | None:
    if said is None or isinstance(said, bool):
        return None
    return said if isinstance(said, int) else float(said)


def _verdict(
    rule: str, setting: Setting, amount: Decimal, step: int, agent: str, *, is_over: bool
) -> Verdict:
    numbers: Mapping[str, Json] = {"counted": _said(amount), "limit": setting.limit}
    what = f"{RULES[rule].label}: {_said(amount)} of {setting.limit} {RULES[rule].unit}"
    said = f"{what} are used up." if is_over else f"{what} are used."
    strength = setting.strength if is_over else "note"
    return Verdict(rule, strength, said, began_at=step, steps=(step,), agent=agent, numbers=numbers)


def _said(amount: Decimal) -> Json:
    return int(amount) if amount == amount.to_integral_value() else float(round(amount, 6))
