"""Rows: what was carried out, and what was carried out before it was decided."""

from typing import ClassVar

from django.db import models
from django.db.models import CheckConstraint, Index, Q, UniqueConstraint

from approvals.lifecycle import EXECUTION_STATUSES, RETRY_CLASSES, UNDER_WAY
from approvals.models.proposals import Proposal
from approvals.models.references import PERSON, STATE, WORKSPACE
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
    """The single carrying-out of an approved revision.

    One with a `connector` leaves the house. `fence` counts its claims: whoever holds an older one
    records nothing. `tries` counts how often it was begun, before anything of it ran. `next_at` is
    when the sender looks at it again. In doubt it has an `owner` and a time, `doubt_due_at`.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    proposal = models.ForeignKey(Proposal, models.PROTECT, related_name="executions")
    revision = models.IntegerField()
    digest = models.CharField(max_length=64)
    status = models.CharField(max_length=20)
    snapshot_number = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    executed_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=500, blank=True)
    break_glass = models.OneToOneField(
        BreakGlass, models.PROTECT, null=True, related_name="execution"
    )
    # Written by everybody since executions leave the house; empty in rows that are older.
    state = models.ForeignKey(STATE, models.PROTECT, null=True, related_name="+")
    connector = models.CharField(max_length=60, db_default="", default="", blank=True)
    retry_class = models.CharField(max_length=10, db_default="local", default="local")
    request_digest = models.CharField(max_length=64, db_default="", default="", blank=True)
    fence = models.BigIntegerField(db_default=0, default=0)
    tries = models.SmallIntegerField(db_default=0, default=0)
    next_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    reference = models.CharField(max_length=200, db_default="", default="", blank=True)
    doubted_at = models.DateTimeField(null=True)
    doubt_due_at = models.DateTimeField(null=True)
    owner = models.ForeignKey(PERSON, models.PROTECT, null=True, related_name="+")

    class Meta:
        """An approved revision is carried out once; a success names its snapshot."""

        constraints: ClassVar = [
            UniqueConstraint(fields=["proposal", "revision"], name="a_revision_is_executed_once"),
            CheckConstraint(
                condition=Q(status__in=EXECUTION_STATUSES), name="an_execution_status_is_known"
            ),
            CheckConstraint(
                # What happened outside while the record moved says so instead.
                condition=~Q(status="succeeded")
                | Q(snapshot_number__isnull=False)
                | (~Q(retry_class="local") & ~Q(problem="")),
                name="a_succeeded_execution_names_its_snapshot",
            ),
            UniqueConstraint(
                fields=["state"],
                condition=Q(status__in=UNDER_WAY),
                name="one_execution_is_under_way_per_state",
            ),
            CheckConstraint(
                condition=Q(retry_class__in=RETRY_CLASSES)
                & (Q(retry_class="local", connector="") | ~Q(connector="")),
                name="an_execution_has_a_retry_class",
            ),
            CheckConstraint(
                condition=~Q(retry_class="local") | ~Q(status__in=["claimed", "sent", "in_doubt"]),
                name="a_local_execution_is_never_sent",
            ),
            CheckConstraint(
                condition=~Q(status__in=["sent", "in_doubt"]) | Q(sent_at__isnull=False),
                name="a_sent_execution_says_when",
            ),
            CheckConstraint(
                condition=~Q(status="in_doubt") | Q(doubt_due_at__isnull=False),
                name="what_is_in_doubt_is_due",
            ),
        ]
        indexes: ClassVar = [
            Index(fields=["due_at"], condition=Q(status="held"), name="executions_held"),
            Index(fields=["next_at"], condition=Q(status="ready"), name="executions_ready"),
            Index(
                fields=["lease_until"],
                condition=Q(status__in=["claimed", "sent"]),
                name="executions_leased",
            ),
            Index(
                fields=["lease_until"],
                condition=Q(status="in_doubt", retry_class="keyed"),
                name="executions_sent_again",
            ),
            Index(
                fields=["workspace", "doubt_due_at"],
                condition=Q(status="in_doubt"),
                name="executions_in_doubt",
            ),
            Index(
                fields=["workspace", "-id"],
                condition=~Q(retry_class="local"),
                name="executions_outside",
            ),
        ]

    def __str__(self) -> str:
        """Return status and proposal, for a shell."""
        return f"{self.status} {self.proposal_id}"

    @property
    def was_sent(self) -> bool:
        """Say whether its bytes have gone out before, whatever became of them."""
        return bool(self.request_digest)


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
