"""Whom does a restoration concern: which memories and runs, and since when is an agent unwell?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Substr

from agents import memory, sanity
from agents.lifecycle import OPEN
from agents.models import Drift, Participation, Run, Step
from agents.restoring import CannotRestore
from agents.sanity import Sane, Verdict, Version
from snapshots import queries as snapshots

if TYPE_CHECKING:
    from snapshots.models import State

MEMORIES_AT_MOST = 1000


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose open runs start anew: (record, agent) pairs in which nothing means all, or one run."""

    pairs: tuple[tuple[str, str], ...] = ()
    run: UUID | None = None

    def to_json(self) -> dict[str, object]:
        """Return what a plan keeps."""
        return {"pairs": [[*pair] for pair in self.pairs], "run": str(self.run or "")}

    @classmethod
    def from_json(cls, kept: dict[str, object]) -> Self:
        """Return what a plan keeps."""
        pairs: list[list[str]] = kept["pairs"]  # type: ignore[assignment]
        run = UUID(str(kept["run"])) if kept["run"] else None
        return cls(tuple((record, agent) for record, agent in pairs), run)


def memories_below(workspace_id: UUID, key: str, *, is_cut: bool = False) -> "list[State]":
    """Return the memories that agents have about a record, by key; none of a record below it.

    Raises: CannotRestore where there are too many to be brought back at once; cut, where they are
    only looked at, there are fewer.
    """
    prefix = memory.key_of(key, "")
    rows = _memories(workspace_id).filter(key__startswith=prefix)
    rows = rows.annotate(agent=Substr("key", len(prefix) + 1))
    return _all(rows.exclude(agent__contains=memory.key_of("", "")), is_cut=is_cut)


def memories_at(workspace_id: UUID, keys: Sequence[str]) -> "list[State]":
    """Return the memories under these very keys, by key. Raises: CannotRestore."""
    return _all(_memories(workspace_id).filter(key__in=keys))


def memories_of(workspace_id: UUID, agent: str, *, is_cut: bool = False) -> "list[State]":
    """Return every memory that an agent has in a workspace, by key. Raises: CannotRestore."""
    rows = _memories(workspace_id).filter(key__endswith=memory.key_of("", agent))
    return _all(rows, is_cut=is_cut)


def _memories(workspace_id: UUID) -> "QuerySet[State]":
    return snapshots.states(workspace_id).filter(kind="memory")


def _all(rows: "QuerySet[State]", *, is_cut: bool = False) -> "list[State]":
    found = list(rows.order_by("key")[: MEMORIES_AT_MOST + (not is_cut)])
    if len(found) > MEMORIES_AT_MOST:
        raise CannotRestore(
            f"More than {MEMORIES_AT_MOST:,} memories are concerned; name the record or the agent."
        )
    return found


def number_at(state: "State", at: datetime) -> int | None:
    """Return the newest snapshot of a State not later than a moment; none if it came later."""
    rows = snapshots.snapshots(state.workspace_id, state.id).filter(created_at__lte=at)
    return rows.order_by("-number").values_list("number", flat=True).first()


def open_runs(workspace_id: UUID, scope: Scope) -> QuerySet[Run]:
    """Return the runs that have not ended and that a restoration of this scope sets aside."""
    concerned = Q(id=scope.run)
    for record, agent in scope.pairs:
        one = Q()
        if record:
            one &= Q(job__state__key=record)
        if agent:
            one &= took_part(agent)
        concerned |= one
    rows = Run.objects.filter(concerned, workspace=workspace_id)
    return rows.filter(status__in=OPEN).order_by("id")


def took_part(agent: str) -> Q:
    """Tell the runs in which an agent acted."""
    taking = Participation.objects.filter(run=OuterRef("pk"), agent__name=agent)
    acting = Step.objects.filter(run=OuterRef("pk"), agent=agent)
    return Q(Exists(taking)) | Q(Exists(acting))


def agents_of(runs: Sequence[UUID]) -> list[str]:
    """Return the names of those who took part in runs."""
    named = Participation.objects.filter(run__in=runs).values_list("agent__name", flat=True)
    acted = Step.objects.filter(run__in=runs).exclude(agent="").values_list("agent", flat=True)
    return sorted({*named, *acted.distinct()})


def last_sane(state: "State") -> Sane:
    """Propose the snapshot of a memory from before its agent was first found unwell.

    What was found before the memory was last brought back is over. A memory that was begun only
    after its agent was found unwell has no such snapshot.
    """
    record, agent = memory.parents_of(state.key)
    rows = snapshots.snapshots(state.workspace_id, state.id)
    back = rows.filter(cause="rollback").order_by("-number").first()
    since = back.created_at if back else None
    verdicts = [*_guards(state.workspace_id, record, agent, since), *_drifts(state, since)]
    versions = []
    if verdicts:
        first = min(verdict.at for verdict in verdicts)
        before = rows.filter(created_at__lt=first).order_by("-number")[:1]
        versions = [Version(row.number, row.created_at) for row in before]
    return sanity.last_sane(agent, versions, verdicts)


def _guards(workspace_id: UUID, record: str, agent: str, since: datetime | None) -> list[Verdict]:
    rows = Step.objects.filter(
        kind="guard",
        agent=agent,
        run__workspace=workspace_id,
        run__job__state__key=record,
    )
    rows = rows.filter(started_at__gt=since) if since else rows
    first = rows.order_by("started_at").values_list("name", "started_at")[:1]
    return [Verdict(at, f"the guard “{name}” spoke") for name, at in first]


def _drifts(state: "State", since: datetime | None) -> list[Verdict]:
    rows = Drift.objects.filter(state=state.id).exclude(over=[])
    rows = rows.filter(measured_at__gt=since) if since else rows
    first = rows.order_by("measured_at").values_list("over", "measured_at")[:1]
    return [Verdict(at, f"drift was over its limit ({_listed(over)})") for over, at in first]


def _listed(over: Sequence[object]) -> str:
    named = (each.get("measure", "") if isinstance(each, dict) else each for each in over)
    return ", ".join(str(name).replace("_", " ") for name in named)
