"""What is asked, answered and said around a proposal over HTTP, and what happened to it."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from ninja import Field, Query, Router, Schema, Status
from pydantic import ConfigDict

from approvals import queries
from approvals.operations import asking
from approvals.operations.commenting import TEXT_AT_MOST, comment
from approvals.showing import happening
from console.access.bearer import Bearer, ClientRequest
from console.access.people import People
from console.endpoints import PROBLEMS

router = Router()
READERS = [Bearer("proposals:read"), People("see", only=False)]
WRITERS = [Bearer("proposals:write"), People("see", only=False)]
Size = Annotated[int, Query(ge=1, le=100)]


class TextIn(Schema):
    """What is said."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=TEXT_AT_MOST)]


class QuestionIn(Schema):
    """What a reviewer wants to know of the proposer."""

    model_config = ConfigDict(extra="forbid")

    question: Annotated[str, Field(min_length=1, max_length=asking.QUESTION_AT_MOST)]


class CommentOut(Schema):
    """Something that was said; `kind` is person, agent or client."""

    id: UUID
    actor: str
    kind: str
    text: str
    revision: int
    at: datetime


class CommentPage(Schema):
    """Some comments, oldest first; `next_cursor` continues, empty at the end."""

    items: list[CommentOut]
    next_cursor: str


class CommentMade(Schema):
    """The comment is kept."""

    id: UUID


class QuestionOut(Schema):
    """A question that stops the clock until it is answered or withdrawn."""

    number: int
    person: str
    question: str
    revision: int
    asked_at: datetime
    answer: str
    answered_by: str
    answered_at: datetime | None
    withdrawn_at: datetime | None


class Questions(Schema):
    """What the proposer was asked, oldest first."""

    items: list[QuestionOut]


class EventOut(Schema):
    """One line of the ledger about a proposal."""

    seq: int
    at: datetime
    verb: str
    actor: str
    body: dict[str, Any]


class EventPage(Schema):
    """What happened, oldest first; `next_cursor` continues, empty at the end."""

    items: list[EventOut]
    next_cursor: str


class EvidenceOut(Schema):
    """A piece of evidence; `digest` is the SHA-256 of its content."""

    number: int
    label: str
    source: str
    content: str
    paths: list[str]
    digest: str
    created_at: datetime


class EvidenceList(Schema):
    """All evidence of a proposal, in order."""

    items: list[EvidenceOut]


@router.get("/{uuid:proposal_id}/events", auth=READERS, response={200: EventPage, **PROBLEMS})
def list_events(
    request: ClientRequest, proposal_id: UUID, cursor: str = "", limit: Size = 50
) -> EventPage:
    """List what happened to a proposal; before a signed decision, not what others decided."""
    found, following = happening.happenings(request.actor, proposal_id, cursor=cursor, size=limit)
    return EventPage(items=[EventOut(**asdict(row)) for row in found], next_cursor=following)


@router.get("/{uuid:proposal_id}/evidence", auth=READERS, response={200: EvidenceList, **PROBLEMS})
def list_evidence(request: ClientRequest, proposal_id: UUID) -> EvidenceList:
    """List what a proposal is supported by, answers to questions among it."""
    found = queries.detail(request.actor.workspace_id, proposal_id)
    return EvidenceList(items=[EvidenceOut.from_orm(row) for row in found.evidence])


@router.get("/{uuid:proposal_id}/comments", auth=READERS, response={200: CommentPage, **PROBLEMS})
def list_comments(
    request: ClientRequest, proposal_id: UUID, cursor: str = "", limit: Size = 50
) -> CommentPage:
    """List what was said about a proposal."""
    found, following = happening.comments(request.actor, proposal_id, cursor=cursor, size=limit)
    return CommentPage(items=[CommentOut(**asdict(row)) for row in found], next_cursor=following)


@router.post("/{uuid:proposal_id}/comments", auth=WRITERS, response={201: CommentMade, **PROBLEMS})
def make_comment(request: ClientRequest, proposal_id: UUID, payload: TextIn) -> Status[CommentMade]:
    """Say something about a proposal; it decides nothing. A token only about its own."""
    made = comment(
        actor=request.actor, proposal_id=proposal_id, text=payload.text, now=datetime.now(UTC)
    )
    return Status(201, CommentMade(id=made))


@router.get(
    "/{uuid:proposal_id}/info-requests", auth=READERS, response={200: Questions, **PROBLEMS}
)
def list_questions(request: ClientRequest, proposal_id: UUID) -> Questions:
    """List what the proposer was asked."""
    return _questions(request, proposal_id)


@router.post(
    "/{uuid:proposal_id}/info-requests",
    auth=People("decide"),
    response={201: Questions, **PROBLEMS},
)
def ask_question(
    request: ClientRequest, proposal_id: UUID, payload: QuestionIn
) -> Status[Questions]:
    """Ask the proposer; the clock stands still until the answer is there."""
    now = datetime.now(UTC)
    asking.ask(actor=request.actor, proposal_id=proposal_id, question=payload.question, now=now)
    return Status(201, _questions(request, proposal_id))


@router.post(
    "/{uuid:proposal_id}/info-requests/answer",
    auth=WRITERS,
    response={200: Questions, **PROBLEMS},
)
def answer_question(request: ClientRequest, proposal_id: UUID, payload: TextIn) -> Questions:
    """Answer the open question, as the token that proposed it or a person who may not decide."""
    now = datetime.now(UTC)
    asking.answer(actor=request.actor, proposal_id=proposal_id, text=payload.text, now=now)
    return _questions(request, proposal_id)


@router.post(
    "/{uuid:proposal_id}/info-requests/take-back",
    auth=People("decide"),
    response={200: Questions, **PROBLEMS},
)
def take_question_back(request: ClientRequest, proposal_id: UUID) -> Questions:
    """Let the clock go on without an answer."""
    asking.take_back(actor=request.actor, proposal_id=proposal_id, now=datetime.now(UTC))
    return _questions(request, proposal_id)


def _questions(request: ClientRequest, proposal_id: UUID) -> Questions:
    found = happening.info_requests(request.actor, proposal_id)
    return Questions(items=[QuestionOut(**asdict(row)) for row in found])
