"""What may the agents of a workspace use in a day, what have they used, and how many work now?"""

from datetime import date, timedelta
from uuid import UUID

from agents.models import Run, Usage, WorkspaceBudget

DAYS = 14


def budget(workspace_id: UUID) -> WorkspaceBudget | None:
    """Return the workspace's budget, if somebody has set one."""
    return WorkspaceBudget.objects.filter(workspace=workspace_id).first()


def days(workspace_id: UUID, today: date, count: int = DAYS) -> list[Usage]:
    """Return what was used on each of the last days, today first; nothing where nothing was."""
    first = today - timedelta(days=count - 1)
    rows = Usage.objects.filter(workspace=workspace_id, day__gte=first, day__lte=today)
    known = {row.day: row for row in rows}
    wanted = [today - timedelta(days=back) for back in range(count)]
    return [known.get(day) or Usage(workspace_id=workspace_id, day=day) for day in wanted]


def working(workspace_id: UUID) -> int:
    """Return how many runs are in hand at this moment."""
    return Run.objects.filter(workspace=workspace_id, status="running").count()
