"""Steps stay as they are; jobs and runs stay in their workspace."""

from django.db import migrations

from console.promises import append_only, same_workspace


class Migration(migrations.Migration):
    """What the database itself promises about runs."""

    dependencies = [("agents", "0001_initial"), ("snapshots", "0002_promises")]
    operations = [
        append_only("agents_step"),
        same_workspace("agents_job", "state_id", "snapshots_state"),
        same_workspace("agents_run", "job_id", "agents_job"),
        same_workspace("agents_job", "current_run_id", "agents_run"),
    ]
