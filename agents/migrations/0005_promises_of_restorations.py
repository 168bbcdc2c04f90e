"""Measurements stay as they are; what belongs to a State or a run stays in its workspace."""

from django.db import migrations

from console.promises import append_only, same_workspace


class Migration(migrations.Migration):
    """What the database itself promises about agents, restorations and drift."""

    dependencies = [
        ("agents", "0004_agents_and_restorations"),
        ("snapshots", "0004_promises_of_storage"),
    ]
    operations = [
        append_only("agents_drift"),
        same_workspace("agents_drift", "state_id", "snapshots_state"),
        same_workspace("agents_driftlimit", "state_id", "snapshots_state"),
        same_workspace("agents_restoration", "state_id", "snapshots_state"),
        same_workspace("agents_restoration", "run_id", "agents_run"),
    ]
