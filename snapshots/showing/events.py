"""How is one version of a State told: what happened, who did it, what hangs on it?"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from snapshots.queries import Head, marks
from snapshots.queries.history import is_let_go
from snapshots.showing.values import size

if TYPE_CHECKING:
    from snapshots.models import Mark, Snapshot

CAUSES = {
    "import": "Imported",
    "proposal": "After an approved proposal",
    "outside": "Changed outside",
    "rollback": "Rolled back",
    "memory": "Remembered by an agent",
    "sweep": "Swept",
}
_ICONS = {
    "import": "database",
    "outside": "outside",
    "rollback": "rolled_back",
    "memory": "agent",
    "sweep": "history",
}
_LOOKS = {"outside": "event--drift", "rollback": "event--back"}


@dataclass(frozen=True, slots=True)
class Event:
    """One snapshot in the history; `origin` is what an imported one says of itself."""

    row: "Snapshot"
    what: str
    icon: str
    look: str
    size: str
    proposal_id: str
    by: str
    is_let_go: bool
    is_newest: bool
    origin: str
    marks: list["Mark"] = field(default_factory=list)

    @property
    def names(self) -> list["Mark"]:
        """Return the names that stand here."""
        return [mark for mark in self.marks if mark.kind == "name"]

    @property
    def pin(self) -> "Mark | None":
        """Return the pin, if it is pinned."""
        return next((mark for mark in self.marks if mark.kind == "pin"), None)

    @property
    def hold(self) -> "Mark | None":
        """Return the legal hold, if it is held."""
        return next((mark for mark in self.marks if mark.kind == "hold"), None)


def told(rows: Sequence["Snapshot"], head: Head) -> list[Event]:
    """Return versions, as `snapshots.queries.history` gives them, in words."""
    hanging = marks.on(head.workspace_id, head.state_id, [row.number for row in rows])
    return [_event(row, head, hanging.get(row.number, [])) for row in rows]


def _event(row: "Snapshot", head: Head, hanging: list["Mark"]) -> Event:
    is_newest = row.number == head.number
    return Event(
        row=row,
        what=CAUSES[row.cause],
        icon=_ICONS.get(row.cause, "snapshot"),
        look=_LOOKS.get(row.cause, "event--now" if is_newest else ""),
        size=size(row.document_bytes),
        proposal_id=row.cause_id if row.cause == "proposal" else "",
        by=str(row.actor.get("name", "")),
        is_let_go=is_let_go(row),
        is_newest=is_newest,
        origin=_origin(row),
        marks=hanging,
    )


def _origin(row: "Snapshot") -> str:
    """Say what the file from which a version was imported said of it; nobody here knows it."""
    said = row.actor.get("said")
    if not said:
        return ""
    who = str(said.get("actor", {}).get("name", "")) or "somebody"
    what = CAUSES.get(str(said.get("cause")), "Written").lower()
    reason = f": “{said['reason']}”" if said.get("reason") else ""
    return f"{what}, by {who}, {str(said.get('at', ''))[:10]}{reason}"
