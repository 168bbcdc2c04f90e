"""Record one reviewer's choice, and carry out what is thereby agreed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from approvals import facts, lifecycle, policy, queries
from approvals.models import Decision, Proposal, Revision, Signature
from approvals.operations.executing import carry_out_or_hold
from approvals.operations.finding import find_with_state
from approvals.operations.settling import announce, said_in, send_back, settle
from approvals.operations.signing import sign
from approvals.operations.undoing import refuse_unless_its_turn
from approvals.operations.verifying import Ground, verify, why_unshowable
from approvals.policy import REASON_CODES, SIGNED, Choice, Objection, Outcome, Question
from approvals.queries.facts import fact_of
from console.actors import Actor
from console.canonical import Json
from console.errors import Conflict, Forbidden, Invalid
from console.failpoints import fp
from console.ledger.operations.appending import append
from console.locking import Busy

REASON_AT_MOST, FACT_AT_MOST = 1000, 200


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


class NotPending(Conflict):
    """This proposal does not wait for a decision at this moment. Nothing was changed."""

    code = "not_pending"


class NotEligible(Forbidden):
    """You may not decide on this proposal."""

    code = "not_eligible"


class InLineage(NotEligible):
    """You took part in making this proposal, so somebody else has to decide."""

    code = "lineage"


class AuthorityExceeded(NotEligible):
    """This goes beyond what you may approve; somebody with more authority has to."""

    code = "authority_exceeded"


class Unshowable(Conflict):
    """A part of this cannot be shown to anybody, so it can only be rejected."""

    code = "cannot_be_shown"


class Incomplete(Invalid):
    """Something is missing from this decision."""

    code = "decision_incomplete"


@dataclass(frozen=True, slots=True)
class Seen:
    """What was on the screen: which revision, and the digest of its sealed bytes."""

    revision: int
    digest: str


@dataclass(frozen=True, slots=True)
class Act:
    """What a person does about it.

    `reason_code` is one of `policy.REASON_CODES`. At level 3 `fact` is what they typed from the
    diff, `meaning` what their signature means and `step_up` the row that proves who they are.
    `stands_for` is whom they stand in for; `attention` what the page noticed while they looked.
    """

    choice: Choice
    reason: str = ""
    reason_code: str = ""
    ticked: tuple[str, ...] = ()
    fact: str = ""
    meaning: str = ""
    step_up: UUID | None = None
    stands_for: UUID | None = None
    attention: Mapping[str, Json] = field(default_factory=dict)


def decide(*, proposal_id: UUID, seen: Seen, actor: Actor, act: Act, now: datetime) -> Outcome:
    """Record one person's choice and settle the proposal when its terms are met.

    A double click answers like the first one. At level 3 it is signed.
    Locks: the State, the proposal, the buckets of its limits.
    Time: what was recorded while this waited for its locks was before it.
    Raises: AlreadySettled, NotPending, AlreadyDecided, Unshowable, Altered, Busy, NotItsTurn,
    BeyondOriginal (409),
    RevisionChanged, WorldChanged, PolicyChanged, LimitExceeded, PreconditionFailed (412),
    NotEligible, StepUpRequired, DeniedByPolicy (403), Incomplete, EffectImpossible (422),
    NotFound (404).
    """
    with transaction.atomic(durable=True):
        outcome = _weigh(proposal_id, seen, actor, act, now)
        fp("decide.before_commit")
    fp("decide.after_commit")
    return outcome


def try_out(*, proposal_id: UUID, seen: Seen, actor: Actor, act: Act, now: datetime) -> Outcome:
    """Say what `decide` would answer at this moment, and keep nothing of it.

    Locks and Raises: what `decide` does.
    """
    with transaction.atomic(durable=True):
        outcome = _weigh(proposal_id, seen, actor, act, now)
        transaction.set_rollback(True)
    return outcome


def _weigh(proposal_id: UUID, seen: Seen, actor: Actor, act: Act, now: datetime) -> Outcome:
    ground = _locked(actor, proposal_id, now)
    if _decided_before(ground, seen, actor, act):
        return _standing(ground.proposal)
    question = queries.question(ground.proposal, ground.current, ground.now)
    _refuse_if_settled(ground.proposal)
    _refuse_unless_pending(ground.proposal)
    _refuse_after_deadline(ground)
    _refuse_unless_current(ground.current, seen)
    _refuse_without_delegation(ground, actor, act)
    _refuse_unless_eligible(actor, act, question)
    _refuse_second_vote(ground, actor, act)
    _refuse_incomplete(ground, act)
    _refuse_unstorable(act)
    if act.choice == "approve":
        _refuse_unshowable(ground)
        _refuse_while_another_is_held(ground)
        refuse_unless_its_turn(ground.proposal, ground.current)
        verify(ground)
        _refuse_wrong_fact(ground, actor, act)
    _record(ground, actor, act)
    votes = queries.votes(ground.proposal, ground.current.number)
    outcome = policy.outcome(question, votes)
    _conclude(outcome, ground, actor, act.reason.strip())
    return outcome


def _locked(actor: Actor, proposal_id: UUID, now: datetime) -> Ground:
    head, proposal, current = find_with_state(actor, proposal_id)
    return Ground(head, proposal, current, _not_before(now, current))


def _not_before(now: datetime, current: Revision) -> datetime:
    """Return a time that is no earlier than what others recorded while we waited for the lock."""
    votes = Decision.objects.filter(proposal=current.proposal_id, revision=current.number)
    last = votes.order_by("-decided_at").values_list("decided_at", flat=True).first()
    return max(filter(None, [now, current.created_at, last]))


def _decided_before(ground: Ground, seen: Seen, actor: Actor, act: Act) -> bool:
    if actor.kind != "person":
        return False
    rows = Decision.objects.filter(
        proposal=ground.proposal, revision=seen.revision, digest=seen.digest
    )
    before = rows.filter(person=UUID(actor.id)).first()
    if before is not None and before.choice != act.choice:
        raise AlreadyDecided(choice=before.choice)
    return before is not None


def _standing(proposal: Proposal) -> Outcome:
    match proposal.status:
        case "pending" | "approved" | "rejected" | "changes_requested" as status:
            return status
        case "info_requested":
            return "pending"
        case _:
            raise _settled(proposal)


def _settled(proposal: Proposal) -> AlreadySettled:
    sentence = f"This proposal is {proposal.status} ({proposal.settled_by}). Nothing changed."
    return AlreadySettled(sentence, proposal_status=proposal.status)


def _refuse_if_settled(proposal: Proposal) -> None:
    if not lifecycle.is_open(proposal.status):
        raise _settled(proposal)


def _refuse_unless_pending(proposal: Proposal) -> None:
    if not lifecycle.is_decidable(proposal.status):
        raise NotPending(proposal_status=proposal.status)


def _refuse_after_deadline(ground: Ground) -> None:
    # The timer may come late; the deadline does not.
    if ground.now >= ground.proposal.due_at:
        sentence = "The deadline of this proposal has passed. Nothing changed."
        raise AlreadySettled(sentence, proposal_status="expired")


def _refuse_unless_current(current: Revision, seen: Seen) -> None:
    if (seen.revision, seen.digest) != (current.number, current.digest):
        raise RevisionChanged(shown=seen.revision, current=current.number)


def _refuse_without_delegation(ground: Ground, actor: Actor, act: Act) -> None:
    """Let through who decides in their own name, or stands in for somebody at this moment."""
    if act.stands_for is None or actor.kind != "person":
        return
    standing = queries.in_force(actor.workspace_id, ground.now)
    if not standing.filter(person=act.stands_for, delegate=UUID(actor.id)).exists():
        raise NotEligible("You do not stand in for this person at this moment.")


def _refuse_unless_eligible(actor: Actor, act: Act, question: Question) -> None:
    objection = policy.objection_to(queries.reviewer(actor, act.stands_for), question)
    if objection:
        raise refusal_of(objection)


def refusal_of(objection: Objection) -> NotEligible:
    """Return the refusal that says an objection to somebody's deciding."""
    kinds = {"lineage": InLineage, "authority_exceeded": AuthorityExceeded}
    return kinds.get(objection.code, NotEligible)(objection.sentence)


def _refuse_second_vote(ground: Ground, actor: Actor, act: Act) -> None:
    """Give somebody and whoever stands in for them one vote together."""
    own = UUID(actor.id)
    whose = {own, act.stands_for} - {None}
    rows = Decision.objects.filter(proposal=ground.proposal, revision=ground.current.number)
    spoken = rows.filter(Q(person__in=whose) | Q(stands_for__in=whose)).exclude(person=own)
    if first := spoken.select_related("person").first():
        sentence = f"{first.person.name} has decided in the same name; there is one vote for it."
        # Not what they chose: whoever asks may still decide in their own name, without knowing.
        raise AlreadyDecided(sentence)


def _refuse_incomplete(ground: Ground, act: Act) -> None:
    failed = [check["name"] for check in ground.current.checks if not check["passed"]]
    unticked = [name for name in failed if name not in act.ticked]
    if missing := policy.missing_from(ground.terms, act.choice, act.reason, unticked):
        raise Incomplete(missing, field="reason")
    if act.reason_code not in REASON_CODES and (act.reason_code or act.choice != "approve"):
        raise Incomplete("Choose which kind of reason it is.", field="reason_code")


def _refuse_unstorable(act: Act) -> None:
    if len(act.reason) > REASON_AT_MOST or "\x00" in act.reason:
        sentence = f"A reason has at most {REASON_AT_MOST} characters, none of them NUL."
        raise Incomplete(sentence, field="reason")
    if len(act.fact) > FACT_AT_MOST or "\x00" in act.fact:
        sentence = f"At most {FACT_AT_MOST} characters, none of them NUL."
        raise Incomplete(sentence, field="fact")


def _refuse_unshowable(ground: Ground) -> None:
    if why := why_unshowable(ground):
        raise Unshowable(f"{why} It can only be rejected.")


def _refuse_while_another_is_held(ground: Ground) -> None:
    # Two effects on their way to one State would make the later one stale.
    held = queries.held_on(ground.head.state_id)
    if held is not None:
        sentence = lifecycle.keeps_off(held.status, held.proposal.title)
        raise Busy(f"{sentence} Nothing was recorded; decide again after it.")


def _refuse_wrong_fact(ground: Ground, actor: Actor, act: Act) -> None:
    if ground.terms.level < SIGNED:
        return
    asked = fact_of(ground.proposal, ground.current, actor)
    if asked and not facts.is_right(asked, act.fact):
        sentence = f"{asked.label}: this is not what stands in the diff. {asked.hint}."
        raise Incomplete(sentence, field="fact")


def _record(ground: Ground, actor: Actor, act: Act) -> None:
    current = ground.current
    names = [check["name"] for check in current.checks if check["name"] in act.ticked]
    decision = Decision.objects.create(
        workspace_id=ground.proposal.workspace_id,
        proposal=ground.proposal,
        revision=current.number,
        digest=current.digest,
        person_id=UUID(actor.id),
        stands_for_id=act.stands_for,
        choice=act.choice,
        reason_code=act.reason_code,
        reason=act.reason.strip(),
        ticked=names,
        fact=act.fact.strip(),
        attention=dict(act.attention),
        decided_at=ground.now,
    )
    signature = _signed(ground, decision, actor, act)
    body: dict[str, Json] = {
        "revision": current.number,
        "digest": current.digest,
        "stands_for": f"person:{act.stands_for}" if act.stands_for else "",
        "signature": signature.digest if signature else "",
    }
    # Whoever decides after this may read the ledger: what was said stands in the settling line.
    if ground.terms.level < SIGNED:
        body |= said_in(decision)
    append(actor, "proposal.decided", f"proposal:{ground.proposal.id}", body)


def _signed(ground: Ground, decision: Decision, actor: Actor, act: Act) -> Signature | None:
    if ground.terms.level < SIGNED or act.choice == "request_changes":
        return None
    return sign(decision=decision, revision=ground.current, actor=actor, act=act, now=ground.now)


def _conclude(outcome: Outcome, ground: Ground, actor: Actor, reason: str) -> None:
    proposal = ground.proposal
    if outcome == "pending":
        announce(proposal.id, proposal.workspace_id)
        return
    if outcome == "changes_requested":
        send_back(proposal, actor=actor, reason=reason, now=ground.now)
        return
    settle(proposal, outcome, actor=actor, reason=reason, now=ground.now)
    if outcome == "approved":
        carry_out_or_hold(ground, actor)
