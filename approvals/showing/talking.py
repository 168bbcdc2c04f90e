"""What was asked, answered and said about a proposal, and what may this person say?"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from approvals import lifecycle
from approvals.formats import Segment
from approvals.queries import reviewers
from approvals.queries import talking as queries
from approvals.showing.reading import Reader
from approvals.showing.texts import told
from console.access.rights import allows

_COMMENTS_AT_MOST = 200


@dataclass(frozen=True, slots=True)
class Comment:
    """Something somebody said."""

    id: UUID
    who: str
    text: tuple[Segment, ...]
    at: datetime
    revision: int


@dataclass(frozen=True, slots=True)
class Question:
    """Something the proposer was asked; `status` is open, answered or taken back."""

    number: int
    who: str
    text: tuple[Segment, ...]
    at: datetime
    status: str
    answer: tuple[Segment, ...]
    answered_by: str
    answered_at: datetime | None


def talk(reader: Reader) -> dict[str, Any]:
    """Return what `approvals/_talk.html` shows; whoever is blind reads nobody who may decide."""
    return {"comments": _comments(reader), "questions": _questions(reader)}


def saying(reader: Reader) -> dict[str, Any]:
    """Return what `approvals/_say.html` offers this person."""
    row = reader.found.proposal
    asked = queries.open_question(row.id)
    mine = asked is not None and str(asked.person_id) == reader.actor.id
    return {
        "can_ask": lifecycle.is_decidable(row.status) and reader.barred is None,
        "can_answer": asked is not None and reader.barred is not None,
        "can_take_back": asked is not None and (mine or allows(reader.actor.roles, "administer")),
    }


def _comments(reader: Reader) -> list[Comment]:
    row = reader.found.proposal
    kept = queries.comments(row.workspace_id, row.id).order_by("-at", "-id")
    rows = list(kept[:_COMMENTS_AT_MOST])[::-1]
    silent = _silent(reader, {row.actor["id"] for row in rows}) if reader.is_blind else set()
    return [
        Comment(row.id, row.actor["name"], told(row.text), row.at, row.revision)
        for row in rows
        if row.actor["id"] not in silent
    ]


def _silent(reader: Reader, speakers: set[str]) -> set[str]:
    """Return who may decide, other than the reader: what they say would be half a decision."""
    people = [UUID(each) for each in speakers - {reader.actor.id} if _is_uuid(each)]
    known = reviewers(reader.actor.workspace_id, [(each, None) for each in people])
    return {str(each) for each, held in known.items() if allows(held.roles, "decide")}


def _is_uuid(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return False


def _questions(reader: Reader) -> list[Question]:
    row = reader.found.proposal
    return [
        Question(
            number=asked.number,
            who=_asker(reader, asked),
            text=told(asked.question),
            at=asked.asked_at,
            status=_status(asked),
            answer=told(asked.answer),
            answered_by=asked.answered_by["name"] if asked.answered_by else "",
            answered_at=asked.answered_at,
        )
        for asked in queries.info_requests(row.workspace_id, row.id)
    ]


def _asker(reader: Reader, asked: Any) -> str:
    is_mine = str(asked.person_id) == reader.actor.id
    return "A reviewer" if reader.is_blind and not is_mine else str(asked.person.name)


def _status(asked: Any) -> str:
    if asked.answered_at:
        return "answered"
    return "taken back" if asked.withdrawn_at else "open"
