"""Which State comes next on a walk through those of every workspace?"""

from collections.abc import Iterator
from uuid import UUID

from snapshots.models import State


def states_after(
    after: UUID | None,
    *,
    at_most: int,
    kind: str = "",
    without: str = "",
    workspace_id: UUID | None = None,
) -> list[tuple[UUID, UUID]]:
    """Return (workspace, State) in the order of the States' ids, from behind one of them on.

    `kind` alone is walked through where it is given, and the kind `without` is passed by.
    """
    rows = State.objects.order_by("id")
    if after:
        rows = rows.filter(id__gt=after)
    if kind:
        rows = rows.filter(kind=kind)
    if without:
        rows = rows.exclude(kind=without)
    if workspace_id:
        rows = rows.filter(workspace=workspace_id)
    return list(rows.values_list("workspace_id", "id")[:at_most])


def kind_of(workspace_id: UUID, state_id: UUID) -> str:
    """Return what a State is, such as a memory; nothing where there is no such State."""
    rows = State.objects.filter(workspace=workspace_id, id=state_id)
    return rows.values_list("kind", flat=True).first() or ""


def walk(workspace_id: UUID, *, kind: str = "", without: str = "") -> Iterator[UUID]:
    """Yield every State of a workspace, a few hundred read at a time."""
    after = None
    while batch := states_after(
        after, at_most=500, kind=kind, without=without, workspace_id=workspace_id
    ):
        yield from (state_id for _, state_id in batch)
        after = batch[-1][1]
