"""How has a workspace set the guards of a workflow?"""

from uuid import UUID

from agents.models import WorkflowSetting


def setting(workspace_id: UUID, workflow: str) -> WorkflowSetting | None:
    """Return what a workspace has set, or nothing where all is as declared."""
    return WorkflowSetting.objects.filter(workspace=workspace_id, workflow=workflow).first()
