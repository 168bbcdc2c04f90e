"""Rows: what was carried out, and what was carried out before it was decided."""

from typing import ClassVar

from django.db import models
from django.db.models import CheckConstraint, Index, Q, UniqueConstraint

from approvals.lifecycle import EXECUTION_STATUSES
from approvals.models.proposals import Proposal
from approvals.models.references import PERSON, WORKSPACE
from console.ids import new_id


class BreakGlass(models.Model):
    """An emergency: one admin had a revision carried out before enough people agreed."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    proposal = models.ForeignKey(Proposal, models.PROTECT, related_name="+")
    revision = models.IntegerField()
    digest = models.CharField(max_length=64)
    person = models.ForeignKey(PERSON, models.PROTECT, related_name="+")
    reason = models.CharField(max_length=1000)
    at = models.DateTimeField()

    class Meta:
        """A glass is broken once for a revision."""

        constraints: ClassVar = [
            UniqueConstraint(
                fields=["proposal", "revision"], name="a_glass_is_broken_once_per_revision"
            )
        ]

    def __str__(self) -> str:
        """Return who broke it, for a shell."""
        return f"{self.person_id} {self.proposal_id} r{self.revision}"


class Execution(models.Model):
    """The single carrying-out of an approved revision."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    proposal = models.ForeignKey(Proposal, models.PROTECT, related_name="executions")
    revision = models.IntegerField()
    digest = models.CharField(max_length=64)
    status = models.CharField(max_length=12)
    snapshot_number = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    executed_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=500, blank=True)
    break_glass = models.OneToOneField(
        BreakGlass, models.PROTECT, null=True, related_name="execution"
    )

    class Meta:
        """An approved revision is carried out once; a success names its snapshot."""

        constraints: ClassVar = [
            UniqueConstraint(fields=["proposal", "revision"], name="a_revision_is_executed_once"),
            CheckConstraint(
                condition=Q(status__in=EXECUTION_STATUSES), name="an_execution_status_is_known"
            ),
            CheckConstraint(
                condition=~Q(status="succeeded") | Q(snapshot_number__isnull=False),
                name="a_succeeded_execution_names_its_snapshot",
            ),
        ]
        indexes: ClassVar = [
            Index(fields=["due_at"], condition=Q(status="held"), name="executions_held")
        ]

    def __str__(self) -> str:
        """Return status and proposal, for a shell."""
        return f"{self.status} {self.proposal_id}"


class Review(models.Model):
    """A look that is owed after something was carried out: who took it, and what they found.

    `cause` is `break_glass` (two are owed) or `sample` (one, of what a policy approved alone).
    `verdict` is `right` or `wrong` once somebody has looked.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    execution = models.ForeignKey(Execution, models.PROTECT, related_name="reviews")
    cause = models.CharField(max_length=12)
    number = models.SmallIntegerField()
    due_at = models.DateTimeField()
    person = models.ForeignKey(PERSON, models.PROTECT, null=True, related_name="+")
    verdict = models.CharField(max_length=8, blank=True)
    text = models.CharField(max_length=1000, blank=True)
    at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """A person looks once; a look that was taken says by whom, when and with what result."""

        constraints: ClassVar = [
            UniqueConstraint(fields=["execution", "number"], name="an_owed_review_is_owed_once"),
            UniqueConstraint(fields=["execution", "person"], name="a_person_reviews_once"),
            CheckConstraint(
                condition=Q(cause__in=["break_glass", "sample"]), name="a_review_has_a_known_cause"
            ),
            CheckConstraint(
                condition=Q(verdict="", person=None, at=None)
                | Q(verdict__in=["right", "wrong"], person__isnull=False, at__isnull=False),
                name="a_review_says_who_and_when",
            ),
        ]
        indexes: ClassVar = [
            Index(fields=["workspace", "due_at"], condition=Q(verdict=""), name="reviews_owed")
        ]

    def __str__(self) -> str:
        """Return what is owed, for a shell."""
        return f"{self.cause} {self.execution_id} {self.verdict or 'owed'}"
