"""Find the terms that the policies set for an action."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from approvals import queries, rulebook
from approvals.models import ActionType
from approvals.operations.previewing import Preview
from approvals.policy import Terms


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the policies say of an action: its terms, or why it is denied at once."""

    terms: Terms
    denied: str = ""


def evaluate(
    workspace_id: UUID,
    action_type: ActionType,
    shown: Preview,
    params: dict[str, Any],
    *,
    agent: str,
    now: datetime,
) -> Terms:
    """Return the terms of the rule that is the action's, from the policies as they are now."""
    rules = queries.policies(workspace_id).rules
    return rulebook.terms_for(rules, _values(action_type, shown, params, agent, now))


def _values(
    action_type: ActionType, shown: Preview, params: dict[str, Any], agent: str, now: datetime
) -> dict[str, Any]:
    """Return what an expression may speak of; see `approvals/cel.py`."""
    measure = shown.measure
    return {
        "action": action_type.name,
        "params": params,
        "fields": [change.to_json() for change in shown.changes],
        "amount": float(measure.amount or 0),
        "currency": measure.currency,
        "counterparty": measure.counterparty,
        "subject": measure.subject,
        "state": shown.base.key,
        "agent": agent,
        "risk": action_type.risk,
        "leaves_house": action_type.leaves_house,
        "failed_checks": sum(not check.passed for check in shown.checks),
        "tainted": False,
        "hour": now.hour,
        "weekday": now.isoweekday(),
    }
