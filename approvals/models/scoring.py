"""Rows: what policies would have said, and how attentive people are."""

from typing import ClassVar

from django.db import models
from django.db.models import CheckConstraint, Index, Q, UniqueConstraint

from approvals.models.proposals import Proposal
from approvals.models.references import PERSON, WORKSPACE
from console.ids import new_id


class Verdict(models.Model):
    """What one rule said of one revision: the one in force, and each that runs in the shadow.

    `would` is `auto`, `review` or `deny`; `mode` is `enforced` or `shadow`.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    proposal = models.ForeignKey(Proposal, models.PROTECT, related_name="verdicts")
    revision = models.IntegerField()
    rule = models.CharField(max_length=120)
    version = models.IntegerField()
    number = models.BigIntegerField()
    mode = models.CharField(max_length=8)
    level = models.SmallIntegerField()
    would = models.CharField(max_length=6)
    why = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField()

    class Meta:
        """A rule says one thing of a revision."""

        constraints: ClassVar = [
            UniqueConstraint(
                fields=["proposal", "revision", "rule", "mode"],
                name="a_rule_says_one_thing_of_a_revision",
            ),
            CheckConstraint(
                condition=Q(mode__in=["enforced", "shadow"]), name="a_verdict_has_a_known_mode"
            ),
            CheckConstraint(
                condition=Q(would__in=["auto", "review", "deny"]), name="a_verdict_is_a_known_one"
            ),
        ]
        indexes: ClassVar = [
            Index(fields=["workspace", "rule", "-at", "-id"], name="verdicts_of_a_rule")
        ]

    def __str__(self) -> str:
        """Return what was said, for a shell."""
        return f"{self.rule} v{self.version}: {self.would}"


class Canary(models.Model):
    """A past action with one value changed, put before one reviewer to see whether they look.

    It is no proposal: nothing here refers to a State, a run or an execution, so that it cannot be
    carried out. `shown` is everything that its page says; `path` is the value that was changed.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    person = models.ForeignKey(PERSON, models.PROTECT, related_name="+")
    policy = models.CharField(max_length=120)
    level = models.SmallIntegerField()
    rank = models.BigIntegerField()
    shown = models.JSONField()
    path = models.CharField(max_length=1000)
    what = models.CharField(max_length=500)
    planted_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    choice = models.CharField(max_length=16, blank=True)
    reason = models.CharField(max_length=1000, blank=True)
    attention = models.JSONField(default=dict)
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """One waits for a person at a time."""

        constraints: ClassVar = [
            UniqueConstraint(
                fields=["workspace", "person"],
                condition=Q(answered_at=None),
                name="one_canary_waits_for_a_person",
            ),
            CheckConstraint(
                condition=Q(choice="", answered_at=None)
                | ~Q(choice="") & Q(answered_at__isnull=False),
                name="a_canary_says_how_it_was_answered",
            ),
        ]
        indexes: ClassVar = [
            Index(fields=["workspace", "person", "-answered_at"], name="canaries_of_a_person")
        ]

    def __str__(self) -> str:
        """Return for whom, for a shell."""
        return f"{self.person_id} {self.choice or 'waits'}"
