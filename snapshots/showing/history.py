"""What does the history of a State show: versions, or when one value in it changed?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from console.access.models import Workspace
from console.access.rights import allows
from console.actors import Actor
from console.errors import Invalid
from console.paging import page
from snapshots import pointer, queries
from snapshots.diff import diff
from snapshots.queries import Head, blame, marks
from snapshots.queries import history as found
from snapshots.queries.walking import kind_of
from snapshots.showing.addresses import listed_at
from snapshots.showing.differences import one, table
from snapshots.showing.events import CAUSES, Event, told

PAGE_SIZE, CHANGES_OF_A_VALUE = 50, 25
NAMES_AT_MOST = 20
# A container that changed is shown by what changed in it, up to so many values.
INSIDE_AT_MOST = 5
_LONGEST_NUMBER = 18


class PathInvalid(Invalid):
    """A path is written as a JSON Pointer, such as /accounts/7/balance."""

    status = 400
    code = "path_invalid"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reader wants to see of a history; the same words stand in the page's address."""

    cursor: str = ""
    cause: str = ""
    marked: str = ""
    path: str = ""

    @classmethod
    def of(cls, words: Mapping[str, str]) -> "Asked":
        """Read the words of an address; what nobody knows is left out."""
        cause = words.get("cause", "")
        return cls(
            cursor=words.get("cursor", ""),
            cause=cause if cause in CAUSES else "",
            marked="1" if words.get("marked") else "",
            path=words.get("path", ""),
        )

    def words(self) -> dict[str, str]:
        """Return the words of the address that asks this, without the page."""
        return {"cause": self.cause, "marked": self.marked, "path": self.path}


@dataclass(frozen=True, slots=True)
class Turn:
    """One change of a value: the version that made it, and rows of before and after."""

    event: Event
    rows: list[dict[str, Any]]
    inside: int
    is_unknown: bool

    @property
    def table_id(self) -> str:
        """Return a name for its table that no other on the page has."""
        return f"diff-{self.event.row.number}"


def history(workspace: Workspace, actor: Actor, state_id: UUID, asked: Asked) -> dict[str, Any]:
    """Return what `snapshots/_state.html` shows.

    Raises: NotFound (404), BadCursor (400), PathInvalid (400).
    """
    head = queries.head(workspace.id, state_id)
    listed = _turns(head, asked) if asked.path else _events(head, asked)
    at = listed_at("snapshots:state_detail", workspace.slug, state_id, **asked.words())
    return {
        "head": head,
        "asked": asked,
        "causes": CAUSES.items(),
        "names": marks.names(workspace.id, state_id, at_most=NAMES_AT_MOST),
        "whole_hold": marks.whole_hold(workspace.id, state_id),
        "is_memory": kind_of(workspace.id, state_id) == "memory",
        **rights(actor),
        **listed,
        "next_url": at(cursor=listed["next_cursor"]) if listed["next_cursor"] else "",
        "first_url": at() if asked.cursor else "",
        "is_filtered": bool(asked.cause or asked.marked),
    }


def rights(actor: Actor) -> dict[str, bool]:
    """Return what the reader may do with a State."""
    return {f"can_{right}": allows(actor.roles, right) for right in ("mark", "hold", "restore")}


def _events(head: Head, asked: Asked) -> dict[str, Any]:
    rows = found.events(
        head.workspace_id, head.state_id, cause=asked.cause, only_marked=bool(asked.marked)
    )
    turned = page(rows, by="number", cursor=asked.cursor, size=PAGE_SIZE)
    return {"events": told(turned.rows, head), "next_cursor": turned.next_cursor}


def _turns(head: Head, asked: Asked) -> dict[str, Any]:
    blamed = changes_of_a_value(head, asked.path, asked.cursor)
    numbers = [touch.number for touch in blamed.touches]
    rows = found.events(head.workspace_id, head.state_id).filter(number__in=numbers)
    events = {event.row.number: event for event in told(list(rows), head)}
    return {
        "place": blamed.place,
        "turns": [_turn(events[touch.number], touch, head) for touch in blamed.touches],
        "next_cursor": "" if blamed.next_below is None else str(blamed.next_below),
    }


def changes_of_a_value(
    head: Head, path: str, cursor: str, at_most: int = CHANGES_OF_A_VALUE
) -> blame.Found:
    """Return when the value at a path changed; the cursor is a snapshot's number.

    Raises: PathInvalid (400).
    """
    usable = cursor.isascii() and cursor.isdecimal() and len(cursor) <= _LONGEST_NUMBER
    try:
        place = blame.place_in(head, path.replace("\x00", ""))
    except pointer.BadPointer as error:
        raise PathInvalid(str(error), field="path") from error
    return blame.blame(head, place, below=int(cursor) if usable else None, at_most=at_most)


def _turn(event: Event, touch: blame.Touch, head: Head) -> Turn:
    before, after = touch.before, touch.after
    if isinstance(before, blame.LetGo) or isinstance(after, blame.LetGo):
        return Turn(event, [], 0, is_unknown=True)
    if isinstance(before, dict | list) and type(before) is type(after):
        changes = diff(before, after, keys=head.list_keys)
        return Turn(event, table(changes[:INSIDE_AT_MOST]), len(changes), is_unknown=False)
    return Turn(event, [one(before, after)], 1, is_unknown=False)
