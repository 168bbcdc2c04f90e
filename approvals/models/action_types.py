"""Rows: what kinds of write there are."""

from typing import ClassVar

from django.db import models
from django.db.models import CheckConstraint, Q, UniqueConstraint

from approvals.models.references import WORKSPACE
from console.ids import new_id


class ActionType(models.Model):
    """A typed kind of write: parameters, fields with labels and units, effect, risk.

    One that `leaves_house` has an effect outside that no rollback of ours takes back. `measures`
    says where an action of stated changes holds its `amount`, `currency`, `counterparty` and
    `subject`: JSON Pointers into the parameters, or for the currency a code. With a `connector` its
    effect is carried out there. `compensation` says what undoes it outside: {"action_type",
    "params": {name: JSON Pointer into the original's parameters, or text}, "within_seconds"}, or
    {"irreversible": true}.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    name = models.CharField(max_length=80)
    label = models.CharField(max_length=120)
    sentence = models.CharField(max_length=300)
    params_schema = models.JSONField()
    fields = models.JSONField(default=list)
    effect = models.CharField(max_length=80)
    risk = models.SmallIntegerField(default=2)
    reversibility = models.CharField(max_length=200, blank=True)
    leaves_house = models.BooleanField(default=False)
    measures = models.JSONField(default=dict)
    connector = models.CharField(max_length=60, db_default="", default="", blank=True)
    compensation = models.JSONField(db_default={}, default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """A name means one thing in a workspace."""

        constraints: ClassVar = [
            UniqueConstraint(fields=["workspace", "name"], name="an_action_type_name_is_used_once"),
            CheckConstraint(condition=Q(risk__range=(1, 3)), name="a_risk_is_low_medium_or_high"),
        ]

    def __str__(self) -> str:
        """Return the label people read."""
        return self.label
