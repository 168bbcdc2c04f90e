"""Rows: what was decided on proposals, and with which signature."""

from typing import ClassVar

from django.db import models
from django.db.models import CheckConstraint, Index, Q, UniqueConstraint

from approvals.models.proposals import Proposal
from approvals.models.references import PERSON, WORKSPACE
from console.ids import new_id


class Decision(models.Model):
    """One person's act on one revision.

    `stands_for` is whom they stood in for. `fact` is what they typed from the diff where the level
    asks for it; `attention` what the page noticed while they looked:
    `{"visible_seconds", "hidden_seconds", "reached_end", "evidence_opened", "under_floor"}`.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    proposal = models.ForeignKey(Proposal, models.PROTECT, related_name="decisions")
    revision = models.IntegerField()
    digest = models.CharField(max_length=64)
    person = models.ForeignKey(PERSON, models.PROTECT, related_name="+")
    stands_for = models.ForeignKey(PERSON, models.PROTECT, null=True, related_name="+")
    choice = models.CharField(max_length=16)
    reason_code = models.CharField(max_length=40, blank=True)
    reason = models.CharField(max_length=1000, blank=True)
    ticked = models.JSONField(default=list)
    fact = models.CharField(max_length=200, blank=True)
    attention = models.JSONField(default=dict)
    decided_at = models.DateTimeField()

    class Meta:
        """A person decides once on a revision."""

        constraints: ClassVar = [
            UniqueConstraint(
                fields=["proposal", "revision", "person"],
                name="one_decision_per_person_per_revision",
            ),
            CheckConstraint(
                condition=Q(choice__in=["approve", "reject", "request_changes"]),
                name="a_decision_is_one_of_three",
            ),
        ]
        indexes: ClassVar = [
            Index(fields=["workspace", "-decided_at"], name="decisions_newest"),
            Index(fields=["person", "-decided_at"], name="decisions_of_a_person"),
        ]

    def __str__(self) -> str:
        """Return who said what, for a shell."""
        return f"{self.person_id} {self.choice}"


class Signature(models.Model):
    """What makes a decision a signed one: who, when, what it means, over which bytes.

    `statement` is the canonical bytes of printed name, time, meaning, choice, revision digest and
    the digest of what was rendered; `digest` is their SHA-256. `rendering` is what was rendered,
    which later releases may word differently. `method` is `password_totp` or `passkey`; a
    passkey's `assertion` is over that digest.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    decision = models.OneToOneField(Decision, models.PROTECT, related_name="signature")
    person = models.ForeignKey(PERSON, models.PROTECT, related_name="+")
    step_up = models.OneToOneField("access.StepUp", models.PROTECT, related_name="+")
    printed_name = models.CharField(max_length=80)
    meaning = models.CharField(max_length=200)
    method = models.CharField(max_length=16)
    statement = models.BinaryField()
    digest = models.CharField(max_length=64)
    rendering = models.BinaryField()
    render_digest = models.CharField(max_length=64)
    assertion = models.JSONField(null=True)
    signed_at = models.DateTimeField()

    class Meta:
        """A step-up signs in a known way."""

        constraints: ClassVar = [
            CheckConstraint(
                condition=Q(method__in=["password_totp", "passkey"]),
                name="a_signature_was_made_in_a_known_way",
            )
        ]

    def __str__(self) -> str:
        """Return who signed, for a shell."""
        return f"{self.printed_name}: {self.meaning}"
