"""How long did the agents of a workflow take for their newest turns?"""

from collections.abc import Sequence
from uuid import UUID

from agents.forecasting import History, objection
from agents.models import RoleTime


def history(workspace_id: UUID, workflow: str) -> History:
    """Return the seconds of the turns that are kept, by agent."""
    rows = RoleTime.objects.filter(workspace=workspace_id, workflow=workflow)
    found: dict[str, list[float]] = {}
    for agent, seconds in rows.values_list("agent", "seconds"):
        found.setdefault(agent, []).append(seconds)
    return found


def objection_to(
    workspace_id: UUID, workflow: str, agents: Sequence[str], left: float | None
) -> str | None:
    """Say why there is no time for one turn of each agent, in seconds that are left, or nothing."""
    if left is None:
        return None
    return objection(agents, history(workspace_id, workflow), left)
