"""Guards pause runs for people, workflows and workspaces have budgets, roles have a history."""

import django.db.models.deletion
from django.db import migrations, models

import console.ids
from console.migrating import AtOnce
from console.promises import same_workspace

_PAUSE = """
    CREATE FUNCTION a_pause_stays_as_it_was_decided() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF OLD.status <> 'open' OR (to_jsonb(OLD) - ARRAY['status', 'reason', 'decider', 'raised', 'decided_at'])
            <> (to_jsonb(NEW) - ARRAY['status', 'reason', 'decider', 'raised', 'decided_at']) THEN
            RAISE EXCEPTION 'a pause is decided once, and says what the guard said'
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER a_pause_stays_as_it_was_decided BEFORE UPDATE ON agents_pause
        FOR EACH ROW EXECUTE FUNCTION a_pause_stays_as_it_was_decided();
    ALTER TABLE agents_pause ENABLE ALWAYS TRIGGER a_pause_stays_as_it_was_decided;
"""
# A resumed agent or a lifted halt lets many runs go; none of those that a guard holds.
_HELD = """
    CREATE FUNCTION what_a_guard_paused_waits_for_a_person() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT FROM agents_pause WHERE id = OLD.paused_by AND status = 'open') THEN
            RAISE EXCEPTION 'a run that a guard has paused goes on when a person says so'
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER what_a_guard_paused_waits_for_a_person BEFORE UPDATE OF status ON agents_run
        FOR EACH ROW WHEN (
            OLD.paused_by IS NOT NULL AND OLD.status = 'paused'
            AND NEW.status IN ('queued', 'running', 'waiting', 'succeeded')
        )
        EXECUTE FUNCTION what_a_guard_paused_waits_for_a_person();
    ALTER TABLE agents_run ENABLE ALWAYS TRIGGER what_a_guard_paused_waits_for_a_person;
"""
_UNDONE = """
    DROP TRIGGER what_a_guard_paused_waits_for_a_person ON agents_run;
    DROP FUNCTION what_a_guard_paused_waits_for_a_person();
    DROP TRIGGER a_pause_stays_as_it_was_decided ON agents_pause;
    DROP FUNCTION a_pause_stays_as_it_was_decided();
"""


class Migration(AtOnce):
    """Tables of pauses, settings, budgets, use, times and drafts."""

    changes = ("agents_job", "agents_run")

    dependencies = [
        ("access", "0003_asked_before_the_workspace_is_known"),
        ("agents", "0006_replies"),
    ]

    operations = [
        migrations.CreateModel(
            name="Draft",
            fields=[
                (
                    "run",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="agents.run",
                    ),
                ),
                ("index", models.IntegerField()),
                ("agent", models.CharField(blank=True, max_length=80)),
                ("text", models.TextField()),
                ("at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Pause",
            fields=[
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="access.workspace",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pauses",
                        to="agents.run",
                    ),
                ),
                (
                    "id",
                    models.UUIDField(
                        default=console.ids.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("step", models.IntegerField()),
                ("agent", models.CharField(blank=True, max_length=80)),
                ("rule", models.CharField(max_length=40)),
                ("verdict", models.JSONField()),
                ("status", models.CharField(default="open", max_length=12)),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("decider", models.JSONField(blank=True, null=True)),
                ("raised", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField()),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="RoleTime",
            fields=[
                (
                    "workspace",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="access.workspace",
                    ),
                ),
                (
                    "id",
                    models.UUIDField(
                        default=console.ids.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("workflow", models.CharField(max_length=80)),
                ("agent", models.CharField(max_length=80)),
                ("seconds", models.FloatField()),
                ("ended_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Usage",
            fields=[
                (
                    "workspace",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="access.workspace",
                    ),
                ),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "workspace_id",
                        "day",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("day", models.DateField()),
                ("tokens", models.BigIntegerField(default=0)),
                ("money", models.DecimalField(decimal_places=6, default=0, max_digits=14)),
                ("runs", models.IntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="WorkflowSetting",
            fields=[
                (
                    "workspace",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="access.workspace",
                    ),
                ),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "workspace_id",
                        "workflow",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("workflow", models.CharField(max_length=80)),
                ("guards", models.JSONField(default=dict)),
                ("at_once", models.IntegerField(blank=True, null=True)),
                ("actor", models.JSONField()),
                ("changed_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="WorkspaceBudget",
            fields=[
                (
                    "workspace",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="access.workspace",
                    ),
                ),
                ("tokens", models.BigIntegerField(blank=True, null=True)),
                (
                    "money",
                    models.DecimalField(blank=True, decimal_places=6, max_digits=14, null=True),
                ),
                ("runs", models.IntegerField(blank=True, null=True)),
                ("at_once", models.IntegerField(blank=True, null=True)),
                ("actor", models.JSONField()),
                ("changed_at", models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name="job",
            name="budget",
            field=models.JSONField(db_default={}),
        ),
        migrations.AddField(
            model_name="job",
            name="priority",
            field=models.SmallIntegerField(db_default=0),
        ),
        migrations.AddField(
            model_name="run",
            name="money",
            field=models.DecimalField(db_default=0, decimal_places=6, max_digits=14),
        ),
        migrations.AddField(
            model_name="run",
            name="paused_by",
            field=models.UUIDField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="run",
            name="priority",
            field=models.SmallIntegerField(db_default=0),
        ),
        migrations.AddField(
            model_name="run",
            name="raised",
            field=models.JSONField(db_default={}),
        ),
        migrations.AddField(
            model_name="run",
            name="source",
            field=models.CharField(blank=True, db_default="", max_length=20),
        ),
        migrations.AddField(
            model_name="run",
            name="tokens",
            field=models.BigIntegerField(db_default=0),
        ),
        migrations.AddField(
            model_name="run",
            name="workflow",
            field=models.CharField(db_default="", max_length=80),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                models.F("workspace"),
                models.OrderBy(models.F("priority"), descending=True),
                models.F("queued_at"),
                models.F("id"),
                condition=models.Q(("status", "queued")),
                name="runs_queued_by_workspace",
            ),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                condition=models.Q(("status", "running")),
                fields=["workspace", "workflow"],
                name="runs_running",
            ),
        ),
        migrations.AddConstraint(
            model_name="workspacebudget",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("tokens", None), ("tokens__gt", 0), _connector="OR"),
                    models.Q(("money", None), ("money__gt", 0), _connector="OR"),
                    models.Q(("runs", None), ("runs__gt", 0), _connector="OR"),
                    models.Q(("at_once", None), ("at_once__gt", 0), _connector="OR"),
                ),
                name="a_budget_is_more_than_nothing",
            ),
        ),
        migrations.AddIndex(
            model_name="pause",
            index=models.Index(
                condition=models.Q(("status", "open")),
                fields=["workspace", "created_at", "id"],
                name="pauses_open",
            ),
        ),
        migrations.AddIndex(
            model_name="pause",
            index=models.Index(fields=["workspace", "-created_at", "-id"], name="pauses_newest"),
        ),
        migrations.AddConstraint(
            model_name="pause",
            constraint=models.UniqueConstraint(
                fields=("run", "step"), name="a_verdict_pauses_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="pause",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "open")),
                fields=("run",),
                name="a_run_is_paused_once_at_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="pause",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "status__in",
                        ["continued", "open", "raised", "restored", "terminated", "void"],
                    )
                ),
                name="a_pause_status_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="pause",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("decided_at", None), ("status", "open")),
                    models.Q(("decided_at__isnull", False), ("status", "void")),
                    models.Q(
                        ("decided_at__isnull", False),
                        ("decider__isnull", False),
                        models.Q(("reason", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="whoever_ends_a_pause_says_why",
            ),
        ),
        migrations.AddIndex(
            model_name="roletime",
            index=models.Index(
                fields=["workspace", "workflow", "agent", "-ended_at"], name="role_times_newest"
            ),
        ),
        migrations.AddConstraint(
            model_name="workflowsetting",
            constraint=models.CheckConstraint(
                condition=models.Q(("at_once", None), ("at_once__gte", 1), _connector="OR"),
                name="at_least_one_run_may_work",
            ),
        ),
        same_workspace("agents_pause", "run_id", "agents_run"),
        migrations.RunSQL(_PAUSE + _HELD, _UNDONE),
    ]
