"""Rows: jobs, their runs, and every step of a run's journal."""

from typing import ClassVar

from django.db import models
from django.db.models import CheckConstraint, Index, Q, UniqueConstraint
from django.db.models.functions import Now

from agents.lifecycle import FINISHED, RUN_STATUSES, STEP_KINDS
from console.ids import new_id

WORKSPACE = "access.Workspace"


class Job(models.Model):
    """What a client asked for: workflow, input, State.

    `submitter` is the reference of the actor, `body_digest` what its idempotency key stands for;
    `lineage` travels into every proposal of its runs.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    workflow = models.CharField(max_length=80)
    state = models.ForeignKey("snapshots.State", models.PROTECT, related_name="+")
    input = models.JSONField()
    label = models.CharField(max_length=200, blank=True)
    submitter = models.CharField(max_length=80)
    submitter_name = models.CharField(max_length=80)
    lineage = models.JSONField()
    idempotency_key = models.CharField(max_length=200)
    body_digest = models.CharField(max_length=64)
    current_run = models.ForeignKey("Run", models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        """A key of a client stands for one job."""

        constraints: ClassVar = [
            UniqueConstraint(
                fields=["workspace", "submitter", "idempotency_key"],
                name="an_idempotency_key_makes_one_job",
            )
        ]
        indexes: ClassVar = [Index(fields=["workspace", "-created_at", "-id"], name="jobs_newest")]

    def __str__(self) -> str:
        """Return workflow and id, for a shell."""
        return f"{self.workflow} {self.id}"


class Run(models.Model):
    """One attempt at a job.

    `fence` rises with every claim; whoever holds an older one can no longer write. `next_step`
    is where the journal ends. `waiting_for` is the proposal whose decision the run awaits.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    job = models.ForeignKey(Job, models.PROTECT, related_name="runs")
    number = models.IntegerField(default=1)
    status = models.CharField(max_length=12, default="queued")
    fence = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    next_step = models.IntegerField(default=0)
    attempts = models.IntegerField(default=0)
    waiting_for = models.UUIDField(null=True, blank=True)
    result = models.JSONField(null=True, blank=True)
    problem_code = models.CharField(max_length=60, blank=True)
    problem = models.CharField(max_length=1000, blank=True)
    created_at = models.DateTimeField()
    queued_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """A run that waits says for what; one that ended says when."""

        constraints: ClassVar = [
            UniqueConstraint(fields=["job", "number"], name="a_run_number_is_used_once"),
            CheckConstraint(condition=Q(status__in=RUN_STATUSES), name="a_run_status_is_known"),
            CheckConstraint(
                condition=~Q(status="waiting") | Q(waiting_for__isnull=False),
                name="a_waiting_run_says_for_what",
            ),
            CheckConstraint(
                condition=~Q(status="running") | Q(lease_until__isnull=False),
                name="a_running_run_has_a_lease",
            ),
            CheckConstraint(
                condition=Q(status__in=sorted(FINISHED), finished_at__isnull=False)
                | (~Q(status__in=sorted(FINISHED)) & Q(finished_at=None)),
                name="a_finished_run_says_when",
            ),
        ]
        indexes: ClassVar = [
            Index(fields=["queued_at", "id"], condition=Q(status="queued"), name="runs_queued"),
            Index(fields=["lease_until"], condition=Q(status="running"), name="runs_leased"),
            Index(fields=["waiting_for"], condition=Q(status="waiting"), name="runs_waiting"),
            Index(fields=["workspace", "-created_at", "-id"], name="runs_newest"),
            Index(fields=["workspace", "status", "-created_at", "-id"], name="runs_by_status"),
        ]

    def __str__(self) -> str:
        """Return status and id, for a shell."""
        return f"{self.status} {self.id}"


class Step(models.Model):
    """One entry of a run's journal, which is also its trace. Never changed."""

    pk = models.CompositePrimaryKey("run_id", "index")
    run = models.ForeignKey(Run, models.PROTECT, related_name="steps", db_index=False)
    index = models.IntegerField()
    kind = models.CharField(max_length=12)
    name = models.CharField(max_length=120)
    agent = models.CharField(max_length=80, blank=True)
    input = models.JSONField()
    input_digest = models.CharField(max_length=64)
    output = models.JSONField(null=True)
    error = models.CharField(max_length=2000, blank=True)
    proposal_id = models.UUIDField(null=True, blank=True)
    fence = models.BigIntegerField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()

    class Meta:
        """A step is of a kind that the trace can tell."""

        constraints: ClassVar = [
            CheckConstraint(condition=Q(kind__in=STEP_KINDS), name="a_step_kind_is_known")
        ]

    def __str__(self) -> str:
        """Return place and name, for a shell."""
        return f"{self.index} {self.kind} {self.name}"
