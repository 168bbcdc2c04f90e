"""What happened to a proposal, and what was said about it, for somebody who asks over the API?

Before a signed decision nobody learns what the others decided or said: neither a reviewer who has
not signed yet, nor a program, which might tell one.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from approvals import queries
from approvals.queries import talking
from approvals.showing.reading import is_blind
from console.actors import Actor
from console.canonical import Json
from console.ledger import queries as ledger
from console.paging import page

A_REVIEWER = "A reviewer"
# While it waits, that somebody decided is all it takes to know that they approved.
_TELLING = frozenset({"proposal.decided", "execution.recalled"})


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the ledger about a proposal; `body` is empty where it would say too much."""

    seq: int
    at: datetime
    verb: str
    actor: str
    body: dict[str, Json]


@dataclass(frozen=True, slots=True)
class Said:
    """A comment, and on which revision it was made."""

    id: UUID
    actor: str
    kind: str
    text: str
    revision: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """A question to the proposer, and its answer once there is one."""

    number: int
    person: str
    question: str
    revision: int
    asked_at: datetime
    answer: str
    answered_by: str
    answered_at: datetime | None
    withdrawn_at: datetime | None


def happenings(
    actor: Actor, proposal_id: UUID, *, cursor: str, size: int
) -> tuple[list[Happening], str]:
    """Return what happened, oldest first, and the cursor that continues.

    Raises: NotFound (404), BadCursor (400).
    """
    hidden = _is_blind(actor, proposal_id)
    rows = ledger.entries(actor.workspace_id).filter(subject=f"proposal:{proposal_id}")
    found = page(rows, by="seq", cursor=cursor, size=size, newest_first=False)
    shown = [
        Happening(row.seq, row.at, row.verb, A_REVIEWER, {})
        if hidden and _is_anothers(row.actor, actor)
        else Happening(row.seq, row.at, row.verb, row.actor["name"], row.body)
        for row in found.rows
        if not (hidden and row.verb in _TELLING and _is_anothers(row.actor, actor))
    ]
    return shown, found.next_cursor


def comments(actor: Actor, proposal_id: UUID, *, cursor: str, size: int) -> tuple[list[Said], str]:
    """Return what was said, oldest first, and the cursor that continues.

    Raises: NotFound (404), BadCursor (400).
    """
    hidden = _is_blind(actor, proposal_id)
    rows = talking.comments(actor.workspace_id, proposal_id)
    found = page(rows, by="at", cursor=cursor, size=size, newest_first=False)
    shown = [_said(row) for row in found.rows if not (hidden and _is_anothers(row.actor, actor))]
    return shown, found.next_cursor


def info_requests(actor: Actor, proposal_id: UUID) -> list[Asked]:
    """Return what the proposer was asked, oldest first. Raises: NotFound (404)."""
    hidden = _is_blind(actor, proposal_id)
    return [
        _asked(row, is_hidden=hidden and str(row.person_id) != actor.id)
        for row in talking.info_requests(actor.workspace_id, proposal_id)
    ]


def _is_blind(actor: Actor, proposal_id: UUID) -> bool:
    return is_blind(actor, queries.detail(actor.workspace_id, proposal_id))


def _is_anothers(said_by: dict[str, Any], actor: Actor) -> bool:
    return said_by["kind"] == "person" and bool(said_by["id"] != actor.id)


def _said(row: Any) -> Said:
    return Said(row.id, row.actor["name"], row.actor["kind"], row.text, row.revision, row.at)


def _asked(row: Any, *, is_hidden: bool) -> Asked:
    return Asked(
        number=row.number,
        person=A_REVIEWER if is_hidden else row.person.name,
        question=row.question,
        revision=row.revision,
        asked_at=row.asked_at,
        answer=row.answer,
        answered_by=row.answered_by["name"] if row.answered_by else "",
        answered_at=row.answered_at,
        withdrawn_at=row.withdrawn_at,
    )
