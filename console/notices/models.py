"""Rows: what happened, who is told of it and how, and where else it is sent."""

from typing import ClassVar

from django.db import models
from django.db.models import CheckConstraint, F, Index, Q, UniqueConstraint

from console.ids import new_id

WORKSPACE = "access.Workspace"
PERSON = "access.User"


class Event(models.Model):
    """Something that people or programs are told of; `data` holds nothing personal.

    `title` is what the console itself calls the subject; it never leaves the house. The same
    `occasion` of a subject is told once.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    name = models.CharField(max_length=40)
    subject = models.CharField(max_length=120)
    occasion = models.CharField(max_length=80)
    title = models.CharField(max_length=300)
    path = models.CharField(max_length=300)
    data = models.JSONField()
    made_at = models.DateTimeField()

    class Meta:
        """An occasion is told once."""

        constraints: ClassVar = [
            UniqueConstraint(
                fields=["workspace", "subject", "name", "occasion"],
                name="an_occasion_is_told_once",
            )
        ]
        indexes: ClassVar = [Index(fields=["made_at"], name="events_by_age")]

    def __str__(self) -> str:
        """Return what happened to what, for a shell."""
        return f"{self.name} {self.subject}"


class Preference(models.Model):
    """How one person wants to be told in one workspace; without a row, as we think best.

    `chosen` maps groups of events to immediate, digest or off.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    person = models.ForeignKey(PERSON, models.PROTECT, related_name="+")
    chosen = models.JSONField(default=dict)
    digest_hour = models.SmallIntegerField()
    zone = models.CharField(max_length=64)
    changed_at = models.DateTimeField()

    class Meta:
        """One row per person and workspace, and an hour that clocks have."""

        constraints: ClassVar = [
            UniqueConstraint(
                fields=["workspace", "person"], name="a_person_chooses_once_per_workspace"
            ),
            CheckConstraint(
                condition=Q(digest_hour__gte=0, digest_hour__lte=23),
                name="a_digest_goes_out_at_an_hour_of_the_day",
            ),
        ]

    def __str__(self) -> str:
        """Return whose, for a shell."""
        return f"{self.person_id} in {self.workspace_id}"


class Mail(models.Model):
    """One e-mail to one person; `day` is set for a digest, of which there is one per day.

    While somebody is at it, `next_at` is when the lease is over; done with, there is none.
    `tries` is the fence: whoever comes back late finds another number.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    person = models.ForeignKey(PERSON, models.PROTECT, related_name="+")
    day = models.DateField(null=True, blank=True)
    made_at = models.DateTimeField()
    tries = models.SmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=300, blank=True)

    class Meta:
        """One digest per person and day; what is sent is done with."""

        constraints: ClassVar = [
            UniqueConstraint(
                fields=["workspace", "person", "day"], name="one_digest_per_person_and_day"
            ),
            CheckConstraint(
                condition=Q(sent_at=None) | Q(next_at=None), name="a_sent_mail_is_not_sent_again"
            ),
        ]
        indexes: ClassVar = [
            Index(fields=["next_at"], condition=Q(next_at__isnull=False), name="mails_to_be_sent")
        ]

    def __str__(self) -> str:
        """Return to whom and when, for a shell."""
        return f"{self.person_id} {self.day or self.made_at}"


class Notice(models.Model):
    """One person is told of one event: at once, in a digest, or only in the console."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    event = models.ForeignKey(Event, models.CASCADE, related_name="notices", db_index=False)
    person = models.ForeignKey(PERSON, models.PROTECT, related_name="+", db_index=False)
    how = models.CharField(max_length=9)
    mail = models.ForeignKey(Mail, models.SET_NULL, null=True, related_name="notices")
    made_at = models.DateTimeField()

    class Meta:
        """A person is told of an event once."""

        constraints: ClassVar = [
            UniqueConstraint(fields=["event", "person"], name="a_person_is_told_of_an_event_once"),
            CheckConstraint(
                condition=Q(how__in=["immediate", "digest", "off"]),
                name="a_notice_goes_out_in_a_known_way",
            ),
        ]
        indexes: ClassVar = [
            Index(fields=["workspace", "person", "-made_at", "-id"], name="notices_of_a_person"),
            Index(
                fields=["how", "made_at"],
                condition=Q(mail=None) & ~Q(how="off"),
                name="notices_not_in_a_mail",
            ),
        ]

    def __str__(self) -> str:
        """Return who and how, for a shell."""
        return f"{self.person_id} {self.how}"


class Webhook(models.Model):
    """An address that events are sent to; its secrets are kept sealed.

    While secrets change, the one before signs, too, until `earlier_until`.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    url = models.CharField(max_length=500)
    events = models.JSONField()
    secret = models.TextField()
    earlier_secret = models.TextField(blank=True)
    earlier_until = models.DateTimeField(null=True, blank=True)
    made_by = models.ForeignKey(PERSON, models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    failing_since = models.DateTimeField(null=True, blank=True)
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_because = models.CharField(max_length=300, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """What is removed is disabled, and two secrets never sign for ever."""

        constraints: ClassVar = [
            CheckConstraint(
                condition=Q(removed_at=None) | Q(disabled_at__isnull=False),
                name="a_removed_webhook_is_disabled",
            ),
            CheckConstraint(
                condition=Q(earlier_secret="", earlier_until=None)
                | ~Q(earlier_secret="") & Q(earlier_until__isnull=False),
                name="an_earlier_secret_always_ends",
            ),
        ]
        indexes: ClassVar = [
            Index(
                fields=["workspace", "created_at"],
                condition=Q(removed_at=None),
                name="webhooks_of_a_workspace",
            )
        ]

    def __str__(self) -> str:
        """Return where to, for a shell."""
        return self.url


class Delivery(models.Model):
    """One event for one webhook, with the very bytes that are sent each time.

    The event's id is the webhook-id, on every try and every redelivery. While somebody is at it,
    `next_at` is when the lease is over; done with, there is none. `attempts` is the fence.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    webhook = models.ForeignKey(Webhook, models.PROTECT, related_name="deliveries", db_index=False)
    event = models.CharField(max_length=40)
    event_id = models.UUIDField()
    body = models.BinaryField()
    made_at = models.DateTimeField()
    attempts = models.IntegerField(default=0)
    tries = models.SmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True)
    tried_at = models.DateTimeField(null=True, blank=True)
    last_status = models.SmallIntegerField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)
    last_answer = models.CharField(max_length=500, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """An event goes to a webhook once; tries since the last (re)delivery are among all."""

        constraints: ClassVar = [
            UniqueConstraint(
                fields=["webhook", "event_id"], name="an_event_goes_to_a_webhook_once"
            ),
            CheckConstraint(
                condition=Q(tries__lte=F("attempts")), name="tries_are_among_all_attempts"
            ),
        ]
        indexes: ClassVar = [
            Index(fields=["webhook", "-made_at", "-id"], name="deliveries_of_a_webhook"),
            Index(
                fields=["webhook", "next_at"],
                condition=Q(next_at__isnull=False),
                name="deliveries_to_be_made",
            ),
            Index(fields=["made_at"], name="deliveries_by_age"),
        ]

    def __str__(self) -> str:
        """Return what, for a shell."""
        return f"{self.event} {self.event_id}"
