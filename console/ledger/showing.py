"""What does the ledger's page show of an entry?"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.urls import reverse

from console.access.models import Workspace
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


def ledger(workspace: Workspace, *, subject: str = "", cursor: str = "") -> dict[str, object]:
    """Return what `ledger/_entries.html` shows. Raises: BadCursor (400)."""
    rows = queries.entries(workspace.id)
    if subject:
        # The database cannot even be asked for a text with NUL in it.
        rows = rows.none() if "\0" in subject else rows.filter(subject=subject)
    found = page(rows, by="seq", cursor=cursor, size=PAGE_SIZE)
    lines = [
        Line(
            seq=row.seq,
            at=row.at,
            who=row.actor["name"],
            kind=row.actor["kind"],
            behind=row.actor.get("behind", ""),
            verb=row.verb,
            subject=row.subject,
            address=_address(workspace, row.subject),
            told=_told(row.body),
            body=row.body,
            digest=row.digest,
            previous=row.previous,
        )
        for row in found.rows
    ]
    return {"lines": lines, "subject": subject, "cursor": cursor, "next_cursor": found.next_cursor}


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
