"""Declare action types in a workspace."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction

from approvals import effects
from approvals.fields import Field
from approvals.models import ActionType
from approvals.parameters import schema_objection
from approvals.undoing import objection_to_declaration
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
    what people can do about it then. With a `connector` its effect is carried out there, so it
    leaves the house. `measures` and `compensation`: see the row.
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
    measures: dict[str, str] = field(default_factory=dict)
    connector: str = ""
    compensation: dict[str, Any] = field(default_factory=dict)


def declare(actor: Actor, spec: ActionTypeSpec) -> UUID:
    """Make or replace an action type; the same declaration twice changes nothing.

    Raises: ActionTypeUnusable (422).
    """
    if not effects.is_known(spec.effect):
        raise ActionTypeUnusable(f"There is no effect {spec.effect!r}.", field="effect")
    if objection := schema_objection(spec.params_schema):
        raise ActionTypeUnusable(objection, field="params_schema")
    if objection := objection_to_declaration(spec.compensation):
        raise ActionTypeUnusable(objection, field="compensation")
    values = {
        "label": spec.label,
        "sentence": spec.sentence,
        "params_schema": spec.params_schema,
        "fields": [f.to_json() for f in spec.fields],
        "effect": spec.effect,
        "risk": spec.risk,
        "reversibility": spec.reversibility,
        "leaves_house": spec.leaves_house or bool(spec.connector),
        "measures": spec.measures,
        "connector": spec.connector,
        "compensation": spec.compensation,
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
