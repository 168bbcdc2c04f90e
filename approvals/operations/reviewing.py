"""Take the look that is owed after something was carried out before people agreed to it."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from django.db import transaction

from approvals.models import Execution, Review, Revision
from approvals.operations.settling import announce
from approvals.policy import says_something
from console.access.rights import allows
from console.actors import Actor
from console.canonical import Json
from console.errors import Conflict, Forbidden, Invalid, NotFound
from console.ledger.operations.appending import append

TEXT_AT_MOST = 1_000
Verdict = Literal["right", "wrong"]


class ReviewInvalid(Invalid):
    """Say whether it was right or wrong, and what you looked at."""

    code = "review_invalid"


class AlreadyReviewed(Conflict):
    """This look was taken already; nothing was recorded."""

    code = "already_reviewed"


class NotToReview(Forbidden):
    """Somebody else has to take this look."""

    code = "not_to_review"


def review(*, actor: Actor, review_id: UUID, verdict: str, text: str, now: datetime) -> None:
    """Keep what one person found when they looked; it changes nothing about the execution.

    By somebody who may decide, who neither broke the glass nor took part in making the proposal,
    and who has not taken the other look at it.
    Locks: the execution.
    Raises: NotToReview (403), AlreadyReviewed (409), ReviewInvalid (422), NotFound (404).
    """
    said = _usable(verdict, text)
    with transaction.atomic():
        row = _locked(actor, review_id)
        if objection := objection_to(actor, row):
            raise NotToReview(objection)
        if row.verdict:
            raise AlreadyReviewed
        row.person_id, row.verdict, row.text, row.at = UUID(actor.id), verdict, said, now
        row.save(update_fields=["person", "verdict", "text", "at"])
        proposal = row.execution.proposal
        body: dict[str, Json] = {"cause": row.cause, "verdict": verdict, "text": said}
        append(actor, "review.done", f"proposal:{proposal.id}", body)
        announce(proposal.id, proposal.workspace_id)


def objection_to(actor: Actor, row: Review) -> str:
    """Say why somebody may not take this look, or nothing when they may."""
    execution = row.execution
    if actor.kind != "person" or not allows(actor.roles, "decide"):
        return "This look takes a person who may decide."
    if execution.break_glass and str(execution.break_glass.person_id) == actor.id:
        return "You broke the glass, so others look at it."
    if actor.ref in _lineage(execution):
        return "You took part in making this proposal, so others look at it."
    if execution.reviews.filter(person=UUID(actor.id)).exists():
        return "You have looked at this before; the other look is somebody else’s."
    return ""


def _usable(verdict: str, text: str) -> str:
    if verdict not in {"right", "wrong"}:
        raise ReviewInvalid(field="verdict")
    if not says_something(text) or len(text) > TEXT_AT_MOST or "\x00" in text:
        sentence = f"Say what you looked at, in at most {TEXT_AT_MOST} characters, without NUL."
        raise ReviewInvalid(sentence, field="text")
    return text.strip()


def _locked(actor: Actor, review_id: UUID) -> Review:
    rows = Review.objects.filter(workspace_id=actor.workspace_id, id=review_id)
    execution = rows.values_list("execution", flat=True).first()
    if execution is None:
        raise NotFound
    # Both looks at once: whoever comes second sees who was first.
    Execution.objects.select_for_update(no_key=True).get(id=execution)
    return rows.select_related("execution__proposal", "execution__break_glass").get()


def _lineage(execution: Execution) -> list[str]:
    wording = Revision.objects.get(proposal=execution.proposal_id, number=execution.revision)
    lineage: list[str] = wording.lineage
    return lineage
