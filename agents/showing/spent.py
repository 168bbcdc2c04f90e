"""How much of its budgets has a run used, who used it, and how long will the rest take?"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from agents import forecasting, spending, workflows
from agents.guards import RULES, Number, Setting, settled
from agents.queries import Totals, limits, times
from agents.queries.used import Used
from agents.showing.words import span
from agents.spending import Amount

if TYPE_CHECKING:
    from agents.models import Run


@dataclass(frozen=True, slots=True)
class Budget:
    """One budget of a run: how it is called, what of it is used, and how full it is, 0 to 1."""

    label: str
    used: str
    limit: str
    share: float
    is_raised: bool

    @property
    def percent(self) -> int:
        """Return how full it is, for people."""
        return round(self.share * 100)


@dataclass(frozen=True, slots=True)
class Share:
    """What one agent has used, and how long a turn of it usually takes."""

    agent: str
    calls: int
    answers: int
    tokens: str
    worked: str
    turn: str


def budgets(run: "Run", totals: Totals, shares: list[Used]) -> list[Budget]:
    """Return the budgets of a run of ours that are set, and what it has used of each."""
    if run.source:
        return []
    found = limits.of_run(run.id)
    workflow = workflows.find(run.job.workflow)
    declared = workflow.guards if workflow else {}
    seconds = found.budgets.get("seconds") or (workflow.seconds if workflow else None)
    settings = spending.tightened(
        settled(declared, found.guards, found.raised), {**found.budgets, "seconds": seconds}
    )
    elsewhere = spending.Elsewhere(found.job_tokens, found.job_money)
    worked = totals.in_steps.total_seconds()
    amounts: dict[str, Amount] = {
        "calls": sum(share.calls for share in shares),
        **spending.used(run.tokens, run.money, worked, elsewhere),
    }
    shown = ("calls", "seconds", "tokens", "money", "job_tokens", "job_money")
    return [
        _budget(rule, settings[rule], amounts[rule], is_raised=rule in found.raised)
        for rule in shown
        if settings[rule].limit is not None
    ]


def _budget(rule: str, setting: Setting, amount: Amount, *, is_raised: bool) -> Budget:
    limit = setting.limit or 0
    return Budget(
        label=RULES[rule].label,
        used=_said(rule, amount),
        limit=_said(rule, limit),
        share=min(1.0, float(amount) / float(limit)) if limit else 1.0,
        is_raised=is_raised,
    )


def _said(rule: str, amount: Amount | Number) -> str:
    if rule == "seconds":
        return span(timedelta(seconds=float(amount)))
    if rule.endswith("money"):
        return f"USD {amount:,.4f}"
    return f"{amount:,.0f}"


def shares(run: "Run", found: list[Used]) -> list[Share]:
    """Return who used what, with the forecast of a turn where there is enough to say one."""
    history = {} if run.source else times.history(run.workspace_id, run.job.workflow)
    return [
        Share(
            agent=each.agent,
            calls=each.calls,
            answers=each.answers,
            tokens=f"{each.tokens:,}",
            worked=span(each.worked),
            turn=_turn(forecasting.of_turns(history.get(each.agent, ()))),
        )
        for each in found
        if each.agent
    ]


def _turn(forecast: forecasting.Forecast | None) -> str:
    if forecast is None:
        return ""
    usual, long = (span(timedelta(seconds=each)) for each in (forecast.p50, forecast.p95))
    return f"usually {usual}, up to {long}"
