"""Record one reviewer's choice, and carry out what is thereby agreed."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from django.db import transaction

from approvals import lifecycle, policy, queries
from approvals.models import Decision, Proposal, Revision
from approvals.operations.executing import WorldChanged, carry_out_or_hold
from approvals.operations.settling import announce, settle
from approvals.policy import Choice, Outcome, Question, Terms
from console.actors import Actor
from console.canonical import Json
from console.errors import Conflict, Forbidden, Invalid, NotFound
from console.ledger.operations.appending import append
from console.locking import Busy
from snapshots.operations.committing import lock
from snapshots.queries import Head

REASON_AT_MOST = 1000


class AlreadySettled(Conflict):
    """This proposal is settled; your decision was not recorded."""

    code = "already_settled"


class AlreadyDecided(Conflict):
    """You have decided on this revision before; your second decision was not recorded."""

    code = "already_decided"


class RevisionChanged(Conflict):
    """The proposal was revised after you opened it; look at the new version first."""

    code = "revision_changed"
    status: ClassVar[int] = 412


class NotEligible(Forbidden):
    """You may not decide on this proposal."""

    code = "not_eligible"


class Incomplete(Invalid):
    """Something is missing from this decision."""

    code = "decision_incomplete"


def decide(  # noqa: PLR0913  (a signed act has that many parts)
    *,
    proposal_id: UUID,
    revision: int,
    digest: str,
    actor: Actor,
    choice: Choice,
    reason: str,
    ticked: list[str],
    now: datetime,
) -> Outcome:
    """Record one person's choice and settle the proposal when its terms are met.

    A double click answers like the first one. Locks: the State, then the proposal.
    Raises: AlreadySettled, AlreadyDecided, Busy (409), RevisionChanged, WorldChanged (412),
    NotEligible (403), Incomplete (422), NotFound (404).
    """
    with transaction.atomic(durable=True):
        head, proposal, current = _locked(actor, proposal_id)
        if _decided_before(proposal, revision, actor, choice):
            return _standing(proposal)
        question = queries.question(proposal, current, now)
        _refuse_unless_open(proposal, now)
        _refuse_unless_current(current, revision, digest)
        _refuse_unless_eligible(actor, question)
        _refuse_unless_complete(question.terms, current, choice, reason, ticked)
        if choice == "approve":
            _refuse_unless_quiet(head, current)
        _record(proposal, current, actor, choice, reason, _known_ticks(current, ticked), now)
        votes = queries.votes(proposal, current.number)
        outcome = policy.outcome(question, votes)
        _conclude(outcome, proposal, current, head, actor, reason, now)
    return outcome


def _locked(actor: Actor, proposal_id: UUID) -> tuple[Head, Proposal, Revision]:
    proposals = Proposal.objects.filter(workspace_id=actor.workspace_id, id=proposal_id)
    state_id = proposals.values_list("state_id", flat=True).first()
    if state_id is None:
        raise NotFound
    # The State first: execution locks it too, and one order for everyone means no deadlock.
    head = lock(actor.workspace_id, state_id)
    proposal = (
        proposals.select_for_update(no_key=True, of=("self",)).select_related("action_type").get()
    )
    current = Revision.objects.get(proposal=proposal, number=proposal.revision)
    return head, proposal, current


def _decided_before(proposal: Proposal, revision: int, actor: Actor, choice: Choice) -> bool:
    if actor.kind != "person":
        return False
    mine = Decision.objects.filter(proposal=proposal, revision=revision, person=UUID(actor.id))
    before = mine.first()
    if before is not None and before.choice != choice:
        raise AlreadyDecided(choice=before.choice)
    return before is not None


def _standing(proposal: Proposal) -> Outcome:
    match proposal.status:
        case "pending" | "approved" | "rejected" as status:
            return status
        case _:
            raise _settled(proposal)


def _settled(proposal: Proposal) -> AlreadySettled:
    sentence = f"This proposal is {proposal.status} ({proposal.settled_by}). Nothing changed."
    return AlreadySettled(sentence, proposal_status=proposal.status)


def _refuse_unless_open(proposal: Proposal, now: datetime) -> None:
    if not lifecycle.is_open(proposal.status):
        raise _settled(proposal)
    # The timer may come late; the deadline does not.
    if now >= proposal.due_at:
        sentence = "The deadline of this proposal has passed. Nothing changed."
        raise AlreadySettled(sentence, proposal_status="expired")


def _refuse_unless_current(current: Revision, revision: int, digest: str) -> None:
    if (revision, digest) != (current.number, current.digest):
        raise RevisionChanged(shown=revision, current=current.number)


def _refuse_unless_eligible(actor: Actor, question: Question) -> None:
    objection = policy.objection_to(queries.reviewer(actor), question)
    if objection:
        raise NotEligible(objection.sentence)


def _refuse_unless_complete(
    terms: Terms, current: Revision, choice: Choice, reason: str, ticked: list[str]
) -> None:
    failed = [check["name"] for check in current.checks if not check["passed"]]
    unticked = [name for name in failed if name not in ticked]
    if missing := policy.missing_from(terms, choice, reason, unticked):
        raise Incomplete(missing, field="reason")
    if len(reason) > REASON_AT_MOST or "\x00" in reason:
        sentence = f"A reason has at most {REASON_AT_MOST} characters, none of them NUL."
        raise Incomplete(sentence, field="reason")


def _known_ticks(current: Revision, ticked: list[str]) -> list[str]:
    return [check["name"] for check in current.checks if check["name"] in ticked]


def _refuse_unless_quiet(head: Head, current: Revision) -> None:
    if (head.number, head.epoch) != (current.base_number, current.base_epoch):
        raise WorldChanged
    # Two effects on their way to one State would make the later one stale.
    held = queries.held_on(head.state_id)
    if held is not None:
        sentence = f"“{held.proposal.title}” is carried out on the same State in a moment."
        raise Busy(f"{sentence} Nothing was recorded; decide again after it.")


def _record(
    proposal: Proposal,
    current: Revision,
    actor: Actor,
    choice: Choice,
    reason: str,
    ticked: list[str],
    now: datetime,
) -> None:
    Decision.objects.create(
        workspace_id=proposal.workspace_id,
        proposal=proposal,
        revision=current.number,
        digest=current.digest,
        person_id=UUID(actor.id),
        choice=choice,
        reason=reason.strip(),
        ticked=ticked,
        decided_at=now,
    )
    body: dict[str, Json] = {
        "choice": choice,
        "revision": current.number,
        "digest": current.digest,
        "reason": reason.strip(),
        "ticked": [*ticked],
    }
    append(actor, "proposal.decided", f"proposal:{proposal.id}", body)


def _conclude(
    outcome: Outcome,
    proposal: Proposal,
    current: Revision,
    head: Head,
    actor: Actor,
    reason: str,
    now: datetime,
) -> None:
    if outcome == "pending":
        announce(proposal.id, proposal.workspace_id)
        return
    settle(proposal, outcome, actor=actor, reason=reason.strip(), now=now)
    if outcome == "approved":
        carry_out_or_hold(proposal, current, head, actor, now)
