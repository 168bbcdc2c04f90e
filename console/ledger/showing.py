"""What does the ledger's page show of an entry?"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.urls import reverse

from console.access.models import Workspace
from console.actors import Actor
from console.canonical import Json
from console.ledger import queries
from console.paging import page

PAGE_SIZE = 50
# Kinds of subjects that have a page of their own; rooms meet by address only.
_PAGES: Mapping[str, str] = {
    "proposal": "approvals:proposal_detail",
    "run": "agents:run_detail",
    "state": "snapshots:state_detail",
}
# What of an entry's body has a place in its row, in this order; the rest is one click away.
_TOLD = ("title", "name", "key", "choice", "revision", "snapshot", "number", "role", "reason")
_TOLD_AT_MOST = 200
KEPT_BACK = "kept back until you have decided"
# Of which of these subjects a reader may not know yet what others did; rooms say so.
Veil = Callable[[Actor, Iterable[str]], frozenset[str]]
_veils: list[Veil] = []


@dataclass(frozen=True, slots=True)
class Line:
    """One entry as it is read: `told` are the words of its body, `address` the subject's page."""

    seq: int
    at: datetime
    who: str
    kind: str
    behind: str
    verb: str
    subject: str
    address: str
    told: list[tuple[str, str]]
    body: dict[str, Json]
    digest: str
    previous: str


def veil(look: Veil) -> None:
    """Let a room keep back for a while what others did to its subjects; it does so when loaded."""
    if look not in _veils:
        _veils.append(look)


def ledger(
    workspace: Workspace, actor: Actor, *, subject: str = "", cursor: str = ""
) -> dict[str, object]:
    """Return what `ledger/_entries.html` shows this reader. Raises: BadCursor (400)."""
    rows = queries.entries(workspace.id)
    if subject:
        # The database cannot even be asked for a text with NUL in it.
        rows = rows.none() if "\0" in subject else rows.filter(subject=subject)
    found = page(rows, by="seq", cursor=cursor, size=PAGE_SIZE)
    veiled = _veiled(actor, {row.subject for row in found.rows if _is_anothers(row, actor)})
    lines = [
        _line(workspace, row, is_kept_back=row.subject in veiled and _is_anothers(row, actor))
        for row in found.rows
    ]
    return {"lines": lines, "subject": subject, "cursor": cursor, "next_cursor": found.next_cursor}


def _line(workspace: Workspace, row: Any, *, is_kept_back: bool) -> Line:
    body: dict[str, Json] = {} if is_kept_back else row.body
    return Line(
        seq=row.seq,
        at=row.at,
        who="A reviewer" if is_kept_back else row.actor["name"],
        kind=row.actor["kind"],
        behind="" if is_kept_back else row.actor.get("behind", ""),
        verb=KEPT_BACK if is_kept_back else row.verb,
        subject=row.subject,
        address=_address(workspace, row.subject),
        told=_told(body),
        body=body,
        digest=row.digest,
        previous=row.previous,
    )


def _veiled(actor: Actor, subjects: Iterable[str]) -> frozenset[str]:
    return frozenset(subject for look in _veils for subject in look(actor, subjects))


def _is_anothers(row: Any, actor: Actor) -> bool:
    return row.actor["kind"] == "person" and bool(row.actor["id"] != actor.id)


def _address(workspace: Workspace, subject: str) -> str:
    kind, _, name = subject.partition(":")
    if kind not in _PAGES or not _is_id(name):
        return ""
    return reverse(_PAGES[kind], args=[workspace.slug, name])


def _is_id(name: str) -> bool:
    try:
        UUID(name)
    except ValueError:
        return False
    return True


def _told(body: dict[str, Json]) -> list[tuple[str, str]]:
    found = [(name, body[name]) for name in _TOLD if body.get(name)]
    return [(name, str(value)[:_TOLD_AT_MOST]) for name, value in found]
