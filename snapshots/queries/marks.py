"""Which snapshots did people name, pin or put under a legal hold?"""

from collections.abc import Sequence
from uuid import UUID

from django.db.models import QuerySet

from console.errors import Invalid, NotFound
from snapshots.models import Mark
from snapshots.queries import Head

_LONGEST_NUMBER = 18


class NoSuchNumber(Invalid):
    """A snapshot is named by its number, or by a name that it was given."""

    status = 400
    code = "snapshot_number_invalid"


def marks(workspace_id: UUID, state_id: UUID) -> QuerySet[Mark]:
    """Return the marks that stand on a State and its snapshots."""
    return Mark.objects.filter(workspace=workspace_id, state=state_id, removed_at=None)


def on(workspace_id: UUID, state_id: UUID, numbers: Sequence[int]) -> dict[int, list[Mark]]:
    """Return what hangs on these snapshots, by number, oldest first."""
    found: dict[int, list[Mark]] = {}
    rows = marks(workspace_id, state_id).filter(number__in=numbers)
    for row in rows.order_by("number", "created_at", "id"):
        found.setdefault(int(row.number or 0), []).append(row)
    return found


def whole_hold(workspace_id: UUID, state_id: UUID) -> Mark | None:
    """Return the legal hold on the whole State, if there is one."""
    return marks(workspace_id, state_id).filter(number=None).first()


def names(workspace_id: UUID, state_id: UUID, *, at_most: int) -> list[Mark]:
    """Return the names that stand in a State, newest snapshot first."""
    return list(marks(workspace_id, state_id).filter(kind="name").order_by("-number")[:at_most])


def called(workspace_id: UUID, state_id: UUID, name: str) -> Mark | None:
    """Return where a name stands, if it does."""
    return marks(workspace_id, state_id).filter(kind="name", name=name).first()


def standing(
    workspace_id: UUID, state_id: UUID, kind: str, number: int | None, name: str
) -> Mark | None:
    """Return the mark that is just like this one, if it is there already."""
    return marks(workspace_id, state_id).filter(kind=kind, number=number, name=name).first()


def mark(workspace_id: UUID, state_id: UUID, mark_id: UUID, kinds: Sequence[str]) -> Mark:
    """Return a mark of one of these kinds, also one that was taken off. Raises: NotFound (404)."""
    rows = Mark.objects.filter(workspace=workspace_id, state=state_id, kind__in=kinds)
    found = rows.filter(id=mark_id).first()
    if found is None:
        raise NotFound
    return found


def number_of(head: Head, asked: str, otherwise: int) -> int:
    """Return which snapshot a number or a name means. Raises: NoSuchNumber (400)."""
    if not asked:
        return otherwise
    if asked.isascii() and asked.isdecimal() and len(asked) <= _LONGEST_NUMBER:
        return int(asked)
    found = None if "\0" in asked else called(head.workspace_id, head.state_id, asked)
    if found is None or found.number is None:
        raise NoSuchNumber(f"{asked[:20]!r} is neither a snapshot's number nor a name here.")
    return found.number
