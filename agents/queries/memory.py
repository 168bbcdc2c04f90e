"""What does an agent's memory hold, when was it used, and what would a sweep take now?"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings

from agents import memory
from agents.memory import Entry, Verdict
from agents.models import MemoryUse, Step
from console.canonical import Json
from console.errors import NotFound
from snapshots import queries as snapshots
from snapshots.diff import ABSENT, Absent
from snapshots.queries import Head
from snapshots.queries.walking import kind_of


@dataclass(frozen=True, slots=True)
class Review:
    """A memory at one snapshot, and why which of its entries would be swept now."""

    head: Head
    agent: str
    record_key: str
    document: Json
    entries: list[Entry]
    used: Mapping[str, datetime]
    verdicts: Mapping[str, Verdict]


@dataclass(frozen=True, slots=True)
class Seen:
    """At which snapshot, of which epoch, a run knows a memory; both 0 where there was none."""

    number: int
    epoch: int


def find(workspace_id: UUID, record_key: str, agent: str) -> Head | None:
    """Return where an agent's memory about a record stands, if it has one."""
    return snapshots.find(workspace_id, memory.key_of(record_key, agent))


def head(workspace_id: UUID, state_id: UUID) -> Head:
    """Return where a memory stands. Raises: NotFound (404), also for a record."""
    if kind_of(workspace_id, state_id) != "memory":
        raise NotFound("This State is no agent's memory.")
    return snapshots.head(workspace_id, state_id)


def seen_by(run_id: UUID, agent: str) -> Seen | None:
    """Return at which snapshot a run knows an agent's memory, by what its journal says last."""
    rows = Step.objects.filter(run=run_id, kind="memory", agent=agent, error="")
    last = rows.order_by("-index").values_list("output", flat=True).first()
    return Seen(last["snapshot"], last["epoch"]) if last else None


def review(found: Head, *, now: datetime) -> Review:
    """Judge every entry of a memory by the clock, its neighbours and the record as it stands."""
    record_key, agent = memory.parents_of(found.key)
    document = snapshots.content(found.state_id, found.number)
    held = memory.entries(document)
    used = uses(found.state_id)
    verdicts = memory.verdicts(
        held,
        record=record_of(found.workspace_id, record_key),
        used=used,
        at_most=settings.MEMORY_ENTRIES_AT_MOST,
        now=now,
    )
    return Review(found, agent, record_key, document, held, used, verdicts)


def record_of(workspace_id: UUID, record_key: str) -> Json | Absent:
    """Return what the record of a memory says now, or that there is none."""
    record = snapshots.find(workspace_id, record_key)
    return snapshots.content(record.state_id, record.number) if record else ABSENT


def uses(state_id: UUID) -> dict[str, datetime]:
    """Return when which entry was last given to an agent."""
    return dict(MemoryUse.objects.filter(state=state_id).values_list("entry", "used_at"))
