"""Count what a workspace uses in a day, and take nothing new once its budget is spent."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from agents.models import Usage, WorkspaceBudget
from console.errors import Refused

# Counted and judged in one statement, so that of many submissions at once none is one too many.
_COUNT = """
    INSERT INTO agents_usage AS used (workspace_id, day, runs, tokens, money)
    VALUES (%(workspace)s, %(day)s, 1, 0, 0)
    ON CONFLICT (workspace_id, day) DO UPDATE SET runs = used.runs + 1
    WHERE NOT EXISTS (
        SELECT FROM agents_workspacebudget AS budget
        WHERE budget.workspace_id = used.workspace_id AND (used.runs >= budget.runs
            OR used.tokens >= budget.tokens OR used.money >= budget.money))
"""
_COUNTED = ("runs", "tokens", "money")


class BudgetSpent(Refused):
    """What this workspace may use in a day is used; the next day begins at midnight UTC."""

    status = 429
    code = "budget_spent"


@dataclass(frozen=True, slots=True)
class Spent:
    """One budget of the day that is used up."""

    of: str
    used: Decimal
    limit: Decimal


def check_budget(workspace_id: UUID, now: datetime) -> None:
    """Refuse what can be refused before anything is written. Raises: BudgetSpent (429)."""
    if spent := _spent(workspace_id, now):
        raise _refusal(spent, now)


def count_run(workspace_id: UUID, now: datetime) -> None:
    """Count the first run of a job; one that begins anew after a rollback is not counted again.

    Locks: the workspace's row of the day, so this is the last thing a transaction does.
    Raises: BudgetSpent (429).
    """
    values: dict[str, Any] = {"workspace": workspace_id, "day": day_of(now)}
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, values)
        if cursor.rowcount:
            return
    spent = _spent(workspace_id, now) or Spent("runs", Decimal(0), Decimal(0))
    raise _refusal(spent, now)


def day_of(now: datetime) -> date:
    """Return the day that something counts for."""
    return now.astimezone(UTC).date()


def _spent(workspace_id: UUID, now: datetime) -> Spent | None:
    budget = WorkspaceBudget.objects.filter(workspace=workspace_id).first()
    if budget is None:
        return None
    used = Usage.objects.filter(workspace=workspace_id, day=day_of(now)).first()
    for name in _COUNTED:
        most, so_far = getattr(budget, name), getattr(used, name, 0)
        if most is not None and so_far >= most:
            return Spent(name, Decimal(so_far), Decimal(most))
    return None


def _refusal(spent: Spent, now: datetime) -> BudgetSpent:
    midnight = datetime.combine(day_of(now) + timedelta(days=1), datetime.min.time(), UTC)
    return BudgetSpent(
        f"The {spent.of} of this workspace are used for today: {_plain(spent.used)} of "
        f"{_plain(spent.limit)}. The next day begins at midnight UTC.",
        budget=spent.of,
        used=_plain(spent.used),
        limit=_plain(spent.limit),
        retry_after=max(1, -int((now - midnight).total_seconds() // 1)),
    )


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"
