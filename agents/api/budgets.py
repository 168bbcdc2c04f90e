"""Budgets over HTTP: what a workspace may use in a day, and what it has used."""

from datetime import UTC, date, datetime

from ninja import Router, Schema

from agents.queries import budgets as queries
from console.access.bearer import Bearer, ClientRequest
from console.endpoints import PROBLEMS

router = Router()


class LimitsOut(Schema):
    """The most of each in a day (UTC), and of runs at the same time; null is without end.

    Money is a decimal string in USD.
    """

    tokens: int | None = None
    money: str | None = None
    runs: int | None = None
    at_once: int | None = None


class UseOut(Schema):
    """What was used on one day (UTC); `runs` counts jobs that were taken in."""

    day: date
    tokens: int
    money: str
    runs: int


class BudgetOut(Schema):
    """The limits, how many runs work at this moment, and the last 14 days, today first."""

    limits: LimitsOut
    working: int
    days: list[UseOut]


@router.get("", auth=Bearer("jobs:read"), response={200: BudgetOut, **PROBLEMS})
def get_budget(request: ClientRequest) -> BudgetOut:
    """Look at the workspace's budget and what is used of it."""
    workspace_id = request.actor.workspace_id
    row = queries.budget(workspace_id)
    limits = LimitsOut()
    if row:
        money = None if row.money is None else f"{row.money:f}"
        limits = LimitsOut(tokens=row.tokens, money=money, runs=row.runs, at_once=row.at_once)
    days = queries.days(workspace_id, datetime.now(UTC).date())
    return BudgetOut(
        limits=limits,
        working=queries.working(workspace_id),
        days=[
            UseOut(day=each.day, tokens=each.tokens, money=f"{each.money:f}", runs=each.runs)
            for each in days
        ],
    )
