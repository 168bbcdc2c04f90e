"""Declare action types and policies in a workspace."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction

from approvals import effects
from approvals.fields import Field
from approvals.models import ActionType, Policy
from approvals.parameters import schema_objection
from approvals.policy import Terms
from console.actors import Actor
from console.canonical import Json
from console.errors import Invalid
from console.ledger.operations.appending import append


class ActionTypeUnusable(Invalid):
    """This action type cannot be declared as it is."""

    code = "action_type_invalid"


@dataclass(frozen=True, slots=True)
class ActionTypeSpec:
    """Everything an action type declares once.

    `sentence` is a template over parameters and facts; `risk` is 1 low, 2 medium, 3 high. One that
    `leaves_house` does something outside that a rollback cannot take back; `reversibility` says
    what people can do about it then.
    """

    name: str
    label: str
    sentence: str
    params_schema: dict[str, Any]
    effect: str
    fields: tuple[Field, ...] = field(default=())
    risk: int = 2
    reversibility: str = ""
    leaves_house: bool = False


def declare(actor: Actor, spec: ActionTypeSpec) -> UUID:
    """Make or replace an action type; the same declaration twice changes nothing.

    Raises: ActionTypeUnusable (422).
    """
    if not effects.is_known(spec.effect):
        raise ActionTypeUnusable(f"There is no effect {spec.effect!r}.", field="effect")
    if objection := schema_objection(spec.params_schema):
        raise ActionTypeUnusable(objection, field="params_schema")
    values = {
        "label": spec.label,
        "sentence": spec.sentence,
        "params_schema": spec.params_schema,
        "fields": [f.to_json() for f in spec.fields],
        "effect": spec.effect,
        "risk": spec.risk,
        "reversibility": spec.reversibility,
        "leaves_house": spec.leaves_house,
    }
    with transaction.atomic():
        rows = ActionType.objects.select_for_update(no_key=True)
        known = rows.filter(workspace_id=actor.workspace_id, name=spec.name).first()
        if known and all(getattr(known, name) == value for name, value in values.items()):
            return known.id
        row, _ = ActionType.objects.update_or_create(
            workspace_id=actor.workspace_id, name=spec.name, defaults=values
        )
        body: dict[str, Json] = {"name": spec.name, "effect": spec.effect, "risk": spec.risk}
        append(actor, "action_type.declared", f"action_type:{row.id}", body)
    return row.id


def set_policy(actor: Actor, position: int, action_types: list[str], terms: Terms) -> None:
    """Put a policy at a position; a changed one gets the next version."""
    values: dict[str, Any] = {
        "name": terms.policy,
        "action_types": action_types,
        "level": terms.level,
        "approvals": terms.approvals,
        "denials": terms.denials,
        "roles": list(terms.roles),
        "expires_seconds": terms.expires_seconds,
        "hold_seconds": terms.hold_seconds,
    }
    with transaction.atomic():
        rows = Policy.objects.select_for_update(no_key=True).filter(workspace_id=actor.workspace_id)
        known = rows.filter(position=position).first()
        if known and all(getattr(known, name) == value for name, value in values.items()):
            return
        version = known.version + 1 if known else 1
        row, _ = Policy.objects.update_or_create(
            workspace_id=actor.workspace_id,
            position=position,
            defaults={**values, "version": version},
        )
        body: dict[str, Json] = {**terms.to_json(), "version": version}
        body["action_types"] = [*action_types]
        append(actor, "policy.set", f"policy:{row.id}", body)
