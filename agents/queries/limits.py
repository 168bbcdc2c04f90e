"""How are the guards of a run set, by the workspace, its job and whoever raised a limit?"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from agents import store
from agents.spending import Elsewhere

# One look at everything, since every lead of a run needs it.
_LOOK = """
    SELECT setting.guards, budget.tokens, budget.money, job.budget, run.raised,
        coalesce(others.tokens, 0), coalesce(others.money, 0)
    FROM agents_run AS run
    JOIN agents_job AS job ON job.id = run.job_id
    LEFT JOIN agents_workflowsetting AS setting
        ON setting.workspace_id = run.workspace_id AND setting.workflow = job.workflow
    LEFT JOIN agents_workspacebudget AS budget ON budget.workspace_id = run.workspace_id
    LEFT JOIN LATERAL (
        SELECT sum(other.tokens) AS tokens, sum(other.money) AS money FROM agents_run AS other
        WHERE other.job_id = run.job_id AND other.id <> run.id AND run.number > 1) AS others ON true
    WHERE run.id = %s
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the rows say: layers of settings, limits by rule, and what the job used before.

    `raised` is a layer that a person has put over the others for this run alone.
    """

    guards: Mapping[str, Any]
    raised: Mapping[str, Any]
    budgets: Mapping[str, Any]
    job_tokens: int
    job_money: Decimal


def of_run(run_id: UUID) -> Limits:
    """Return how a run is limited, in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(_LOOK, [run_id])
        row = cursor.fetchone()
    guards, day_tokens, day_money, job_budget, raised, job_tokens, job_money = row
    own = _value(job_budget) or {}
    budgets = {
        "day_tokens": day_tokens,
        "day_money": day_money,
        "job_tokens": own.get("tokens"),
        "job_money": own.get("money"),
        "seconds": own.get("seconds"),
    }
    layer = {rule: {"limit": limit} for rule, limit in (_value(raised) or {}).items()}
    return Limits(_value(guards) or {}, layer, budgets, int(job_tokens), Decimal(job_money))


def used_elsewhere(workspace_id: UUID, before: Elsewhere) -> Elsewhere:
    """Return what was used elsewhere, with what the workspace has used today up to now."""
    tokens, money = store.used_today(workspace_id)
    return Elsewhere(before.job_tokens, before.job_money, tokens, money)


def _value(found: Any) -> Any:
    # Django has told its connections to leave jsonb as text.
    return orjson.loads(found) if isinstance(found, str | bytes) else found
