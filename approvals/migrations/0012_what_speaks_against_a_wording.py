"""A wording keeps what another agent would have done, and what it claims without anything to it."""

from django.db import migrations, models

from console.migrating import AtOnce


class Migration(AtOnce):
    """Two columns of revisions; those of before have neither."""

    dependencies = [
        ("approvals", "0011_promises_of_doubt"),
    ]
    changes = ("approvals_revision",)
    operations = [
        migrations.AddField(
            model_name="revision",
            name="second",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="revision",
            name="false_authority",
            field=models.JSONField(db_default=[]),
        ),
    ]
