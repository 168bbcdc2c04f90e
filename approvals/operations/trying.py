"""Try a change of the policies on what was proposed lately, without changing anything."""

from dataclasses import replace
from datetime import datetime

from approvals import queries
from approvals.amending import Amendment
from approvals.operations.policing import drafted
from approvals.queries.backtesting import Backtest, backtest
from console.access.rights import allows
from console.actors import Actor
from console.errors import Forbidden


def try_out(*, actor: Actor, change: Amendment, days: int, now: datetime) -> Backtest:
    """Say what the policies would have asked for in the last days after this change.

    A rule that is a draft or in the shadow is tried as if it were in force.
    Raises: Forbidden (403), PolicyOutdated (409), PolicyInvalid (422).
    """
    if not allows(actor.roles, "policies"):
        raise Forbidden
    name = str((change.rule or {}).get("name", "")) or change.name
    rules = [
        replace(rule, mode="enforced") if rule.name == name else rule
        for rule in drafted(actor.workspace_id, change)
    ]
    current = queries.policies(actor.workspace_id).rules
    return backtest(actor.workspace_id, (current, rules), name=name, days=days, now=now)
