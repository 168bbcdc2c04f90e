"""Snapshots stay as they are, in the workspace of their State."""

from django.db import migrations

from console.promises import append_only, same_workspace


class Migration(migrations.Migration):
    """What the database itself promises about snapshots."""

    dependencies = [("snapshots", "0001_initial")]
    operations = [
        append_only("snapshots_snapshot"),
        same_workspace("snapshots_snapshot", "state_id", "snapshots_state"),
    ]
