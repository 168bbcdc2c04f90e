"""Rows: proposals, their wordings, and what came with them."""

from typing import ClassVar

from django.db import models
from django.db.models import CheckConstraint, Index, Q, UniqueConstraint

from approvals.lifecycle import OPEN, PENDING, PROPOSAL_STATUSES
from approvals.models.action_types import ActionType
from approvals.models.references import PERSON, WORKSPACE
from console.ids import new_id


class Proposal(models.Model):
    """An action that someone must agree to.

    `origin` names where it came from (`run:<id>` or `client:<id>`) and `origin_step` the step or
    key there; `wake_task` is the doorbell rung when it settles. `terms`, `lineage`, `level`,
    `policy`, `amount`, `currency`, `counterparty` and `subject` are those of the current revision,
    for lists; `rank` is the place in the queue. `assignee` is whose turn it is meant to be, a claim
    a lease that tells others; neither keeps anybody from deciding. `paused_at` is since when an
    information request stops the clock.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    state = models.ForeignKey("snapshots.State", models.PROTECT, related_name="+", db_index=False)
    action_type = models.ForeignKey(ActionType, models.PROTECT, related_name="+", db_index=False)
    status = models.CharField(max_length=20, default=PENDING)
    revision = models.IntegerField(default=1)
    base_number = models.BigIntegerField()
    title = models.CharField(max_length=300)
    proposer = models.JSONField()
    lineage = models.JSONField()
    terms = models.JSONField()
    policy = models.CharField(max_length=120)
    level = models.SmallIntegerField()
    amount = models.DecimalField(max_digits=24, decimal_places=6, null=True)
    currency = models.CharField(max_length=3, blank=True)
    counterparty = models.CharField(max_length=200, blank=True)
    subject = models.CharField(max_length=200, blank=True)
    agent = models.CharField(max_length=120, blank=True)
    risk = models.SmallIntegerField()
    rank = models.BigIntegerField()
    origin = models.CharField(max_length=80)
    origin_step = models.CharField(max_length=120)
    request_digest = models.CharField(max_length=64)
    wake_task = models.CharField(max_length=60, blank=True)
    external_ref = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    paused_at = models.DateTimeField(null=True, blank=True)
    escalated_at = models.DateTimeField(null=True, blank=True)
    assignee = models.ForeignKey(
        PERSON, models.PROTECT, null=True, related_name="+", db_index=False
    )
    claimed_by = models.ForeignKey(
        PERSON, models.PROTECT, null=True, related_name="+", db_index=False
    )
    claimed_until = models.DateTimeField(null=True, blank=True)
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
                condition=Q(level__range=(0, 3)), name="a_proposal_has_one_of_4_levels"
            ),
            CheckConstraint(
                condition=Q(claimed_by=None, claimed_until=None)
                | ~Q(claimed_by=None) & ~Q(claimed_until=None),
                name="a_claim_always_ends",
            ),
            CheckConstraint(
                condition=Q(status="info_requested", paused_at__isnull=False)
                | ~Q(status="info_requested") & Q(paused_at=None),
                name="the_clock_stands_still_while_it_is_asked",
            ),
            CheckConstraint(
                condition=Q(status__in=OPEN, settled_at=None)
                | ~Q(status__in=OPEN) & ~Q(settled_at=None),
                name="a_settled_proposal_says_when",
            ),
        ]
        indexes: ClassVar = [
            Index(
                fields=["workspace", "rank", "id"],
                condition=Q(status__in=OPEN),
                name="proposals_open",
            ),
            Index(
                fields=["due_at"],
                condition=Q(status__in=["pending", "changes_requested"]),
                name="proposals_due",
            ),
            Index(
                fields=["workspace", "assignee", "rank", "id"],
                condition=Q(status__in=OPEN),
                name="proposals_open_by_assignee",
            ),
            Index(
                fields=["workspace", "claimed_by"],
                condition=Q(status__in=OPEN, claimed_by__isnull=False),
                name="proposals_claimed",
            ),
            Index(
                fields=["state", "rank", "id"],
                condition=Q(status__in=OPEN),
                name="proposals_open_by_state",
            ),
            Index(
                fields=["workspace", "due_at", "id"],
                condition=Q(status__in=OPEN),
                name="proposals_open_by_deadline",
            ),
            Index(
                fields=["workspace", "-created_at", "-id"],
                condition=Q(status__in=OPEN),
                name="proposals_open_newest",
            ),
            Index(fields=["workspace", "-created_at", "-id"], name="proposals_newest"),
            Index(fields=["state", "-created_at", "-id"], name="proposals_by_state"),
            Index(fields=["action_type", "-created_at", "-id"], name="proposals_by_action_type"),
            Index(fields=["workspace", "agent", "-created_at", "-id"], name="proposals_by_agent"),
            Index(
                fields=["workspace", "counterparty", "-created_at", "-id"],
                condition=~Q(counterparty=""),
                name="proposals_by_counterparty",
            ),
            Index(
                fields=["workspace", "subject", "-created_at", "-id"],
                condition=~Q(subject=""),
                name="proposals_by_subject",
            ),
            Index(fields=["workspace", "status", "-created_at", "-id"], name="proposals_by_status"),
            Index(
                fields=["workspace", "-settled_at", "-id"],
                condition=~Q(status__in=OPEN),
                name="proposals_settled",
            ),
        ]

    def __str__(self) -> str:
        """Return the sentence people read."""
        return self.title


class Revision(models.Model):
    """One immutable wording of a proposal, with the effect it would have.

    `outlet` is where the effect leaves the house, or nothing: {"connector", "kind", "retry_class",
    "address", "digest"}. `sealed` is the canonical bytes of all this; `digest` is their
    SHA-256, and what every decision is bound to. `changes` is the effect on the base snapshot.
    `terms` is the policy that this wording stands under, `lineage` the references that may not
    approve it, `author` whoever worded it. `sources` says of values where they came from:
    `[{"path", "from": "request"|"tool"|"nowhere", "label", "step", "field", "quote"}]`.
    `measure` is what limits look at: `{"amount", "currency", "counterparty", "subject"}`.
    `second` is what another agent would have done: see `approvals/second_opinion.py`.
    `false_authority` quotes where an agent says that something was approved, and no such decision
    exists: `[{"quote", "place"}]`.
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
    outlet = models.JSONField(null=True)
    sealed = models.BinaryField()
    digest = models.CharField(max_length=64)
    terms = models.JSONField()
    lineage = models.JSONField()
    author = models.JSONField()
    sources = models.JSONField(default=list)
    measure = models.JSONField(default=dict)
    second = models.JSONField(null=True)
    false_authority = models.JSONField(db_default=[])
    rationale = models.TextField(blank=True)
    why = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        """A revision number is used once."""

        constraints: ClassVar = [
            UniqueConstraint(fields=["proposal", "number"], name="a_revision_number_is_used_once"),
            UniqueConstraint(
                fields=["proposal", "number", "digest"], name="a_revision_has_one_digest"
            ),
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
