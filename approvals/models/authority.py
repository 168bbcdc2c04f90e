"""Rows: how much somebody may approve, who stands in for whom, and what is spent of a limit."""

from typing import ClassVar

from django.db import models
from django.db.models import CheckConstraint, F, Index, Q, UniqueConstraint

from approvals.models.proposals import Proposal
from approvals.models.references import PERSON, WORKSPACE
from console.ids import new_id


class AuthorityLimit(models.Model):
    """What a person may approve at most; without any row their role is enough."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    person = models.ForeignKey(PERSON, models.PROTECT, related_name="+")
    action_types = models.JSONField()
    amount = models.DecimalField(max_digits=24, decimal_places=6, null=True)
    currency = models.CharField(max_length=3, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=200, blank=True)
    granted_by = models.JSONField()
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """An amount has a currency."""

        constraints: ClassVar = [
            CheckConstraint(
                condition=Q(amount=None, currency="") | Q(amount__gte=0) & ~Q(currency=""),
                name="a_limit_has_amount_and_currency_or_neither",
            )
        ]
        indexes: ClassVar = [
            Index(
                fields=["workspace", "person"],
                condition=Q(revoked_at=None),
                name="authority_in_force",
            )
        ]

    def __str__(self) -> str:
        """Return whose and how much, for a shell."""
        return f"{self.person_id} {self.amount} {self.currency}"


class Delegation(models.Model):
    """While somebody is away, a delegate may decide in their place, with authority of their own."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    person = models.ForeignKey(PERSON, models.PROTECT, related_name="+")
    delegate = models.ForeignKey(PERSON, models.PROTECT, related_name="+")
    reason = models.CharField(max_length=300, blank=True)
    begins_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    made_by = models.JSONField()
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """Nobody stands in for themselves, and not for ever."""

        constraints: ClassVar = [
            CheckConstraint(
                condition=~Q(person=F("delegate")), name="nobody_stands_in_for_themselves"
            ),
            CheckConstraint(
                condition=Q(ends_at__gt=F("begins_at")), name="a_delegation_always_ends"
            ),
        ]
        indexes: ClassVar = [
            Index(
                fields=["workspace", "delegate", "ends_at"],
                condition=Q(revoked_at=None),
                name="delegations_in_force",
            )
        ]

    def __str__(self) -> str:
        """Return who stands in for whom, for a shell."""
        return f"{self.delegate_id} for {self.person_id}"


class Bucket(models.Model):
    """What a limit counts together, such as all payments to one payee; locked to be counted."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    key = models.CharField(max_length=64)
    says = models.CharField(max_length=300)

    class Meta:
        """A key (SHA-256 of policy, currency and what the limit is per) is one bucket."""

        constraints: ClassVar = [
            UniqueConstraint(fields=["workspace", "key"], name="a_bucket_exists_once")
        ]

    def __str__(self) -> str:
        """Return what is counted, for a shell."""
        return self.says


class Exposure(models.Model):
    """What one proposal adds to a bucket while it waits and once it is carried out."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    bucket = models.ForeignKey(Bucket, models.PROTECT, related_name="exposures", db_index=False)
    proposal = models.ForeignKey(Proposal, models.PROTECT, related_name="exposures")
    amount = models.DecimalField(max_digits=24, decimal_places=6)
    status = models.CharField(max_length=8)
    at = models.DateTimeField()

    class Meta:
        """A proposal counts once in a bucket; what was let go counts no more."""

        constraints: ClassVar = [
            UniqueConstraint(fields=["bucket", "proposal"], name="a_proposal_counts_once"),
            CheckConstraint(
                condition=Q(status__in=["waiting", "done", "released"]),
                name="an_exposure_waits_is_done_or_released",
            ),
        ]
        indexes: ClassVar = [
            Index(
                fields=["bucket", "at"],
                condition=~Q(status="released"),
                name="exposures_in_force",
            )
        ]

    def __str__(self) -> str:
        """Return how much, for a shell."""
        return f"{self.amount} {self.status}"
