"""Rows for effects that leave the house; older code may go on writing beside them."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import console.ids
from console.migrating import AtOnce


class Migration(AtOnce):
    dependencies = [
        ("access", "0002_decisions_that_stand_up"),
        ("approvals", "0008_decisions_by_time"),
        ("snapshots", "0005_decisions_that_stand_up"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    changes = (
        "approvals_actiontype",
        "approvals_execution",
        "approvals_proposal",
        "approvals_revision",
        "snapshots_state",
    )
    operations = [
        migrations.CreateModel(
            name="Attempt",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=console.ids.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("number", models.SmallIntegerField()),
                ("fence", models.BigIntegerField()),
                ("connector", models.CharField(max_length=60)),
                ("retry_class", models.CharField(max_length=10)),
                ("request", models.BinaryField()),
                ("request_digest", models.CharField(max_length=64)),
                ("sent_at", models.DateTimeField()),
                ("deadline_at", models.DateTimeField()),
                ("outcome", models.CharField(blank=True, max_length=12)),
                ("answer_status", models.IntegerField(null=True)),
                ("answer", models.CharField(blank=True, max_length=1000)),
                ("reference", models.CharField(blank=True, max_length=200)),
                ("ended_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Compensation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=console.ids.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("cause", models.CharField(max_length=80)),
                ("number", models.IntegerField()),
                ("is_irreversible", models.BooleanField(default=False)),
                ("text", models.CharField(blank=True, max_length=300)),
                ("due_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Connector",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=console.ids.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("name", models.CharField(max_length=60)),
                ("kind", models.CharField(max_length=12)),
                ("retry_class", models.CharField(max_length=10)),
                ("address", models.CharField(max_length=300)),
                ("digest", models.CharField(max_length=64)),
                ("actions", models.JSONField(default=list)),
                ("deadline_seconds", models.FloatField()),
                ("settle_seconds", models.FloatField()),
                ("retention_seconds", models.FloatField(null=True)),
                ("is_offered", models.BooleanField(default=True)),
                ("can_ask", models.BooleanField(default=False)),
                ("can_list", models.BooleanField(default=False)),
                ("seen_at", models.DateTimeField()),
                ("tested_at", models.DateTimeField(null=True)),
                ("test_asked_at", models.DateTimeField(null=True)),
                ("test_passed", models.BooleanField(null=True)),
                ("test_says", models.CharField(blank=True, max_length=500)),
            ],
        ),
        migrations.CreateModel(
            name="Discrepancy",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=console.ids.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("kind", models.CharField(max_length=12)),
                ("key", models.CharField(max_length=200)),
                ("reference", models.CharField(blank=True, max_length=200)),
                ("text", models.CharField(max_length=500)),
                ("found_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(null=True)),
                ("note", models.CharField(blank=True, max_length=500)),
            ],
        ),
        migrations.CreateModel(
            name="Observation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=console.ids.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("source", models.CharField(max_length=12)),
                ("says", models.CharField(max_length=10)),
                ("reference", models.CharField(blank=True, max_length=200)),
                ("detail", models.CharField(blank=True, max_length=1000)),
                ("at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Reconciliation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=console.ids.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField()),
                ("began_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("counts", models.JSONField(default=dict)),
                ("problem", models.CharField(blank=True, max_length=500)),
            ],
        ),
        migrations.CreateModel(
            name="Resolution",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=console.ids.new_id,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("attempt_number", models.SmallIntegerField()),
                ("verdict", models.CharField(max_length=10)),
                ("reference", models.CharField(blank=True, max_length=200)),
                ("evidence", models.CharField(max_length=1000)),
                ("at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="SendSwitch",
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
                ("is_stopped", models.BooleanField(default=False)),
                ("reason", models.CharField(blank=True, max_length=250)),
                ("actor", models.JSONField(default=dict)),
                ("at", models.DateTimeField()),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="execution",
            name="an_execution_status_is_known",
        ),
        migrations.RemoveConstraint(
            model_name="execution",
            name="a_succeeded_execution_names_its_snapshot",
        ),
        migrations.AddField(
            model_name="actiontype",
            name="compensation",
            field=models.JSONField(db_default={}, default=dict),
        ),
        migrations.AddField(
            model_name="actiontype",
            name="connector",
            field=models.CharField(blank=True, db_default="", default="", max_length=60),
        ),
        migrations.AddField(
            model_name="execution",
            name="connector",
            field=models.CharField(blank=True, db_default="", default="", max_length=60),
        ),
        migrations.AddField(
            model_name="execution",
            name="doubt_due_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="execution",
            name="doubted_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="execution",
            name="fence",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="execution",
            name="lease_until",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="execution",
            name="next_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="execution",
            name="owner",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="execution",
            name="reference",
            field=models.CharField(blank=True, db_default="", default="", max_length=200),
        ),
        migrations.AddField(
            model_name="execution",
            name="request_digest",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.AddField(
            model_name="execution",
            name="retry_class",
            field=models.CharField(db_default="local", default="local", max_length=10),
        ),
        migrations.AddField(
            model_name="execution",
            name="sent_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="execution",
            name="state",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="snapshots.state",
            ),
        ),
        migrations.AddField(
            model_name="execution",
            name="tries",
            field=models.SmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="revision",
            name="outlet",
            field=models.JSONField(null=True),
        ),
        migrations.AlterField(
            model_name="execution",
            name="status",
            field=models.CharField(max_length=20),
        ),
        migrations.AddIndex(
            model_name="execution",
            index=models.Index(
                condition=models.Q(("status", "ready")), fields=["next_at"], name="executions_ready"
            ),
        ),
        migrations.AddIndex(
            model_name="execution",
            index=models.Index(
                condition=models.Q(("status__in", ["claimed", "sent"])),
                fields=["lease_until"],
                name="executions_leased",
            ),
        ),
        migrations.AddIndex(
            model_name="execution",
            index=models.Index(
                condition=models.Q(("status", "in_doubt")),
                fields=["workspace", "doubt_due_at"],
                name="executions_in_doubt",
            ),
        ),
        migrations.AddIndex(
            model_name="execution",
            index=models.Index(
                condition=models.Q(("retry_class", "local"), _negated=True),
                fields=["workspace", "-id"],
                name="executions_outside",
            ),
        ),
        migrations.AddConstraint(
            model_name="execution",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "status__in",
                        [
                            "claimed",
                            "compensated",
                            "compensating",
                            "compensation_failed",
                            "failed",
                            "held",
                            "in_doubt",
                            "quarantined",
                            "ready",
                            "recalled",
                            "sent",
                            "succeeded",
                        ],
                    )
                ),
                name="an_execution_status_is_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="execution",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "succeeded"), _negated=True),
                    ("snapshot_number__isnull", False),
                    models.Q(
                        models.Q(("retry_class", "local"), _negated=True),
                        models.Q(("problem", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="a_succeeded_execution_names_its_snapshot",
            ),
        ),
        migrations.AddConstraint(
            model_name="execution",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("status__in", ("held", "ready", "claimed", "quarantined", "sent", "in_doubt"))
                ),
                fields=("state",),
                name="one_execution_is_under_way_per_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="execution",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("retry_class__in", ("local", "keyed", "queryable", "blind")),
                    models.Q(
                        models.Q(("connector", ""), ("retry_class", "local")),
                        models.Q(("connector", ""), _negated=True),
                        _connector="OR",
                    ),
                ),
                name="an_execution_has_a_retry_class",
            ),
        ),
        migrations.AddConstraint(
            model_name="execution",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("retry_class", "local"), _negated=True),
                    models.Q(("status__in", ["claimed", "sent", "in_doubt"]), _negated=True),
                    _connector="OR",
                ),
                name="a_local_execution_is_never_sent",
            ),
        ),
        migrations.AddConstraint(
            model_name="execution",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status__in", ["sent", "in_doubt"]), _negated=True),
                    ("sent_at__isnull", False),
                    _connector="OR",
                ),
                name="a_sent_execution_says_when",
            ),
        ),
        migrations.AddConstraint(
            model_name="execution",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "in_doubt"), _negated=True),
                    ("doubt_due_at__isnull", False),
                    _connector="OR",
                ),
                name="what_is_in_doubt_is_due",
            ),
        ),
        migrations.AddField(
            model_name="attempt",
            name="execution",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="attempts",
                to="approvals.execution",
            ),
        ),
        migrations.AddField(
            model_name="attempt",
            name="workspace",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="access.workspace"
            ),
        ),
        migrations.AddField(
            model_name="compensation",
            name="execution",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="compensation",
                to="approvals.execution",
            ),
        ),
        migrations.AddField(
            model_name="compensation",
            name="proposal",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="compensates",
                to="approvals.proposal",
            ),
        ),
        migrations.AddField(
            model_name="compensation",
            name="workspace",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="access.workspace"
            ),
        ),
        migrations.AddField(
            model_name="connector",
            name="workspace",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="access.workspace"
            ),
        ),
        migrations.AddField(
            model_name="discrepancy",
            name="closed_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="discrepancy",
            name="connector",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="approvals.connector",
            ),
        ),
        migrations.AddField(
            model_name="discrepancy",
            name="execution",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="approvals.execution",
            ),
        ),
        migrations.AddField(
            model_name="discrepancy",
            name="workspace",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="access.workspace"
            ),
        ),
        migrations.AddField(
            model_name="observation",
            name="execution",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="observations",
                to="approvals.execution",
            ),
        ),
        migrations.AddField(
            model_name="observation",
            name="workspace",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="access.workspace"
            ),
        ),
        migrations.AddField(
            model_name="reconciliation",
            name="connector",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="reconciliations",
                to="approvals.connector",
            ),
        ),
        migrations.AddField(
            model_name="reconciliation",
            name="workspace",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="access.workspace"
            ),
        ),
        migrations.AddField(
            model_name="discrepancy",
            name="reconciliation",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="found",
                to="approvals.reconciliation",
            ),
        ),
        migrations.AddField(
            model_name="resolution",
            name="execution",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="resolutions",
                to="approvals.execution",
            ),
        ),
        migrations.AddField(
            model_name="resolution",
            name="person",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="resolution",
            name="workspace",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="access.workspace"
            ),
        ),
        migrations.AddConstraint(
            model_name="attempt",
            constraint=models.UniqueConstraint(
                fields=("execution", "number"), name="an_attempt_number_is_used_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="attempt",
            constraint=models.UniqueConstraint(
                fields=("execution", "fence"), name="a_fence_sends_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="attempt",
            constraint=models.UniqueConstraint(
                condition=models.Q(("retry_class", "blind")),
                fields=("execution",),
                name="a_blind_connector_is_tried_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="attempt",
            constraint=models.CheckConstraint(
                condition=models.Q(("outcome__in", ["", "acknowledged", "refused", "unknown"])),
                name="an_attempt_has_a_known_outcome",
            ),
        ),
        migrations.AddConstraint(
            model_name="attempt",
            constraint=models.CheckConstraint(
                condition=models.Q(("outcome", ""), ("ended_at__isnull", False), _connector="OR"),
                name="an_attempt_with_an_outcome_has_ended",
            ),
        ),
        migrations.AddConstraint(
            model_name="compensation",
            constraint=models.UniqueConstraint(
                fields=("workspace", "cause", "number"), name="a_compensation_has_its_turn"
            ),
        ),
        migrations.AddConstraint(
            model_name="compensation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("proposal__isnull", False), ("is_irreversible", True), _connector="OR"
                ),
                name="a_compensation_is_proposed_or_impossible",
            ),
        ),
        migrations.AddConstraint(
            model_name="connector",
            constraint=models.UniqueConstraint(
                fields=("workspace", "name"), name="a_connector_name_is_used_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="connector",
            constraint=models.CheckConstraint(
                condition=models.Q(("retry_class__in", ("keyed", "queryable", "blind"))),
                name="a_connector_declares_its_retry_class",
            ),
        ),
        migrations.AddIndex(
            model_name="observation",
            index=models.Index(fields=["execution", "-at"], name="observations_by_time"),
        ),
        migrations.AddConstraint(
            model_name="observation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("source__in", ["late_answer", "inquiry", "callback", "statement", "person"])
                ),
                name="an_observation_has_a_known_source",
            ),
        ),
        migrations.AddConstraint(
            model_name="observation",
            constraint=models.CheckConstraint(
                condition=models.Q(("says__in", ["executed", "absent", "refused", "unclear"])),
                name="an_observation_says_one_of_four_things",
            ),
        ),
        migrations.AddIndex(
            model_name="reconciliation",
            index=models.Index(fields=["workspace", "-id"], name="reconciliations_newest"),
        ),
        migrations.AddIndex(
            model_name="discrepancy",
            index=models.Index(
                condition=models.Q(("closed_at", None)),
                fields=["workspace", "-found_at"],
                name="discrepancies_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="discrepancy",
            constraint=models.UniqueConstraint(
                condition=models.Q(("closed_at", None)),
                fields=("connector", "kind", "key"),
                name="a_discrepancy_stands_open_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="discrepancy",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["not_theirs", "not_ours", "twice", "differs"])),
                name="a_discrepancy_is_of_a_known_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="resolution",
            constraint=models.UniqueConstraint(
                fields=("execution", "attempt_number", "person"),
                name="a_person_resolves_an_attempt_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="resolution",
            constraint=models.CheckConstraint(
                condition=models.Q(("verdict__in", ["executed", "absent", "send_again"])),
                name="a_resolution_has_a_known_verdict",
            ),
        ),
        migrations.AddConstraint(
            model_name="resolution",
            constraint=models.CheckConstraint(
                condition=models.Q(("evidence", ""), _negated=True),
                name="a_resolution_names_its_evidence",
            ),
        ),
    ]
