"""Give a workspace its first policies; afterwards they are changed by proposals alone."""

from collections.abc import Sequence
from datetime import datetime

from approvals import amending, rulebook
from approvals.operations.registering import ActionTypeSpec, declare
from approvals.rulebook import Rule
from console.actors import Actor
from snapshots import queries as snapshots
from snapshots.operations.creating import create_state


def install(*, actor: Actor, rules: Sequence[Rule], now: datetime) -> bool:
    """Make the State of the policies and say whether it was made; an existing one stays."""
    if snapshots.of_kind(actor.workspace_id, "policies") is not None:
        return False
    create_state(
        actor=actor,
        key=rulebook.KEY,
        document=rulebook.document(rules),
        reason="First policies",
        now=now,
        list_keys=rulebook.LIST_KEYS,
        kind="policies",
    )
    declare_change(actor)
    return True


def declare_change(actor: Actor) -> None:
    """Let changes of the policies be proposed here; where that is known already, do nothing."""
    declare(
        actor,
        ActionTypeSpec(
            name=rulebook.CHANGE,
            label=amending.LABEL,
            sentence=amending.SENTENCE,
            params_schema=amending.SCHEMA,
            effect=rulebook.EFFECT,
            fields=amending.FIELDS,
            risk=3,
            reversibility="Can be changed back by another proposal; what was approved stays so.",
        ),
    )
