"""How are the guards of a workflow set, what does each rule do, and what has it cost?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final

from agents import costs, workflows
from agents.costs import At, Cost
from agents.guards import DEFAULTS, RULES, Rule, Setting, settled
from agents.queries import guard_settings as queries
from agents.queries import pauses
from agents.verdicts import MEANS, STRENGTHS
from console.access.models import Workspace
from console.access.rights import allows
from console.actors import Actor
from console.errors import NotFound
from console.ledger.showing import ledger

DAYS: Final = 30
HISTORY: Final = 10
GUARDS: Final = {
    "breaker": "Circuit breakers",
    "role": "Roles",
    "silence": "Silent failures",
    "context": "Context",
    "latency": "Latency",
    "budget": "Budgets",
    "guard": "The guards themselves",
}


@dataclass(frozen=True, slots=True)
class Price:
    """What one limit would have cost, as a line beside the field."""

    limit: int
    good: int
    of_good: int
    bad: int
    of_bad: int
    is_set: bool

    @property
    def share(self) -> str:
        """Return the share of the runs that did well on which it fires."""
        return f"{100 * self.good / self.of_good:.1f} %" if self.of_good else "–"


@dataclass(frozen=True, slots=True)
class Field:
    """One rule with how it is set: by this workspace, or as the workflow declares it.

    `is_own` says that the workspace has set it; `fired` is how often it spoke here lately.
    """

    name: str
    rule: Rule
    setting: Setting
    declared: Setting
    is_own: bool
    typed_limit: str
    typed_strength: str
    published: str
    prices: Sequence[Price]
    fired: int

    @property
    def does(self) -> str:
        """Return what it does when it fires."""
        return MEANS[self.setting.strength]

    @property
    def default(self) -> str:
        """Return how it is declared, in words."""
        limit = "off" if self.declared.limit is None else f"{self.declared.limit:.15g}"
        return f"{limit}, {self.declared.strength}"


def guard_settings(
    workspace: Workspace, actor: Actor, name: str, *, now: datetime, typed: Mapping[str, str]
) -> dict[str, Any]:
    """Return what `agents/guard_settings.html` shows. Raises: NotFound (404)."""
    known = workflows.find(name)
    if known is None:
        raise NotFound
    row = queries.setting(workspace.id, name)
    own = row.guards if row else {}
    declared, found = settled(known.guards), settled(known.guards, own)
    since = now - timedelta(days=DAYS)
    spoken = pauses.fired(workspace.id, name, since)
    fields = [
        _field(rule, declared[rule], found[rule], own, typed, spoken.get(rule, 0)) for rule in RULES
    ]
    measured = costs.measured()
    lines: Any = ledger(workspace, actor, subject=f"workflow:{name}")["lines"]
    at_once = row.at_once if row else None
    return {
        "workflow": known,
        "groups": [
            {"label": GUARDS[guard], "name": guard, "fields": list(held)}
            for guard, held in groupby(fields, lambda field: field.rule.guard)
        ],
        "strengths": [(strength, MEANS[strength]) for strength in STRENGTHS],
        "at_once": typed.get("at_once", "" if at_once is None else str(at_once)),
        "declared_at_once": known.at_once,
        "row": row,
        "measured": measured,
        "runs": pauses.runs_since(workspace.id, name, since),
        "days": DAYS,
        "history": lines[:HISTORY],
        "may_set": allows(actor.roles, "operate") or allows(actor.roles, "policies"),
    }


def _field(
    name: str,
    declared: Setting,
    found: Setting,
    own: Mapping[str, Any],
    typed: Mapping[str, str],
    fired: int,
) -> Field:
    limit = "" if found.limit is None else f"{found.limit:.15g}"
    cost = costs.measured().of(name)
    return Field(
        name=name,
        rule=RULES[name],
        setting=found,
        declared=declared,
        is_own=name in own,
        typed_limit=typed.get(f"{name}.limit", limit),
        typed_strength=typed.get(f"{name}.strength", found.strength),
        published=cost.published,
        prices=_prices(cost, found),
        fired=fired,
    )


def _prices(cost: Cost, found: Setting) -> list[Price]:
    measured = costs.measured()

    def price(at: At) -> Price:
        is_set = found.limit == at.limit
        return Price(at.limit, at.good, measured.good, at.bad, measured.bad, is_set)

    return [price(at) for at in cost.at]


def layer_of(declared: Mapping[str, Setting], typed: Mapping[str, Setting]) -> dict[str, Any]:
    """Return what of the typed settings differs from what is declared, as a row keeps it."""
    return {
        rule: setting.to_json()
        for rule, setting in typed.items()
        if setting != declared.get(rule, DEFAULTS[rule])
    }
