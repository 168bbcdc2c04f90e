"""Is there an agent of this name?"""

from uuid import UUID

from agents.models import Agent


def is_known(workspace_id: UUID, name: str) -> bool:
    """Say whether an agent of this name has ever worked in a workspace."""
    return Agent.objects.filter(workspace=workspace_id, name=name).exists()
