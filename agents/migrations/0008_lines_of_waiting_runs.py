"""Waiting runs stand in one line for each workflow of a workspace."""

from django.db import migrations

from console.migrating import AtOnce

# `agents/store.py` asks in these words. An instant in UTC is what an index can hold.
_LINES = """
    CREATE INDEX runs_in_line ON agents_run (workspace_id, workflow,
        (timezone('UTC', queued_at) - priority * interval '1 minute'), id)
        WHERE status = 'queued';
"""
# Runs that were written before they knew their workflow and may still work.
_KNOWN = """
    UPDATE agents_run AS run SET workflow = job.workflow, priority = job.priority
    FROM agents_job AS job
    WHERE job.id = run.job_id AND run.workflow = ''
        AND run.status IN ('queued', 'running', 'waiting', 'paused');
"""


class Migration(AtOnce):
    """Find the next of each line at once, however long the others are."""

    changes = ("agents_run",)

    dependencies = [("agents", "0007_guards_and_budgets")]

    operations = [
        migrations.RunSQL(_LINES, "DROP INDEX runs_in_line"),
        migrations.RemoveIndex(model_name="run", name="runs_queued"),
        migrations.RemoveIndex(model_name="run", name="runs_queued_by_workspace"),
        migrations.RunSQL(_KNOWN, migrations.RunSQL.noop),
    ]
