"""Rows: how effects leave the house, what came back, and who said what became of the rest."""

from typing import ClassVar

from django.db import models
from django.db.models import CheckConstraint, Index, Q, UniqueConstraint

from approvals.lifecycle import RETRY_CLASSES
from approvals.models.executions import Execution
from approvals.models.proposals import Proposal
from approvals.models.references import PERSON, WORKSPACE
from console.ids import new_id


class Connector(models.Model):
    """What the sender announces of a connector it holds the settings of; no secret is among it.

    `digest` is that of all its settings but the secrets, so a change of where effects go is seen.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    name = models.CharField(max_length=60)
    kind = models.CharField(max_length=12)
    retry_class = models.CharField(max_length=10)
    address = models.CharField(max_length=300)
    digest = models.CharField(max_length=64)
    actions = models.JSONField(default=list)
    deadline_seconds = models.FloatField()
    settle_seconds = models.FloatField()
    retention_seconds = models.FloatField(null=True)
    is_offered = models.BooleanField(default=True)
    can_ask = models.BooleanField(default=False)
    can_list = models.BooleanField(default=False)
    seen_at = models.DateTimeField()
    tested_at = models.DateTimeField(null=True)
    test_asked_at = models.DateTimeField(null=True)
    compare_asked_at = models.DateTimeField(null=True)
    test_passed = models.BooleanField(null=True)
    test_says = models.CharField(max_length=500, blank=True)

    class Meta:
        """A name is one way out of a workspace, with one retry class."""

        constraints: ClassVar = [
            UniqueConstraint(fields=["workspace", "name"], name="a_connector_name_is_used_once"),
            CheckConstraint(
                condition=Q(retry_class__in=RETRY_CLASSES[1:]),
                name="a_connector_declares_its_retry_class",
            ),
        ]

    def __str__(self) -> str:
        """Return name and address, for a shell."""
        return f"{self.name} ({self.kind}, {self.retry_class}) {self.address}"


class Attempt(models.Model):
    """One sending of an execution's request, written before its first byte leaves.

    `outcome` stays empty until something is known: `acknowledged`, `refused` (the provider said
    that it did nothing) or `unknown`. `request` holds the bytes as they were sent, without secrets.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    execution = models.ForeignKey(Execution, models.PROTECT, related_name="attempts")
    number = models.SmallIntegerField()
    fence = models.BigIntegerField()
    connector = models.CharField(max_length=60)
    retry_class = models.CharField(max_length=10)
    request = models.BinaryField()
    request_digest = models.CharField(max_length=64)
    sent_at = models.DateTimeField()
    deadline_at = models.DateTimeField()
    outcome = models.CharField(max_length=12, blank=True)
    answer_status = models.IntegerField(null=True)
    answer = models.CharField(max_length=1000, blank=True)
    reference = models.CharField(max_length=200, blank=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """Attempts are numbered; what cannot be repeated safely has one."""

        constraints: ClassVar = [
            UniqueConstraint(fields=["execution", "number"], name="an_attempt_number_is_used_once"),
            UniqueConstraint(fields=["execution", "fence"], name="a_fence_sends_once"),
            UniqueConstraint(
                fields=["execution"],
                condition=Q(retry_class="blind"),
                name="a_blind_connector_is_tried_once",
            ),
            CheckConstraint(
                condition=Q(outcome__in=["", "acknowledged", "refused", "unknown"]),
                name="an_attempt_has_a_known_outcome",
            ),
            CheckConstraint(
                condition=Q(outcome="") | Q(ended_at__isnull=False),
                name="an_attempt_with_an_outcome_has_ended",
            ),
        ]

    def __str__(self) -> str:
        """Return number and outcome, for a shell."""
        return f"{self.execution_id} #{self.number} {self.outcome or 'sent'}"


class Observation(models.Model):
    """Something learned about an execution after, or beside, the answer to its attempt.

    `source`: `late_answer`, `inquiry`, `callback`, `statement` (their list) or `person`. `says`:
    `executed`, `absent`, `refused` or `unclear`.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    execution = models.ForeignKey(Execution, models.PROTECT, related_name="observations")
    source = models.CharField(max_length=12)
    says = models.CharField(max_length=10)
    reference = models.CharField(max_length=200, blank=True)
    detail = models.CharField(max_length=1000, blank=True)
    at = models.DateTimeField()

    class Meta:
        """An observation has a known source and says one of four things."""

        constraints: ClassVar = [
            CheckConstraint(
                condition=Q(
                    source__in=["late_answer", "inquiry", "callback", "statement", "person"]
                ),
                name="an_observation_has_a_known_source",
            ),
            CheckConstraint(
                condition=Q(says__in=["executed", "absent", "refused", "unclear"]),
                name="an_observation_says_one_of_four_things",
            ),
        ]
        indexes: ClassVar = [Index(fields=["execution", "-at"], name="observations_by_time")]

    def __str__(self) -> str:
        """Return source and word, for a shell."""
        return f"{self.source} {self.says} {self.execution_id}"


class Resolution(models.Model):
    """What one person says became of an execution in doubt, and what they base it on.

    Two who agree settle it. `verdict`: `executed`, `absent`, or `send_again`, for which one will do
    where the provider itself said that it is absent.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    execution = models.ForeignKey(Execution, models.PROTECT, related_name="resolutions")
    attempt_number = models.SmallIntegerField()
    person = models.ForeignKey(PERSON, models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=10)
    reference = models.CharField(max_length=200, blank=True)
    evidence = models.CharField(max_length=1000)
    at = models.DateTimeField()

    class Meta:
        """A person says once what became of an attempt, and on which evidence."""

        constraints: ClassVar = [
            UniqueConstraint(
                fields=["execution", "attempt_number", "person"],
                name="a_person_resolves_an_attempt_once",
            ),
            CheckConstraint(
                condition=Q(verdict__in=["executed", "absent", "send_again"]),
                name="a_resolution_has_a_known_verdict",
            ),
            CheckConstraint(condition=~Q(evidence=""), name="a_resolution_names_its_evidence"),
        ]

    def __str__(self) -> str:
        """Return who said what, for a shell."""
        return f"{self.person_id} {self.verdict} {self.execution_id}"


class Compensation(models.Model):
    """What is owed for an effect that went out while its record was taken back.

    `number` counts in the order in which they are to be carried out: newest effect first. Without a
    proposal the effect is irreversible, and `text` says so.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    execution = models.OneToOneField(Execution, models.PROTECT, related_name="compensation")
    proposal = models.OneToOneField(Proposal, models.PROTECT, null=True, related_name="compensates")
    cause = models.CharField(max_length=80)
    number = models.IntegerField()
    is_irreversible = models.BooleanField(default=False)
    text = models.CharField(max_length=300, blank=True)
    due_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        """Compensations of one cause are numbered; one that names no proposal says why."""

        constraints: ClassVar = [
            UniqueConstraint(
                fields=["workspace", "cause", "number"], name="a_compensation_has_its_turn"
            ),
            CheckConstraint(
                condition=Q(proposal__isnull=False) | Q(is_irreversible=True),
                name="a_compensation_is_proposed_or_impossible",
            ),
        ]

    def __str__(self) -> str:
        """Return its place, for a shell."""
        return f"{self.cause} #{self.number}"


class SendSwitch(models.Model):
    """Whether a workspace's effects may leave the house; shared by whoever is about to send."""

    workspace = models.OneToOneField(WORKSPACE, models.PROTECT, primary_key=True, related_name="+")
    is_stopped = models.BooleanField(default=False)
    reason = models.CharField(max_length=250, blank=True)
    actor = models.JSONField(default=dict)
    at = models.DateTimeField()

    def __str__(self) -> str:
        """Return the position, for a shell."""
        return f"{self.workspace_id} {'stopped' if self.is_stopped else 'sending'}"


class Reconciliation(models.Model):
    """One comparison of what we sent through a connector with what its provider lists.

    `counts`: {"ours", "theirs", "matched", "resolved", "discrepancies"}; `problem` says why it
    could not be finished.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    connector = models.ForeignKey(Connector, models.PROTECT, related_name="reconciliations")
    since = models.DateTimeField()
    until = models.DateTimeField()
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    counts = models.JSONField(default=dict)
    problem = models.CharField(max_length=500, blank=True)

    class Meta:
        """The newest of a connector comes first."""

        indexes: ClassVar = [Index(fields=["workspace", "-id"], name="reconciliations_newest")]

    def __str__(self) -> str:
        """Return connector and time, for a shell."""
        return f"{self.connector_id} {self.began_at}"


class Discrepancy(models.Model):
    """One difference that a reconciliation found, until somebody has seen to it.

    `kind`: `not_theirs` (we hold it executed, they do not list it), `not_ours` (they list what we
    did not send), `twice` (they list one of ours more than once) or `differs` (ours failed, they
    list it).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    connector = models.ForeignKey(Connector, models.PROTECT, related_name="+")
    # None where something learned late contradicts what was settled.
    reconciliation = models.ForeignKey(
        Reconciliation, models.PROTECT, null=True, related_name="found"
    )
    kind = models.CharField(max_length=12)
    key = models.CharField(max_length=200)
    execution = models.ForeignKey(Execution, models.PROTECT, null=True, related_name="+")
    reference = models.CharField(max_length=200, blank=True)
    text = models.CharField(max_length=500)
    found_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(PERSON, models.PROTECT, null=True, related_name="+")
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        """A difference stands open once, however often it is found again."""

        constraints: ClassVar = [
            UniqueConstraint(
                fields=["connector", "kind", "key"],
                condition=Q(closed_at=None),
                name="a_discrepancy_stands_open_once",
            ),
            CheckConstraint(
                condition=Q(kind__in=["not_theirs", "not_ours", "twice", "differs"]),
                name="a_discrepancy_is_of_a_known_kind",
            ),
            CheckConstraint(
                condition=Q(closed_at=None, closed_by=None, note="")
                | Q(closed_at__isnull=False, closed_by__isnull=False) & ~Q(note=""),
                name="a_closed_discrepancy_says_by_whom_and_why",
            ),
        ]
        indexes: ClassVar = [
            Index(
                fields=["workspace", "-found_at"],
                condition=Q(closed_at=None),
                name="discrepancies_open",
            )
        ]

    def __str__(self) -> str:
        """Return kind and key, for a shell."""
        return f"{self.kind} {self.key}"
