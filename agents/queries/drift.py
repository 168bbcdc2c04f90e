"""How far has each State drifted, how did that come about, and where are its limits?"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.db.models import OuterRef, QuerySet, Subquery

from agents import drifting, lifecycle
from agents.drifting import Figures, Limits, Mark
from agents.memory import Reason
from agents.models import Drift, DriftLimit, Job, Participation
from agents.queries import memory as memories
from snapshots import queries as snapshots
from snapshots.queries import Head
from snapshots.queries.readings import differences
from snapshots.queries.walking import kind_of

if TYPE_CHECKING:
    from snapshots.models import State

# For each State its newest measurements, newest first, without reading the rest of its series.
_NEWEST = """
    SELECT each.* FROM unnest(%s::uuid[]) AS wanted(state_id) CROSS JOIN LATERAL (
        SELECT * FROM agents_drift WHERE state_id = wanted.state_id AND workspace_id = %s
        ORDER BY measured_at DESC, id DESC LIMIT %s) AS each
    ORDER BY each.state_id, each.measured_at DESC, each.id DESC
"""
_STALE: tuple[Reason, ...] = ("expired", "orphaned", "superseded")


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a State is like now; `agent` is named where it is an agent's memory."""

    head: Head
    agent: str
    figures: Figures


def look(workspace_id: UUID, state_id: UUID, now: datetime) -> Measurement:
    """Measure a State; nothing is written. Raises: NotFound (404), Corrupt (500)."""
    head = snapshots.head(workspace_id, state_id)
    if kind_of(workspace_id, state_id) == "memory":
        return _memory(head, now)
    found = differences(workspace_id, state_id)
    differing = len(found.changes) if found else None
    return Measurement(head, "", _figures(head, state_id, Counter(), differing))


def limits(workspace_id: UUID, state_id: UUID) -> Limits:
    """Return from where on drift of a State is too much."""
    row = own_limits(workspace_id, state_id)
    if row is None:
        return defaults()
    return Limits(**{name: getattr(row, name) for name in drifting.MEASURES})


def defaults() -> Limits:
    """Return the limits of a State that has none of its own."""
    found = settings.DRIFT_LIMITS
    return Limits(**{name: None if math.isinf(most) else most for name, most in found.items()})


def own_limits(workspace_id: UUID, state_id: UUID) -> DriftLimit | None:
    """Return the limits that were set for a State, and who did that."""
    return DriftLimit.objects.filter(workspace=workspace_id, state=state_id).first()


def newest(workspace_id: UUID, state_id: UUID) -> Drift | None:
    """Return a State's newest measurement."""
    return series(workspace_id, state_id).order_by("-measured_at", "-id").first()


def series(workspace_id: UUID, state_id: UUID) -> QuerySet[Drift]:
    """Return a State's measurements."""
    return Drift.objects.filter(workspace=workspace_id, state=state_id)


def recent(workspace_id: UUID, states: Sequence[UUID], *, at_most: int) -> dict[UUID, list[Drift]]:
    """Return the newest measurements of each of these States, newest first."""
    found: dict[UUID, list[Drift]] = defaultdict(list)
    for row in Drift.objects.raw(_NEWEST, [list(states), workspace_id, at_most]):
        found[row.state_id].append(row)
    return found


def states_by_key(
    workspace_id: UUID, *, after: str, at_most: int, only_over: bool = False
) -> "list[State]":
    """Return the States behind a key, in the order of their keys; only those over a limit.

    Policies are left out: they mirror nothing, and nobody remembers anything of them.
    """
    rows = snapshots.states(workspace_id).filter(key__gt=after).exclude(kind="policies")
    if only_over:
        last = Drift.objects.filter(state=OuterRef("pk")).order_by("-measured_at", "-id")
        rows = rows.annotate(over=Subquery(last.values("over")[:1]))
        rows = rows.filter(over__isnull=False).exclude(over=[])
    return list(rows.order_by("key")[:at_most])


def agents_on(workspace_id: UUID, state_id: UUID) -> list[str]:
    """Return the agents that take part in open runs on a State."""
    rows = Participation.objects.filter(
        run__workspace=workspace_id, run__job__state=state_id, run__status__in=lifecycle.OPEN
    )
    return sorted(set(rows.values_list("agent__name", flat=True)))


def _memory(head: Head, now: datetime) -> Measurement:
    seen = memories.review(head, now=now)
    counts = Counter(verdict.reason for verdict in seen.verdicts.values())
    record = snapshots.find(head.workspace_id, seen.record_key)
    counted: Counter[str] = Counter(
        entries=len(seen.entries),
        stale=sum(counts[reason] for reason in _STALE),
        contradicting=counts["contradicted"],
    )
    record_id = record.state_id if record else None
    return Measurement(head, seen.agent, _figures(head, record_id, counted, None))


def _figures(
    head: Head, record_id: UUID | None, counted: Counter[str], differing: int | None
) -> Figures:
    row = snapshots.snapshot(head.workspace_id, head.state_id, head.number)
    now = Mark(Job.objects.filter(state=record_id).count(), row.document_bytes)
    return Figures(
        entries=counted["entries"],
        stale=counted["stale"],
        contradicting=counted["contradicting"],
        differing=differing,
        document_bytes=now.document_bytes,
        jobs=now.jobs,
        growth=drifting.growth(_then(head, now.jobs), now),
    )


def _then(head: Head, jobs: int) -> Mark | None:
    """Return the newest measurement a thousand jobs ago, or else the first one of all."""
    rows = series(head.workspace_id, head.state_id)
    far = rows.filter(jobs__lte=jobs - drifting.GROWTH_WINDOW_JOBS)
    row = far.order_by("-measured_at", "-id").first() or rows.order_by("measured_at", "id").first()
    return Mark(row.jobs, row.document_bytes) if row else None
