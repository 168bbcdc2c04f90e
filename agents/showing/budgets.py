"""What does the page of budgets show: what was used today and before, and how much may be?"""

from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from agents.queries import budgets
from agents.showing.charts import Chart, Series, chart
from console.access.models import Workspace
from console.access.rights import allows
from console.actors import Actor

if TYPE_CHECKING:
    from agents.models import Usage, WorkspaceBudget

NAMES = {"runs": "Jobs", "tokens": "Tokens", "money": "Money"}
NEARLY = Decimal("0.8")
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that is counted: used today, of how much, and whether that is nearly or all."""

    name: str
    used: str
    limit: str
    share: str
    standing: str
    chart: Chart | None


@dataclass(frozen=True, slots=True)
class Day:
    """One line of the table."""

    day: datetime
    runs: str
    tokens: str
    money: str


def page(workspace: Workspace, actor: Actor, now: datetime) -> dict[str, Any]:
    """Return what `agents/budgets.html` shows."""
    budget = budgets.budget(workspace.id)
    days = budgets.days(workspace.id, now.astimezone(UTC).date())
    return {
        "budget": budget,
        "measures": [_measure(name, days, budget) for name in NAMES],
        "days": [_day(row) for row in days],
        "working": budgets.working(workspace.id),
        "can_set": allows(actor.roles, "administer"),
    }


def said(name: str, amount: Decimal | float) -> str:
    """Return an amount as people read it."""
    if name != "money":
        return f"{int(amount):,}"
    exact = Decimal(amount)
    # A day of small models costs less than a cent, which is not nothing.
    is_round = exact == 0 or exact >= _CENT
    return f"${exact:,.2f}" if is_round else f"${exact.normalize():f}"


def _measure(name: str, days: "list[Usage]", budget: "WorkspaceBudget | None") -> Measure:
    used = Decimal(getattr(days[0], name))
    limit = getattr(budget, name, None)
    share = None if limit is None else used / Decimal(limit)
    drawn = Series(
        NAMES[name],
        [_began(row).timestamp() for row in reversed(days)],
        [float(getattr(row, name)) for row in reversed(days)],
        lambda value: said(name, Decimal(str(value))),
        None if limit is None else float(limit),
    )
    return Measure(
        name=NAMES[name],
        used=said(name, used),
        limit="" if limit is None else said(name, limit),
        share="" if share is None else f"{int(share * 100)} %",
        standing=_standing(share),
        chart=chart(drawn),
    )


def _standing(share: Decimal | None) -> str:
    if share is None or share < NEARLY:
        return ""
    return "spent" if share >= 1 else "nearly"


def _day(row: "Usage") -> Day:
    return Day(_began(row), *(said(name, getattr(row, name)) for name in NAMES))


def _began(row: "Usage") -> datetime:
    return datetime.combine(row.day, time(), UTC)
