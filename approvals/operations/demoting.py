"""Take a policy that approves by itself, and too often wrongly, before people again."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db import transaction

from approvals import queries
from approvals.amending import Amendment
from approvals.models import Proposal
from approvals.operations.policing import propose_change
from approvals.operations.telling import tell
from approvals.policy import AUTO, Threshold
from approvals.queries.scoring import looks
from approvals.rulebook import Rule
from approvals.scoring import DRIFT_SHARE, Interval, has_drifted
from console.access.queries import people_with_role
from console.actors import Actor, system
from console.ledger.operations.appending import append
from snapshots import queries as snapshots

WHY = (
    f"More than {DRIFT_SHARE:.0%} of what this policy approved by itself was found wrong by those "
    "who looked at a sample. Until somebody has looked into it, one person should agree each time."
)


def demote_drifting(*, now: datetime) -> int:
    """Raise an alarm and propose to ask people again, once per version of a policy; say how often.

    A policy has drifted when of its newest looks too many came back wrong; see
    `approvals.scoring.has_drifted`. Nothing changes until an admin agrees.
    """
    found = [
        (workspace_id, rule, wrong)
        for workspace_id, _ in snapshots.of_kind_everywhere("policies")
        for rule, wrong in _drifted(workspace_id)
    ]
    return sum(_demote(system("policies", each[0]), each[1], each[2], now) for each in found)


def _drifted(workspace_id: UUID) -> list[tuple[Rule, Interval]]:
    rules = {
        (rule.name, rule.terms.version): rule
        for rule in queries.policies(workspace_id).rules
        if rule.mode == "enforced" and rule.terms.level == AUTO
    }
    found = looks(workspace_id, rules.keys())
    return [(rules[name], wrong) for name, wrong in found.items() if has_drifted(wrong)]


def _demote(actor: Actor, rule: Rule, wrong: Interval, now: datetime) -> bool:
    step = f"demote:{rule.name}"[:100] + f":{rule.terms.version}"
    known = Proposal.objects.filter(
        workspace_id=actor.workspace_id, origin=actor.ref, origin_step=step
    )
    if known.exists():
        return False
    asking = replace(rule.terms, level=1, thresholds=(Threshold(approve=1),), sample=0.0)
    change = Amendment(
        "put",
        replace(rule, terms=asking).to_json(),
        name=rule.name,
        version=rule.terms.version,
    )
    with transaction.atomic():
        made = propose_change(actor=actor, change=change, reason=WHY, now=now, step=step)
        _alarm(actor, made, now)
        append(
            actor,
            "policy.drifted",
            f"proposal:{made}",
            {
                "policy": rule.name,
                "version": rule.terms.version,
                "wrong": wrong.hits,
                "looks": wrong.of,
            },
        )
    return True


def _alarm(actor: Actor, proposal_id: UUID, now: datetime) -> None:
    admins: Sequence[UUID] = [
        person.id for person, _ in people_with_role(actor.workspace_id, ["admin"])
    ]
    tell(Proposal.objects.get(id=proposal_id), "policy.alarm", admins, now=now)
