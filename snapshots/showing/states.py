"""What do the list of States, the history of one, and one snapshot show?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from console.access.models import Workspace
from console.errors import Invalid, NotFound
from console.paging import page
from snapshots import pointer, queries
from snapshots.content import content_bytes
from snapshots.queries import Head
from snapshots.showing.addresses import listed_at
from snapshots.showing.differences import summary, table
from snapshots.showing.tree import Node, tree
from snapshots.showing.values import size

if TYPE_CHECKING:
    from snapshots.models import Snapshot, State

PAGE_SIZE = 50
CHANGES_AT_ONCE = 500
_CAUSES = {
    "import": "Imported",
    "proposal": "After an approved proposal",
    "outside": "Changed outside",
    "rollback": "Rolled back",
    "memory": "Remembered by an agent",
}
_ICONS = {"import": "database", "outside": "outside", "rollback": "rolled_back", "memory": "agent"}
_LOOKS = {"outside": "event--drift", "rollback": "event--back"}


class NoSuchNumber(Invalid):
    """A snapshot is named by its number."""

    status = 400
    code = "snapshot_number_invalid"


@dataclass(frozen=True, slots=True)
class StateRow:
    """One row of the list: a key in its segments, and the newest snapshot."""

    state: "State"
    above: str
    name: str
    size: str


@dataclass(frozen=True, slots=True)
class Event:
    """One snapshot in the history."""

    row: "Snapshot"
    what: str
    icon: str
    look: str
    size: str
    proposal_id: str
    by: str


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


def history(workspace: Workspace, state_id: UUID, *, cursor: str = "") -> dict[str, Any]:
    """Return what `snapshots/_state.html` shows. Raises: NotFound (404), BadCursor (400)."""
    head = queries.head(workspace.id, state_id)
    rows = queries.snapshots(workspace.id, state_id)
    found = page(rows, by="number", cursor=cursor, size=PAGE_SIZE)
    at = listed_at("snapshots:state_detail", workspace.slug, state_id)
    return {
        "head": head,
        "events": [_event(row, head) for row in found.rows],
        "next_url": at(cursor=found.next_cursor) if found.next_cursor else "",
        "first_url": at() if cursor else "",
    }


def _event(row: "Snapshot", head: Head) -> Event:
    is_newest = row.number == head.number
    return Event(
        row=row,
        what=_CAUSES[row.cause],
        icon=_ICONS.get(row.cause, "snapshot"),
        look=_LOOKS.get(row.cause, "event--now" if is_newest else ""),
        size=size(row.document_bytes),
        proposal_id=row.cause_id if row.cause == "proposal" else "",
        by=str(row.actor.get("name", "")),
    )


def compared(
    workspace: Workspace, state_id: UUID, *, old: str, new: str, start: int
) -> dict[str, Any]:
    """Return what `snapshots/state_compare.html` shows; without numbers, the last change.

    Raises: NotFound (404), NoSuchNumber (400).
    """
    head = queries.head(workspace.id, state_id)
    new_number = _number(new, head.number)
    old_number = _number(old, max(1, new_number - 1))
    pair = [queries.snapshot(workspace.id, state_id, n) for n in (old_number, new_number)]
    changes = queries.compare(workspace.id, state_id, old_number, new_number)
    end = start + CHANGES_AT_ONCE
    at = listed_at("snapshots:state_compare", workspace.slug, state_id)
    return {
        "head": head,
        "old": _event(pair[0], head),
        "new": _event(pair[1], head),
        "count": len(changes),
        "summary": summary(changes) if len(changes) > CHANGES_AT_ONCE else [],
        "rows": table(changes[start:end]),
        "start": start,
        "swap_url": at(a=new_number, b=old_number),
        "first_url": at(a=old_number, b=new_number) if start else "",
        "next_url": at(a=old_number, b=new_number, start=end) if len(changes) > end else "",
    }


def _number(asked: str, otherwise: int) -> int:
    if not asked:
        return otherwise
    if not (asked.isascii() and asked.isdecimal() and len(asked) < 19):  # noqa: PLR2004
        raise NoSuchNumber(f"{asked[:20]!r} is not the number of a snapshot.")
    return int(asked)


def content(
    workspace: Workspace, state_id: UUID, number: int, *, at: str = "", start: int = 0
) -> dict[str, Any]:
    """Return what the page of one snapshot shows. Raises: NotFound (404), Corrupt (500)."""
    head = queries.head(workspace.id, state_id)
    row = queries.snapshot(workspace.id, state_id, number)
    here = listed_at("snapshots:snapshot_detail", workspace.slug, state_id, number)
    return {
        "head": head,
        "event": _event(row, head),
        "node": _opened(queries.content(state_id, number), at, start),
        "at": at,
        "start": start,
        "here_url": here(),
        "crumbs": _crumbs(at, here),
    }


def _opened(document: Any, at: str, start: int) -> Node:
    try:
        return tree(document, at, start)
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
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in head.key)
    return f"{safe}-{row.number}.json", content_bytes(queries.content(state_id, number))
