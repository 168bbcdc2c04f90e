"""What does a State hold, what did it hold, and how did it get there?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import F, QuerySet

from console.errors import Invalid, NotFound
from snapshots.diff import Change, diff
from snapshots.models import Snapshot, State
from snapshots.queries.reading import (
    Corrupt,
    Gone,
    changes_of,
    content,
    content_bytes,
    subtree,
)

__all__ = [
    "Corrupt",
    "Gone",
    "Head",
    "UnknownState",
    "as_head",
    "by_cause",
    "by_key",
    "changes_of",
    "compare",
    "content",
    "content_bytes",
    "find",
    "head",
    "named",
    "of_kind",
    "sizes",
    "snapshot",
    "snapshots",
    "states",
    "subtree",
]


class UnknownState(Invalid):
    """There is no State with this key in the workspace."""

    code = "unknown_state"


@dataclass(frozen=True, slots=True)
class Head:
    """Where a State stands now."""

    state_id: UUID
    workspace_id: UUID
    key: str
    number: int
    digest: str
    epoch: int
    list_keys: dict[str, str]
    changed_at: datetime
    kind: str = "record"


def as_head(state: State) -> Head:
    """Return a State's row as a value that other apps may keep."""
    return Head(
        state_id=state.id,
        workspace_id=state.workspace_id,
        key=state.key,
        number=state.number,
        digest=state.digest,
        epoch=state.epoch,
        list_keys=state.list_keys,
        changed_at=state.changed_at,
        kind=state.kind,
    )


def states(workspace_id: UUID) -> QuerySet[State]:
    """Return a workspace's states."""
    return State.objects.filter(workspace=workspace_id)


def head(workspace_id: UUID, state_id: UUID) -> Head:
    """Return where a State stands. Raises: NotFound (404)."""
    state = states(workspace_id).filter(id=state_id).first()
    if state is None:
        raise NotFound
    return as_head(state)


def find(workspace_id: UUID, key: str) -> Head | None:
    """Return where the State under this key stands, if there is one."""
    state = states(workspace_id).filter(key=key).first()
    return as_head(state) if state else None


def named(workspace_id: UUID, key: str) -> Head:
    """Return where the State under this key stands. Raises: UnknownState (422)."""
    found = find(workspace_id, key)
    if found is None:
        raise UnknownState(f"There is no State {key!r} in this workspace.", field="state")
    return found


def of_kind(workspace_id: UUID, kind: str) -> Head | None:
    """Return where the one State of a kind that exists once stands, such as `policies`."""
    state = states(workspace_id).filter(kind=kind).first()
    return as_head(state) if state else None


def of_kind_everywhere(kind: str) -> list[tuple[UUID, int]]:
    """Return each workspace that has a State of such a kind, with the State's newest number."""
    rows = State.objects.filter(kind=kind).order_by("workspace_id")
    return list(rows.values_list("workspace_id", "number"))


def snapshots(workspace_id: UUID, state_id: UUID) -> QuerySet[Snapshot]:
    """Return a State's snapshots without their content and their marks."""
    rows = Snapshot.objects.filter(workspace=workspace_id, state=state_id)
    return rows.defer("data", "touched")


def snapshot(workspace_id: UUID, state_id: UUID, number: int) -> Snapshot:
    """Return one snapshot's row. Raises: NotFound (404)."""
    row = snapshots(workspace_id, state_id).filter(number=number).first()
    if row is None:
        raise NotFound("This State has no such snapshot.")
    return row


def by_cause(state_id: UUID, cause: str, cause_id: str) -> Snapshot | None:
    """Return the snapshot that this cause has made, if it has."""
    rows = Snapshot.objects.filter(state=state_id, cause=cause, cause_id=cause_id)
    return rows.defer("data").first()


def compare(workspace_id: UUID, state_id: UUID, old: int, new: int) -> list[Change]:
    """Return what differs between two snapshots of a State. Raises: NotFound (404)."""
    keys = head(workspace_id, state_id).list_keys
    return diff(content(state_id, old), content(state_id, new), keys=keys)


def by_key(workspace_id: UUID, *, prefix: str, after: str, at_most: int) -> list[State]:
    """Return the States whose key begins with `prefix`, in the order of their keys."""
    rows = states(workspace_id).filter(key__startswith=prefix, key__gt=after)
    return list(rows.order_by("key")[:at_most])


def sizes(workspace_id: UUID, rows: Sequence[State]) -> dict[UUID, int]:
    """Return how many bytes the newest document of each State has."""
    newest = Snapshot.objects.filter(workspace=workspace_id, number=F("state__number"))
    found = newest.filter(state__in=[row.id for row in rows])
    return dict(found.values_list("state_id", "document_bytes"))
