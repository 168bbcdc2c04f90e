"""Rows: jobs, runs and every step of a journal; agents, and what is done to them and to States."""

from typing import ClassVar

from django.db import models
from django.db.models import CheckConstraint, Index, Q, UniqueConstraint
from django.db.models.functions import Now

from agents.lifecycle import (
    AGENT_STATUSES,
    FINISHED,
    PAUSE_STATUSES,
    RESTORATION_KINDS,
    RESTORATION_STATUSES,
    RUN_STATUSES,
    STEP_KINDS,
)
from console.ids import new_id

WORKSPACE = "access.Workspace"


class Job(models.Model):
    """What a client asked for: workflow, input, State.

    `submitter` is the reference of the actor, `body_digest` what its idempotency key stands for;
    `lineage` travels into every proposal of its runs. `budget` is what it may use:
    `{"tokens"?, "money"?, "seconds"?}`; of what waits, higher `priority` is worked at first.
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
    budget = models.JSONField(db_default={})
    priority = models.SmallIntegerField(db_default=0)
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
    is where the journal ends. `waiting_for` is the proposal whose decision the run awaits; a
    paused run keeps it. `epoch` is that of its State when the run was made: once the State has a
    later one, nothing that the run says is taken any more. `held_because` says why it is paused;
    `paused_by` is the open Pause of a guard, whose end alone lets it go on. `workflow` and
    `priority` are its job's. `tokens` and `money` (USD) are what it used. `raised` are the limits
    that people have raised for it. `source` says whose run it is: ours where it is empty, else
    the format that it was brought in from.
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
    epoch = models.IntegerField(default=0)
    held_because = models.CharField(max_length=300, blank=True)
    paused_by = models.UUIDField(null=True, blank=True)
    workflow = models.CharField(max_length=80, db_default="")
    priority = models.SmallIntegerField(db_default=0)
    tokens = models.BigIntegerField(db_default=0)
    money = models.DecimalField(max_digits=14, decimal_places=6, db_default=0)
    raised = models.JSONField(db_default={})
    source = models.CharField(max_length=20, db_default="", blank=True)
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
            CheckConstraint(
                condition=Q(source="") | Q(status__in=["failed", "succeeded", "terminated"]),
                name="an_imported_run_has_ended",
            ),
        ]
        indexes: ClassVar = [
            Index(
                fields=["workspace", "workflow"],
                condition=Q(status="running"),
                name="runs_running",
            ),
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


class Agent(models.Model):
    """A named role instance of a workspace, known since it first took part in a run.

    `status_by` names who paused or stopped it last. `seen_at` is when it last began to work.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+", db_index=False)
    name = models.CharField(max_length=80)
    status = models.CharField(max_length=8, default="active")
    status_reason = models.CharField(max_length=300, blank=True)
    status_by = models.CharField(max_length=120, blank=True)
    status_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        """A name means one agent in a workspace."""

        constraints: ClassVar = [
            UniqueConstraint(fields=["workspace", "name"], name="an_agent_name_is_used_once"),
            CheckConstraint(
                condition=Q(status__in=AGENT_STATUSES), name="an_agent_status_is_known"
            ),
        ]

    def __str__(self) -> str:
        """Return the name."""
        return self.name

    @property
    def ref(self) -> str:
        """Return how the ledger names it, as actor and as subject alike."""
        return f"agent:{self.name}"


class Participation(models.Model):
    """An agent took part in a run."""

    pk = models.CompositePrimaryKey("run_id", "agent_id")
    run = models.ForeignKey(Run, models.PROTECT, related_name="participations", db_index=False)
    agent = models.ForeignKey(Agent, models.PROTECT, related_name="participations", db_index=False)
    since = models.DateTimeField()

    class Meta:
        """The newest runs of an agent are found at once."""

        indexes: ClassVar = [Index(fields=["agent", "-since"], name="participations_newest")]

    def __str__(self) -> str:
        """Return both ids, for a shell."""
        return f"{self.agent_id} in {self.run_id}"


class Halt(models.Model):
    """While a row without `lifted_at` stands, no agent of the workspace works."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    reason = models.CharField(max_length=500)
    actor = models.JSONField()
    created_at = models.DateTimeField()
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.JSONField(null=True, blank=True)

    class Meta:
        """A workspace is halted or it is not."""

        constraints: ClassVar = [
            UniqueConstraint(
                fields=["workspace"],
                condition=Q(lifted_at=None),
                name="a_workspace_is_halted_once",
            )
        ]

    def __str__(self) -> str:
        """Return the reason."""
        return self.reason


class Restoration(models.Model):
    """A plan to bring States back and start agents anew, and how far it got.

    `wanted` is what was asked for, `plan` what it would do, `live_digest` names the world the
    plan was made for; after `expires_at` it can no longer be confirmed. `log` holds the finished
    steps `{"step", "at", "says"}` in order.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    kind = models.CharField(max_length=12)
    state = models.ForeignKey("snapshots.State", models.PROTECT, null=True, related_name="+")
    agent = models.CharField(max_length=80, blank=True)
    run = models.ForeignKey(Run, models.PROTECT, null=True, related_name="+")
    wanted = models.JSONField()
    plan = models.JSONField()
    live_digest = models.CharField(max_length=64)
    status = models.CharField(max_length=10, default="planned")
    reason = models.CharField(max_length=500, blank=True)
    planner = models.JSONField()
    confirmer = models.JSONField(null=True, blank=True)
    log = models.JSONField(default=list)
    problem = models.CharField(max_length=1000, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """What was confirmed has a reason and a person; one restoration of a State at a time."""

        constraints: ClassVar = [
            CheckConstraint(
                condition=Q(status__in=RESTORATION_STATUSES),
                name="a_restoration_status_is_known",
            ),
            CheckConstraint(
                condition=Q(kind__in=RESTORATION_KINDS), name="a_restoration_kind_is_known"
            ),
            CheckConstraint(
                condition=Q(status__in=["planned", "discarded"])
                | Q(confirmer__isnull=False, confirmed_at__isnull=False) & ~Q(reason=""),
                name="a_confirmed_restoration_has_a_reason",
            ),
            UniqueConstraint(
                fields=["state"],
                condition=Q(status__in=["confirmed", "restored"]),
                name="one_restoration_of_a_state_at_a_time",
            ),
        ]
        indexes: ClassVar = [
            Index(
                fields=["confirmed_at"],
                condition=Q(status__in=["confirmed", "restored"]),
                name="restorations_under_way",
            ),
            Index(fields=["state", "-created_at", "-id"], name="restorations_by_state"),
            Index(fields=["workspace", "-created_at", "-id"], name="restorations_newest"),
        ]

    def __str__(self) -> str:
        """Return kind and status, for a shell."""
        return f"{self.kind} {self.status}"


class MemoryUse(models.Model):
    """When an entry of a memory was last given to an agent; what is never used goes first."""

    pk = models.CompositePrimaryKey("state_id", "entry")
    state = models.ForeignKey("snapshots.State", models.PROTECT, related_name="+", db_index=False)
    entry = models.CharField(max_length=120)
    used_at = models.DateTimeField()

    def __str__(self) -> str:
        """Return the entry, for a shell."""
        return self.entry


class Drift(models.Model):
    """One measurement of a State: what is in it that should not be. Never changed.

    `agent` is named where the State is an agent's memory. Shares are 0 to 1; `differing` counts
    the paths in which a mirrored record differs from its newest outside reading, null where there
    is none; `growth` is bytes per thousand jobs, null before there were jobs to divide by.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    state = models.ForeignKey("snapshots.State", models.PROTECT, related_name="+", db_index=False)
    agent = models.CharField(max_length=80, blank=True)
    number = models.BigIntegerField()
    entries = models.IntegerField(default=0)
    stale = models.IntegerField(default=0)
    contradicting = models.IntegerField(default=0)
    stale_share = models.FloatField(default=0)
    contradicting_share = models.FloatField(default=0)
    differing = models.IntegerField(null=True)
    document_bytes = models.BigIntegerField()
    jobs = models.BigIntegerField(default=0)
    growth = models.FloatField(null=True)
    over = models.JSONField(default=list)
    measured_at = models.DateTimeField()

    class Meta:
        """A State's series, and a workspace's newest measurements, are found at once."""

        indexes: ClassVar = [
            Index(fields=["state", "-measured_at", "-id"], name="drift_series"),
            Index(fields=["workspace", "-measured_at", "-id"], name="drift_newest"),
        ]

    def __str__(self) -> str:
        """Return number and time, for a shell."""
        return f"#{self.number} {self.measured_at}"


class DriftLimit(models.Model):
    """From which drift on the agents of a State are paused; null means never."""

    state = models.OneToOneField(
        "snapshots.State", models.PROTECT, primary_key=True, related_name="+"
    )
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    stale_share = models.FloatField(null=True)
    contradicting_share = models.FloatField(null=True)
    differing = models.IntegerField(null=True)
    growth = models.FloatField(null=True)
    actor = models.JSONField()
    changed_at = models.DateTimeField()

    class Meta:
        """Shares lie between nothing and all."""

        constraints: ClassVar = [
            CheckConstraint(
                condition=Q(stale_share=None) | Q(stale_share__gte=0, stale_share__lte=1),
                name="a_stale_share_is_a_share",
            ),
            CheckConstraint(
                condition=Q(contradicting_share=None)
                | Q(contradicting_share__gte=0, contradicting_share__lte=1),
                name="a_contradicting_share_is_a_share",
            ),
        ]

    def __str__(self) -> str:
        """Return the State's id, for a shell."""
        return str(self.state_id)


class Pause(models.Model):
    """A guard has paused a run, which waits for a person; `verdict` is the guard's, with numbers.

    `step` is the journal's entry of the verdict. `raised` holds the limits that the person gave
    it, `{rule: limit}`. A run that ended otherwise leaves it `void`.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+")
    run = models.ForeignKey(Run, models.PROTECT, related_name="pauses", db_index=False)
    step = models.IntegerField()
    agent = models.CharField(max_length=80, blank=True)
    rule = models.CharField(max_length=40)
    verdict = models.JSONField()
    status = models.CharField(max_length=12, default="open")
    reason = models.CharField(max_length=500, blank=True)
    decider = models.JSONField(null=True, blank=True)
    raised = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """A run is paused once at a time, and whoever ended it said why."""

        constraints: ClassVar = [
            UniqueConstraint(fields=["run", "step"], name="a_verdict_pauses_once"),
            UniqueConstraint(
                fields=["run"], condition=Q(status="open"), name="a_run_is_paused_once_at_a_time"
            ),
            CheckConstraint(condition=Q(status__in=PAUSE_STATUSES), name="a_pause_status_is_known"),
            CheckConstraint(
                condition=Q(status="open", decided_at=None)
                | Q(status="void", decided_at__isnull=False)
                | Q(decider__isnull=False, decided_at__isnull=False) & ~Q(reason=""),
                name="whoever_ends_a_pause_says_why",
            ),
        ]
        indexes: ClassVar = [
            Index(
                fields=["workspace", "created_at", "id"],
                condition=Q(status="open"),
                name="pauses_open",
            ),
            Index(fields=["workspace", "-created_at", "-id"], name="pauses_newest"),
        ]

    def __str__(self) -> str:
        """Return rule and status, for a shell."""
        return f"{self.rule} {self.status}"


class WorkflowSetting(models.Model):
    """How a workspace has set the guards of one workflow, and how many of its runs may work.

    `guards` has the shape that `agents/guards.py` settles: `{rule: {"limit"?, "strength"?}}`.
    """

    pk = models.CompositePrimaryKey("workspace_id", "workflow")
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+", db_index=False)
    workflow = models.CharField(max_length=80)
    guards = models.JSONField(default=dict)
    at_once = models.IntegerField(null=True, blank=True)
    actor = models.JSONField()
    changed_at = models.DateTimeField()

    class Meta:
        """At least one run may work."""

        constraints: ClassVar = [
            CheckConstraint(
                condition=Q(at_once=None) | Q(at_once__gte=1), name="at_least_one_run_may_work"
            )
        ]

    def __str__(self) -> str:
        """Return the workflow."""
        return self.workflow


class WorkspaceBudget(models.Model):
    """What the agents of a workspace may use in a day (UTC), and how many runs work at once.

    Null means without end. `money` is in USD.
    """

    workspace = models.OneToOneField(WORKSPACE, models.PROTECT, primary_key=True, related_name="+")
    tokens = models.BigIntegerField(null=True, blank=True)
    money = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    runs = models.IntegerField(null=True, blank=True)
    at_once = models.IntegerField(null=True, blank=True)
    actor = models.JSONField()
    changed_at = models.DateTimeField()

    class Meta:
        """A budget is more than nothing."""

        constraints: ClassVar = [
            CheckConstraint(
                condition=(Q(tokens=None) | Q(tokens__gt=0))
                & (Q(money=None) | Q(money__gt=0))
                & (Q(runs=None) | Q(runs__gt=0))
                & (Q(at_once=None) | Q(at_once__gt=0)),
                name="a_budget_is_more_than_nothing",
            )
        ]

    def __str__(self) -> str:
        """Return the workspace's id, for a shell."""
        return str(self.workspace_id)


class Usage(models.Model):
    """What the agents of a workspace have used on one day (UTC); `money` is in USD."""

    pk = models.CompositePrimaryKey("workspace_id", "day")
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+", db_index=False)
    day = models.DateField()
    tokens = models.BigIntegerField(default=0)
    money = models.DecimalField(max_digits=14, decimal_places=6, default=0)
    runs = models.IntegerField(default=0)

    def __str__(self) -> str:
        """Return the day."""
        return str(self.day)


class RoleTime(models.Model):
    """How long an agent took for one turn of a workflow; the newest make the forecast."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(WORKSPACE, models.PROTECT, related_name="+", db_index=False)
    workflow = models.CharField(max_length=80)
    agent = models.CharField(max_length=80)
    seconds = models.FloatField()
    ended_at = models.DateTimeField()

    class Meta:
        """The newest turns of an agent are found at once."""

        indexes: ClassVar = [
            Index(fields=["workspace", "workflow", "agent", "-ended_at"], name="role_times_newest")
        ]

    def __str__(self) -> str:
        """Return the agent and its seconds."""
        return f"{self.agent} {self.seconds:.1f} s"


class Draft(models.Model):
    """What a model has said so far in a step that is not written down yet; shown, never used."""

    run = models.OneToOneField(Run, models.PROTECT, primary_key=True, related_name="+")
    index = models.IntegerField()
    agent = models.CharField(max_length=80, blank=True)
    text = models.TextField()
    at = models.DateTimeField()

    def __str__(self) -> str:
        """Return the beginning."""
        return self.text[:40]
