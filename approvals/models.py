"""Rows: action types, policies, proposals and what was decided and done about them."""

from typing import ClassVar

from django.db import models
from django.db.models import CheckConstraint, Index, Q, UniqueConstraint

from approvals.lifecycle import EXECUTION_STATUSES, OPEN, PROPOSAL_STATUSES
from console.ids import new_id

WORKSPACE = "access.Workspace"


class ActionType(models.Model):
    """A typed kind of write: parameters, fields with labels and units, effect, risk.

    One that `leaves_house` has an effect outside that no rollback of ours takes back.
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


class Policy(models.Model):
    """Who must agree to which action types; the first match by position wins."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    position = models.IntegerField()
    name = models.CharField(max_length=120)
    version = models.IntegerField(default=1)
    action_types = models.JSONField()
    level = models.SmallIntegerField()
    approvals = models.SmallIntegerField()
    denials = models.SmallIntegerField(default=1)
    roles = models.JSONField()
    expires_seconds = models.IntegerField()
    hold_seconds = models.IntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """At least one person decides; a position is taken once."""

        constraints: ClassVar = [
            UniqueConstraint(
                fields=["workspace", "position"], name="a_policy_position_is_taken_once"
            ),
            CheckConstraint(condition=Q(level__range=(1, 2)), name="a_policy_level_is_one_or_two"),
            CheckConstraint(
                condition=Q(approvals__gte=1, denials__gte=1), name="a_policy_asks_a_person"
            ),
            CheckConstraint(
                condition=Q(expires_seconds__gte=60, hold_seconds__gte=0),
                name="a_policy_waits_at_least_a_minute",
            ),
        ]

    def __str__(self) -> str:
        """Return the name people read."""
        return self.name


class Proposal(models.Model):
    """An action that someone must agree to.

    `origin` names where it came from (`run:<id>` or `client:<id>`) and `origin_step` the step or
    key there; `wake_task` is the doorbell rung when it settles. `lineage` holds the references
    that may not approve. `rank` is the place in the queue.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    state = models.ForeignKey("snapshots.State", models.PROTECT, related_name="+")
    action_type = models.ForeignKey(ActionType, models.PROTECT, related_name="+")
    status = models.CharField(max_length=12, default=OPEN)
    revision = models.IntegerField(default=1)
    base_number = models.BigIntegerField()
    title = models.CharField(max_length=300)
    proposer = models.JSONField()
    lineage = models.JSONField()
    terms = models.JSONField()
    risk = models.SmallIntegerField()
    rank = models.BigIntegerField()
    origin = models.CharField(max_length=80)
    origin_step = models.CharField(max_length=120)
    request_digest = models.CharField(max_length=64)
    wake_task = models.CharField(max_length=60, blank=True)
    external_ref = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.CharField(max_length=120, blank=True)
    settled_reason = models.CharField(max_length=1000, blank=True)

    class Meta:
        """A step proposes once; open proposals are found by their place in the queue."""

        constraints: ClassVar = [
            UniqueConstraint(
                fields=["workspace", "origin", "origin_step"], name="a_step_makes_one_proposal"
            ),
            CheckConstraint(
                condition=Q(status__in=PROPOSAL_STATUSES), name="a_proposal_status_is_known"
            ),
            CheckConstraint(condition=Q(risk__range=(1, 3)), name="a_proposal_has_one_of_3_risks"),
            CheckConstraint(
                condition=Q(status=OPEN, settled_at=None) | ~Q(status=OPEN) & ~Q(settled_at=None),
                name="a_settled_proposal_says_when",
            ),
        ]
        indexes: ClassVar = [
            Index(
                fields=["workspace", "rank", "id"], condition=Q(status=OPEN), name="proposals_open"
            ),
            Index(fields=["due_at"], condition=Q(status=OPEN), name="proposals_due"),
            Index(fields=["state"], condition=Q(status=OPEN), name="proposals_open_by_state"),
            Index(fields=["workspace", "-created_at", "-id"], name="proposals_newest"),
            Index(fields=["workspace", "status", "-created_at", "-id"], name="proposals_by_status"),
            Index(
                fields=["workspace", "-settled_at", "-id"],
                condition=~Q(status=OPEN),
                name="proposals_settled",
            ),
        ]

    def __str__(self) -> str:
        """Return the sentence people read."""
        return self.title


class Revision(models.Model):
    """One immutable wording of a proposal, with the effect it would have.

    `sealed` is the canonical bytes of action, parameters, base and effect; `digest` is their
    SHA-256, and what every decision is bound to. `changes` is the effect on the base snapshot.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    proposal = models.ForeignKey(Proposal, models.PROTECT, related_name="revisions")
    number = models.IntegerField()
    params = models.JSONField()
    stated = models.JSONField(null=True)
    changes = models.JSONField()
    checks = models.JSONField()
    base_number = models.BigIntegerField()
    base_digest = models.CharField(max_length=64)
    base_epoch = models.IntegerField()
    sealed = models.BinaryField()
    digest = models.CharField(max_length=64)
    rationale = models.TextField(blank=True)
    why = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        """A revision number is used once."""

        constraints: ClassVar = [
            UniqueConstraint(fields=["proposal", "number"], name="a_revision_number_is_used_once")
        ]

    def __str__(self) -> str:
        """Return proposal and number, for a shell."""
        return f"{self.proposal_id} r{self.number}"


class Evidence(models.Model):
    """What a proposer shows for its claim: a source, the text found there, its digest."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    proposal = models.ForeignKey(Proposal, models.PROTECT, related_name="evidence")
    number = models.SmallIntegerField()
    label = models.CharField(max_length=200)
    source = models.CharField(max_length=200)
    content = models.TextField()
    paths = models.JSONField(default=list)
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        """Evidence is numbered as people cite it: E1, E2."""

        constraints: ClassVar = [
            UniqueConstraint(fields=["proposal", "number"], name="an_evidence_number_is_used_once")
        ]

    def __str__(self) -> str:
        """Return the label people cite."""
        return f"E{self.number} {self.label}"


class Decision(models.Model):
    """One person's act on one revision."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    proposal = models.ForeignKey(Proposal, models.PROTECT, related_name="decisions")
    revision = models.IntegerField()
    digest = models.CharField(max_length=64)
    person = models.ForeignKey("access.User", models.PROTECT, related_name="+")
    choice = models.CharField(max_length=8)
    reason = models.CharField(max_length=1000, blank=True)
    ticked = models.JSONField(default=list)
    decided_at = models.DateTimeField()

    class Meta:
        """A person decides once on a revision."""

        constraints: ClassVar = [
            UniqueConstraint(
                fields=["proposal", "revision", "person"],
                name="one_decision_per_person_per_revision",
            ),
            CheckConstraint(
                condition=Q(choice__in=["approve", "reject"]), name="a_decision_is_yes_or_no"
            ),
        ]

    def __str__(self) -> str:
        """Return who said what, for a shell."""
        return f"{self.person_id} {self.choice}"


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
