"""Which runs has a guard paused, on what evidence, and what did people say to it?"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Count, QuerySet

from agents.models import Pause, Run, Step
from agents.queries import Traced, trace
from console.errors import NotFound

COUNTED_AT_MOST: Final = 1_000
# Of the steps that a rule counts, the last so many are shown; a loop looks the same all along.
STEPS_SHOWN: Final = 12
TAIL: Final = 8


def pauses(workspace_id: UUID) -> QuerySet[Pause]:
    """Return a workspace's pauses with their runs and jobs."""
    rows = Pause.objects.filter(workspace=workspace_id)
    rows = rows.select_related("run", "run__job", "run__job__state")
    return rows.defer("run__job__input", "run__result")


def open_pauses(workspace_id: UUID) -> QuerySet[Pause]:
    """Return those that wait for a person."""
    return pauses(workspace_id).filter(status="open")


def ended_pauses(workspace_id: UUID) -> QuerySet[Pause]:
    """Return those that somebody decided, or whose run ended otherwise."""
    return pauses(workspace_id).exclude(status="open")


def count_open(workspace_id: UUID) -> int:
    """Return how many wait, counted up to a limit."""
    rows = Pause.objects.filter(workspace=workspace_id, status="open")
    return rows.order_by()[:COUNTED_AT_MOST].count()


def pause(workspace_id: UUID, pause_id: UUID) -> Pause:
    """Return one pause. Raises: NotFound (404)."""
    row = pauses(workspace_id).filter(id=pause_id).first()
    if row is None:
        raise NotFound
    return row


def open_pause_of(run_id: UUID) -> Pause | None:
    """Return what keeps a run waiting, if a guard does."""
    return Pause.objects.filter(run=run_id, status="open").first()


def counted_steps(run_id: UUID, indices: Iterable[int]) -> list[Step]:
    """Return the last of the steps that count towards a verdict, in their order."""
    wanted = sorted(set(indices))[-STEPS_SHOWN:]
    return list(Step.objects.filter(run=run_id, index__in=wanted).order_by("index"))


def tail(run_id: UUID, before: int) -> list[Traced]:
    """Return what the run did last before a step."""
    return list(trace(run_id, first=max(0, before - TAIL), before=before))


def fired(workspace_id: UUID, workflow: str, since: datetime) -> dict[str, int]:
    """Return how often the rules of a workflow's guards have spoken since then, by rule."""
    rows = Step.objects.filter(
        kind="guard",
        run__workspace=workspace_id,
        run__workflow=workflow,
        run__created_at__gte=since,
        started_at__gte=since,
    ).exclude(name="answer")
    return dict(rows.values_list("name").annotate(Count("index")).order_by())


def runs_since(workspace_id: UUID, workflow: str, since: datetime) -> int:
    """Return how many runs of a workflow began since then."""
    rows = Run.objects.filter(workspace=workspace_id, workflow=workflow, created_at__gte=since)
    return rows.order_by().count()
