"""Which snapshots do open runs and restorations still need?"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from agents.lifecycle import OPEN
from agents.models import Restoration, Step
from snapshots.retention import Needed


def read_by_open_runs(workspace_id: UUID, state_id: UUID) -> set[int]:
    """Return the snapshots of a record, or of an agent's memory, in journals that go on.

    A step that touched a memory names it; every other one is about the State of its job.
    """
    rows = Step.objects.filter(
        run__workspace=workspace_id, run__status__in=OPEN, output__has_key="snapshot"
    )
    of_a_record = ~Q(kind="memory") & Q(run__job__state=state_id)
    of_a_memory = Q(kind="memory", output__state=str(state_id))
    found = rows.filter(of_a_record | of_a_memory).values_list("output__snapshot", flat=True)
    return _numbers(found.distinct())


def restoring(workspace_id: UUID, state_id: UUID, now: datetime) -> Needed:
    """Return that everything is needed while a plan for the State can be confirmed or goes on.

    Which versions a plan will read is its own business; it is over in minutes.
    """
    rows = Restoration.objects.filter(workspace=workspace_id)
    planned = Q(status="planned", expires_at__gt=now)
    rows = rows.filter(planned | Q(status__in=["confirmed", "restored"]))
    rows = rows.filter(Q(state=state_id) | Q(plan__states__contains=[{"state_id": str(state_id)}]))
    return {None: "restoring"} if rows.exists() else {}


def _numbers(found: Iterable[object]) -> set[int]:
    return {number for number in found if isinstance(number, int)}
