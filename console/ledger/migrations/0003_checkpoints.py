"""Where each ledger ended, signed; and those rows only grow, too."""

import django.db.models.deletion
from django.db import migrations, models

import console.ids
from console.promises import append_only


class Migration(migrations.Migration):
    """A table beside the ledger; nothing that is there changes."""

    dependencies = [("access", "0001_initial"), ("ledger", "0002_promises")]
    operations = [
        migrations.CreateModel(
            name="Checkpoint",
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
                ("number", models.BigIntegerField()),
                ("seq", models.BigIntegerField()),
                ("digest", models.CharField(max_length=64)),
                ("at", models.DateTimeField()),
                ("previous", models.CharField(max_length=64)),
                ("key", models.CharField(max_length=64)),
                ("signature", models.CharField(max_length=128)),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="access.workspace",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("workspace", "number"), name="a_checkpoint_number_is_used_once"
                    ),
                    models.UniqueConstraint(
                        fields=("workspace", "previous"), name="a_checkpoint_has_one_successor"
                    ),
                ],
            },
        ),
        append_only("ledger_checkpoint"),
    ]
