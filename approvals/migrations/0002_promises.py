"""Revisions, evidence and decisions stay as they are; everything stays in its workspace."""

from django.db import migrations

from console.promises import append_only, of_a_revision, same_workspace


class Migration(migrations.Migration):
    """What the database itself promises about proposals."""

    dependencies = [("approvals", "0001_initial"), ("snapshots", "0002_promises")]
    operations = [
        append_only("approvals_revision"),
        append_only("approvals_evidence"),
        append_only("approvals_decision"),
        same_workspace("approvals_proposal", "state_id", "snapshots_state"),
        same_workspace("approvals_proposal", "action_type_id", "approvals_actiontype"),
        same_workspace("approvals_revision", "proposal_id", "approvals_proposal"),
        same_workspace("approvals_evidence", "proposal_id", "approvals_proposal"),
        same_workspace("approvals_decision", "proposal_id", "approvals_proposal"),
        same_workspace("approvals_execution", "proposal_id", "approvals_proposal"),
        of_a_revision("approvals_decision"),
        of_a_revision("approvals_execution"),
    ]
