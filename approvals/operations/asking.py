"""Ask the proposer something: the clock stands still until the answer is there."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from approvals.models import Evidence, InfoRequest, Proposal, Revision
from approvals.operations.barring import (
    objection_to,
    refuse_unless_eligible,
    refuse_unless_open,
    refuse_unless_pending,
)
from approvals.operations.deciding import NotPending
from approvals.operations.finding import find_alone, find_with_state
from approvals.operations.hearing import hear, mark
from approvals.operations.settling import announce, wake
from approvals.operations.telling import people_behind, tell
from approvals.policy import rank, says_something
from approvals.queries.talking import is_proposer, open_question
from console.access.rights import allows
from console.actors import Actor
from console.canonical import Json, sha256
from console.errors import Forbidden, Invalid
from console.ledger.operations.appending import append

QUESTION_AT_MOST = 1_000
ANSWER_AT_MOST = 4_000


class QuestionInvalid(Invalid):
    """A question says something, in at most 1,000 characters, none of them NUL."""

    code = "question_invalid"


class AnswerInvalid(Invalid):
    """An answer says something, in at most 4,000 characters, none of them NUL."""

    code = "answer_invalid"


def ask(*, actor: Actor, proposal_id: UUID, question: str, now: datetime) -> int:
    """Stop the clock with a question to the proposer and return the question's number.

    Locks: the proposal.
    Raises: AlreadySettled, NotPending (409), NotEligible (403), QuestionInvalid (422),
    NotFound (404).
    """
    said = question.strip()
    if not says_something(said) or len(said) > QUESTION_AT_MOST or "\x00" in said:
        raise QuestionInvalid(field="question")
    with transaction.atomic():
        proposal, current = find_alone(actor, proposal_id)
        refuse_unless_pending(proposal, now)
        refuse_unless_eligible(actor, proposal, current, now)
        number = proposal.info_requests.count() + 1
        InfoRequest.objects.create(
            workspace_id=proposal.workspace_id,
            proposal=proposal,
            number=number,
            revision=proposal.revision,
            person_id=UUID(actor.id),
            question=said,
            asked_at=now,
        )
        proposal.status, proposal.paused_at = "info_requested", now
        proposal.save(update_fields=["status", "paused_at"])
        tell(proposal, "question.asked", people_behind(proposal), now=now)
        body: dict[str, Json] = {"number": number, "question": said}
        append(actor, "proposal.asked", f"proposal:{proposal.id}", body)
        wake(proposal)
        announce(proposal.id, proposal.workspace_id)
    return number


def answer(*, actor: Actor, proposal_id: UUID, text: str, now: datetime) -> None:
    """Answer the open question: the answer becomes evidence, and the clock goes on.

    By the proposer, or by a person who may not decide on it: nobody supplies what their own
    decision rests on. What was approved stays; an answer that changes the action is a rewording,
    and one that claims an approval which does not exist makes a revision under higher terms.
    Locks: the proposal; for such a claim the State before it.
    Raises: AlreadySettled, NotPending (409), Forbidden (403), AnswerInvalid (422), NotFound (404);
    with such a claim EffectImpossible (422), DeniedByPolicy (403), Busy (409).
    """
    said = text.strip()
    if not says_something(said) or len(said) > ANSWER_AT_MOST or "\x00" in said:
        raise AnswerInvalid(field="text")
    # A proposal stays with its State, so this may be asked before anything is locked.
    states = Proposal.objects.filter(workspace=actor.workspace_id, id=proposal_id)
    heard = hear(actor, [("answer", said)], states.values_list("state_id", flat=True).first())
    with transaction.atomic():
        head = find_with_state(actor, proposal_id)[0] if heard else None
        proposal, current = find_alone(actor, proposal_id)
        asked = _asked(proposal)
        _refuse_unless_may_answer(actor, proposal, current, now)
        exhibit = _keep(proposal, asked, actor, said, now)
        conclude(proposal, asked, actor, said, now)
        if head is not None:
            mark(head, proposal, current, heard, actor=actor, now=now)
        tell(proposal, "question.answered", [asked.person_id], now=now)
        body: dict[str, Json] = {
            "number": asked.number,
            "evidence": exhibit.number,
            "digest": exhibit.digest,
        }
        append(actor, "proposal.answered", f"proposal:{proposal.id}", body)
        announce(proposal.id, proposal.workspace_id)


def take_back(*, actor: Actor, proposal_id: UUID, now: datetime) -> None:
    """Let the clock go on without an answer; by whoever asked, or an admin.

    Locks: the proposal.
    Raises: AlreadySettled, NotPending (409), Forbidden (403), NotFound (404).
    """
    with transaction.atomic():
        proposal, _ = find_alone(actor, proposal_id)
        asked = _asked(proposal)
        if str(asked.person_id) != actor.id and not allows(actor.roles, "administer"):
            raise Forbidden("Only whoever asked, or an admin, may take a question back.")
        drop(proposal, asked, now)
        body: dict[str, Json] = {"number": asked.number}
        append(actor, "proposal.question_taken_back", f"proposal:{proposal.id}", body)
        announce(proposal.id, proposal.workspace_id)


def conclude(
    proposal: Proposal, asked: InfoRequest, actor: Actor, answer: str, now: datetime
) -> None:
    """Close a question with its answer and let the clock go on; the caller holds the proposal."""
    asked.answer, asked.answered_by, asked.answered_at = answer, actor.to_json(), now
    asked.save(update_fields=["answer", "answered_by", "answered_at"])
    _go_on(proposal, now)


def drop(proposal: Proposal, asked: InfoRequest, now: datetime) -> None:
    """Close a question without an answer and let the clock go on; the caller holds the proposal."""
    asked.withdrawn_at = now
    asked.save(update_fields=["withdrawn_at"])
    _go_on(proposal, now)


def _go_on(proposal: Proposal, now: datetime) -> None:
    """Let it wait for a decision again, and its deadline be later by as long as it stood still."""
    if proposal.paused_at is not None:
        proposal.due_at += now - proposal.paused_at
    proposal.status, proposal.paused_at = "pending", None
    proposal.rank = rank(proposal.risk, int(proposal.due_at.timestamp()))
    proposal.save(update_fields=["status", "paused_at", "due_at", "rank"])


def _asked(proposal: Proposal) -> InfoRequest:
    refuse_unless_open(proposal)
    asked = open_question(proposal.id)
    if asked is None:
        raise NotPending("No question waits for an answer here.", proposal_status=proposal.status)
    return asked


def _refuse_unless_may_answer(
    actor: Actor, proposal: Proposal, current: Revision, now: datetime
) -> None:
    if is_proposer(actor, proposal):
        return
    if actor.kind != "person":
        raise Forbidden("Only the program or the run that proposed this may answer for it.")
    if objection_to(actor, proposal, current, now) is None:
        sentence = "Whoever may decide on this does not also answer for it; say it in a comment."
        raise Forbidden(sentence)


def _keep(
    proposal: Proposal, asked: InfoRequest, actor: Actor, text: str, now: datetime
) -> Evidence:
    return Evidence.objects.create(
        workspace_id=proposal.workspace_id,
        proposal=proposal,
        number=proposal.evidence.count() + 1,
        label=f"Answer to question {asked.number}",
        source=f"{actor.kind} {actor.name}"[:200],
        content=text,
        digest=sha256(text.encode()),
        created_at=now,
    )
