"""Rows: what is asked, answered and said around a proposal, and who looked at it."""

from typing import ClassVar

from django.db import models
from django.db.models import CheckConstraint, Index, Q, UniqueConstraint

from approvals.models.proposals import Proposal
from approvals.models.references import PERSON, WORKSPACE
from console.ids import new_id


class Comment(models.Model):
    """Something a person, an agent or a client says about a proposal; it stays as it was said."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    proposal = models.ForeignKey(Proposal, models.PROTECT, related_name="comments")
    revision = models.IntegerField()
    actor = models.JSONField()
    text = models.TextField()
    at = models.DateTimeField()

    class Meta:
        """Read in the order in which it was said."""

        indexes: ClassVar = [Index(fields=["proposal", "at", "id"], name="comments_of_a_proposal")]

    def __str__(self) -> str:
        """Return the opening, for a shell."""
        return self.text[:60]


class InfoRequest(models.Model):
    """A question to the proposer that stops the clock; its answer is evidence."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    proposal = models.ForeignKey(Proposal, models.PROTECT, related_name="info_requests")
    number = models.SmallIntegerField()
    revision = models.IntegerField()
    person = models.ForeignKey(PERSON, models.PROTECT, related_name="+")
    question = models.CharField(max_length=1000)
    asked_at = models.DateTimeField()
    answer = models.TextField(blank=True)
    answered_by = models.JSONField(null=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """One question at a time."""

        constraints: ClassVar = [
            UniqueConstraint(fields=["proposal", "number"], name="a_question_number_is_used_once"),
            UniqueConstraint(
                fields=["proposal"],
                condition=Q(answered_at=None, withdrawn_at=None),
                name="one_question_waits_for_an_answer",
            ),
            CheckConstraint(
                condition=Q(answered_at=None, answered_by=None)
                | Q(answered_at__isnull=False, answered_by__isnull=False),
                name="an_answer_says_who_and_when",
            ),
        ]

    def __str__(self) -> str:
        """Return the question, for a shell."""
        return self.question[:60]


class Snooze(models.Model):
    """Somebody does not want to see a proposal in their queue until then."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    proposal = models.ForeignKey(Proposal, models.PROTECT, related_name="snoozes")
    person = models.ForeignKey(PERSON, models.PROTECT, related_name="+")
    until = models.DateTimeField()

    class Meta:
        """A person snoozes a proposal until one time."""

        constraints: ClassVar = [
            UniqueConstraint(fields=["proposal", "person"], name="a_person_snoozes_until_one_time")
        ]

    def __str__(self) -> str:
        """Return until when, for a shell."""
        return f"{self.person_id} until {self.until}"


class Viewing(models.Model):
    """When somebody first and last looked at a proposal, and which revision they saw last."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    proposal = models.ForeignKey(Proposal, models.PROTECT, related_name="viewings")
    person = models.ForeignKey(PERSON, models.PROTECT, related_name="+")
    revision = models.IntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        """One row per reader."""

        constraints: ClassVar = [
            UniqueConstraint(fields=["proposal", "person"], name="a_reader_is_noted_once")
        ]

    def __str__(self) -> str:
        """Return who saw what, for a shell."""
        return f"{self.person_id} r{self.revision}"
