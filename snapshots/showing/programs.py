"""What does a program get to see of States? The answers of the API, as plain values."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from console.canonical import Json
from console.errors import NotFound
from console.paging import page
from snapshots import pointer, queries
from snapshots.content import content_bytes
from snapshots.diff import Absent, Change
from snapshots.queries import blame as blaming
from snapshots.queries import history
from snapshots.queries import marks as hanging
from snapshots.showing.events import Event, told
from snapshots.showing.history import Asked, PathInvalid, changes_of_a_value

if TYPE_CHECKING:
    from snapshots.models import Mark, State

VALUE_AT_MOST: Final = 20_000
MARKS_AT_MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Compared:
    """The changes that turn one snapshot into another."""

    old: Any
    new: Any
    changes: list[Change]

    def to_json(self) -> dict[str, Any]:
        """Return what `Comparison` says."""
        return {
            "from_number": self.old.number,
            "to_number": self.new.number,
            "from_digest": self.old.digest,
            "to_digest": self.new.digest,
            "changes": [change.to_json() for change in self.changes],
        }


def states(workspace_id: UUID, prefix: str, cursor: str, limit: int) -> dict[str, Any]:
    """Return a page of States; the cursor is the last key."""
    prefix, after = prefix.replace("\x00", ""), cursor.replace("\x00", "")
    found = queries.by_key(workspace_id, prefix=prefix, after=after, at_most=limit + 1)
    rows = found[:limit]
    sizes = queries.sizes(workspace_id, rows)
    return {
        "items": [_state(row, sizes.get(row.id, 0)) for row in rows],
        "next_cursor": rows[-1].key if len(found) > limit else "",
    }


def state(workspace_id: UUID, state_id: UUID) -> dict[str, Any]:
    """Return one State. Raises: NotFound (404)."""
    row = queries.states(workspace_id).filter(id=state_id).first()
    if row is None:
        raise NotFound
    return _state(row, queries.sizes(workspace_id, [row]).get(row.id, 0))


def _state(row: "State", size: int) -> dict[str, Any]:
    names = ("id", "key", "kind", "mirrors", "list_keys", "number", "digest", "epoch")
    times = ("created_at", "changed_at")
    return {**{name: getattr(row, name) for name in (*names, *times)}, "document_bytes": size}


def snapshots(workspace_id: UUID, state_id: UUID, asked: Asked, limit: int) -> dict[str, Any]:
    """Return a page of a State's snapshots. Raises: NotFound (404), BadCursor (400)."""
    head = queries.head(workspace_id, state_id)
    rows = history.events(workspace_id, state_id, cause=asked.cause, only_marked=bool(asked.marked))
    found = page(rows, by="number", cursor=asked.cursor, size=limit)
    items = [_event(event) for event in told(found.rows, head)]
    return {"items": items, "next_cursor": found.next_cursor}


def snapshot(workspace_id: UUID, state_id: UUID, number: int) -> dict[str, Any]:
    """Return one snapshot. Raises: NotFound (404)."""
    head = queries.head(workspace_id, state_id)
    [event] = told([history.event(workspace_id, state_id, number)], head)
    return _event(event)


def _event(event: Event) -> dict[str, Any]:
    row = event.row
    return {
        "number": row.number,
        "digest": row.digest,
        "epoch": row.epoch,
        "cause": row.cause,
        "cause_id": row.cause_id,
        "actor": _actor(row.actor),
        "reason": row.reason,
        "document_bytes": row.document_bytes,
        "change_count": row.change_count,
        "is_let_go": event.is_let_go,
        "names": [mark.name for mark in event.names],
        "is_pinned": event.pin is not None,
        "created_at": row.created_at,
    }


def _actor(actor: dict[str, Any]) -> dict[str, str]:
    return {name: str(actor.get(name, "")) for name in ("kind", "id", "name")}


def content(state_id: UUID, number: int, path: str | None) -> bytes:
    """Return the content bytes of a snapshot, or of the value at a path.

    Raises: NotFound (404), PathInvalid (400), Gone (410), Corrupt (500).
    """
    if path is None:
        return queries.content_bytes(state_id, number)
    try:
        return content_bytes(queries.subtree(state_id, number, path))
    except pointer.BadPointer as error:
        raise PathInvalid(str(error), field="path") from error
    except pointer.NothingThere as error:
        raise NotFound("This snapshot has nothing at that path.") from error


def written(value: Json) -> bytes:
    """Return a value as bytes that keep `1.0` apart from `1`."""
    return content_bytes(value)


def compared(workspace_id: UUID, state_id: UUID, old: str, new: str) -> Compared:
    """Return what differs between two snapshots, each a number or a name; else the last change.

    Raises: NotFound (404), NoSuchNumber (400), Gone (410), Corrupt (500).
    """
    head = queries.head(workspace_id, state_id)
    new_number = hanging.number_of(head, new, head.number)
    old_number = hanging.number_of(head, old, max(1, new_number - 1))
    return Compared(
        old=queries.snapshot(workspace_id, state_id, old_number),
        new=queries.snapshot(workspace_id, state_id, new_number),
        changes=queries.compare(workspace_id, state_id, old_number, new_number),
    )


def blame(workspace_id: UUID, state_id: UUID, path: str, cursor: str, limit: int) -> dict[str, Any]:
    """Return when a value changed. Raises: NotFound (404), PathInvalid (400), Corrupt (500)."""
    head = queries.head(workspace_id, state_id)
    found = changes_of_a_value(head, path, cursor, limit)
    numbers = [touch.number for touch in found.touches]
    rows = list(history.events(workspace_id, state_id).filter(number__in=numbers))
    events = {event.row.number: _event(event) for event in told(rows, head)}
    return {
        "place": found.place,
        "items": [
            {
                "snapshot": events[touch.number],
                **_value(("was", "before"), touch.before),
                **_value(("became", "after"), touch.after),
            }
            for touch in found.touches
        ],
        "next_cursor": "" if found.next_below is None else str(found.next_below),
    }


def _value(names: tuple[str, str], value: blaming.Value) -> dict[str, Any]:
    says, holds = names
    if isinstance(value, blaming.LetGo):
        return {says: "let_go"}
    if isinstance(value, Absent):
        return {says: "nothing"}
    if len(content_bytes(value)) > VALUE_AT_MOST:
        return {says: "large"}
    return {says: "value", holds: value}


def marks_of(workspace_id: UUID, state_id: UUID) -> dict[str, Any]:
    """Return what hangs on a State. Raises: NotFound (404)."""
    queries.head(workspace_id, state_id)
    rows = hanging.marks(workspace_id, state_id).order_by("-number", "kind", "name")
    return {"items": [mark(row) for row in rows[:MARKS_AT_MOST]]}


def mark(row: "Mark") -> dict[str, Any]:
    """Return one mark."""
    names = ("id", "kind", "number", "name", "reason", "created_at", "removed_at")
    return {**{name: getattr(row, name) for name in names}, "by": _actor(row.actor)}
