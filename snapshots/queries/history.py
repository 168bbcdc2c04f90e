"""Which versions of a State does a reader of its history ask for?"""

from uuid import UUID

from django.db.models import BooleanField, Case, Q, QuerySet, Value, When

from console.errors import NotFound
from snapshots import stored
from snapshots.models import Mark, Snapshot
from snapshots.queries import snapshots

_LET_GO = Case(
    When(Q(data=None) & ~Q(codec=stored.REFERENCE), then=Value(value=True)),
    default=Value(value=False),
    output_field=BooleanField(),
)


def events(
    workspace_id: UUID, state_id: UUID, *, cause: str = "", only_marked: bool = False
) -> QuerySet[Snapshot]:
    """Return a State's versions without content; `is_let_go` says that none is left."""
    rows = snapshots(workspace_id, state_id).annotate(is_let_go=_LET_GO)
    if cause:
        # Said so that the index over causes answers: only the first version has a nameless one.
        rows = rows.filter(Q(number=1) | ~Q(cause_id=""), cause=cause)
    if only_marked:
        marked = Mark.objects.filter(workspace=workspace_id, state=state_id, removed_at=None)
        rows = rows.filter(number__in=marked.values("number"))
    return rows


def event(workspace_id: UUID, state_id: UUID, number: int) -> Snapshot:
    """Return one version as `events` does. Raises: NotFound (404)."""
    row = events(workspace_id, state_id).filter(number=number).first()
    if row is None:
        raise NotFound("This State has no such snapshot.")
    return row


def is_let_go(row: Snapshot) -> bool:
    """Say of a row that `events` gave whether retention has let its content go."""
    return bool(getattr(row, "is_let_go", False))
