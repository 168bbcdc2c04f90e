"""What do the list of States, the history of one, and one snapshot show?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from console.access.models import Workspace
from console.actors import Actor
from console.errors import NotFound
from snapshots import pointer, queries
from snapshots.content import content_bytes
from snapshots.queries import history, marks
from snapshots.showing.addresses import file_name, listed_at
from snapshots.showing.differences import summary, table
from snapshots.showing.events import told
from snapshots.showing.history import NAMES_AT_MOST, rights
from snapshots.showing.tree import Node, opened
from snapshots.showing.values import size

if TYPE_CHECKING:
    from snapshots.models import State

PAGE_SIZE = 50
CHANGES_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class StateRow:
    """One row of the list: a key in its segments, and the newest snapshot."""

    state: "State"
    above: str
    name: str
    size: str


def state_list(workspace: Workspace, *, prefix: str = "", after: str = "") -> dict[str, Any]:
    """Return what `snapshots/_states.html` shows: keys in order, so that a tree reads as one."""
    prefix, after = prefix.replace("\x00", ""), after.replace("\x00", "")
    found = queries.by_key(workspace.id, prefix=prefix, after=after, at_most=PAGE_SIZE + 1)
    rows, more = found[:PAGE_SIZE], len(found) > PAGE_SIZE
    at = listed_at("snapshots:state_list", workspace.slug, q=prefix)
    return {
        "rows": _state_rows(workspace.id, rows),
        "prefix": prefix,
        "next_url": at(after=rows[-1].key) if more else "",
        "first_url": at() if after else "",
        "all_url": at(q=""),
    }


def _state_rows(workspace_id: UUID, rows: Sequence["State"]) -> list[StateRow]:
    sizes = queries.sizes(workspace_id, rows)
    split = [(state, *state.key.rpartition("/")) for state in rows]
    return [
        StateRow(state, f"{above}{slash}", name, size(sizes.get(state.id, 0)))
        for state, above, slash, name in split
    ]


def compared(
    workspace: Workspace, state_id: UUID, *, old: str, new: str, start: int
) -> dict[str, Any]:
    """Return what `snapshots/state_compare.html` shows; without numbers, the last change.

    A side is a number or a name. Raises: NotFound (404), NoSuchNumber (400), Gone (410).
    """
    head = queries.head(workspace.id, state_id)
    new_number = marks.number_of(head, new, head.number)
    old_number = marks.number_of(head, old, max(1, new_number - 1))
    rows = [history.event(workspace.id, state_id, n) for n in (old_number, new_number)]
    before, after = told(rows, head)
    changes = queries.compare(workspace.id, state_id, old_number, new_number)
    end = start + CHANGES_AT_ONCE
    at = listed_at("snapshots:state_compare", workspace.slug, state_id)
    return {
        "head": head,
        "old": before,
        "new": after,
        "names": marks.names(workspace.id, state_id, at_most=NAMES_AT_MOST),
        "count": len(changes),
        "summary": summary(changes) if len(changes) > CHANGES_AT_ONCE else [],
        "rows": table(changes[start:end]),
        "start": start,
        "swap_url": at(a=new_number, b=old_number),
        "first_url": at(a=old_number, b=new_number) if start else "",
        "next_url": at(a=old_number, b=new_number, start=end) if len(changes) > end else "",
    }


def content(
    workspace: Workspace, actor: Actor, state_id: UUID, number: int, *, at: str = "", start: int = 0
) -> dict[str, Any]:
    """Return what the page of one snapshot shows; without content where that was let go.

    Raises: NotFound (404), Corrupt (500).
    """
    head = queries.head(workspace.id, state_id)
    [event] = told([history.event(workspace.id, state_id, number)], head)
    here = listed_at("snapshots:snapshot_detail", workspace.slug, state_id, number)
    held = None if event.is_let_go else _opened(state_id, number, at, start)
    return {
        "head": head,
        "event": event,
        "node": held,
        "at": at,
        "start": start,
        "here_url": here(),
        "history_url": listed_at("snapshots:state_detail", workspace.slug, state_id)(),
        "crumbs": _crumbs(at, here),
        **rights(actor),
    }


def marked(workspace: Workspace, actor: Actor, state_id: UUID, number: int) -> dict[str, Any]:
    """Return what `snapshots/_marks.html` shows of one snapshot. Raises: NotFound (404)."""
    head = queries.head(workspace.id, state_id)
    [event] = told([history.event(workspace.id, state_id, number)], head)
    return {"head": head, "event": event, **rights(actor)}


def _opened(state_id: UUID, number: int, at: str, start: int) -> Node:
    try:
        return opened(queries.subtree(state_id, number, at), at, start)
    except (pointer.BadPointer, pointer.NothingThere) as error:
        raise NotFound("This snapshot has nothing at that path.") from error


def _crumbs(at: str, here: Any) -> list[tuple[str, str]]:
    parts = pointer.parse(at)
    places = [(part, pointer.build(parts[: end + 1])) for end, part in enumerate(parts)]
    return [(part, here(at=path)) for part, path in places]


def exported(workspace: Workspace, state_id: UUID, number: int) -> tuple[str, bytes]:
    """Return a name for a snapshot's file, and the bytes whose SHA-256 is its digest.

    Raises: NotFound (404), Corrupt (500).
    """
    head = queries.head(workspace.id, state_id)
    row = queries.snapshot(workspace.id, state_id, number)
    return f"{file_name(head.key)}-{row.number}.json", content_bytes(
        queries.content(state_id, number)
    )
