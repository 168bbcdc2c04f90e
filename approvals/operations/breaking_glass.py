"""Have something carried out in an emergency, before enough people agreed; reviewed afterwards."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from approvals import lifecycle, packing
from approvals.models import BreakGlass, Execution, Proposal, Review, Revision
from approvals.operations.barring import refuse_unless_pending
from approvals.operations.deciding import InLineage, RevisionChanged, Seen, Unshowable
from approvals.operations.executing import carry_out_or_hold
from approvals.operations.finding import find_with_state
from approvals.operations.settling import settle
from approvals.operations.telling import tell
from approvals.operations.verifying import Ground, WorldChanged, why_unshowable
from approvals.policy import says_something
from approvals.queries import held_on
from console.access.operations.stepping_up import use
from console.access.queries import people_with_role
from console.access.rights import ROLES, allows
from console.actors import Actor
from console.canonical import Json
from console.errors import Forbidden, Invalid
from console.ledger.operations.appending import append
from console.locking import Busy
from snapshots.queries import Head

REASON_AT_MOST = 1_000
CHOICE = "break_glass"
REVIEWS, REVIEWED_WITHIN = 2, timedelta(hours=24)


class GlassInvalid(Invalid):
    """Say which emergency this is; it is read by the two who review it."""

    code = "reason_required"


class NotInAnEmergency(Forbidden):
    """Policies are changed by a proposal that others agree to, in an emergency, too."""

    code = "not_in_an_emergency"


def break_glass(
    *,
    actor: Actor,
    proposal_id: UUID,
    seen: Seen,
    reason: str,
    step_up: UUID | None,
    now: datetime,
) -> UUID:
    """Carry out what was seen at once, on one admin's word, and return the execution's id.

    Two others owe a review within a day; every page says so until both are done. Nobody breaks
    the glass for what they had a part in, and not for policies.
    Locks: the State, then the proposal.
    Raises: AlreadySettled, NotPending, Unshowable, Busy (409), RevisionChanged, WorldChanged
    (412), Forbidden, InLineage, NotInAnEmergency, StepUpRequired (403), GlassInvalid,
    EffectImpossible (422), NotFound (404).
    """
    why = _usable_reason(reason)
    with transaction.atomic(durable=True):
        head, proposal, current = find_with_state(actor, proposal_id)
        _refuse_unless_allowed(actor, proposal, current)
        refuse_unless_pending(proposal, now)
        _refuse_unless_as_seen(seen, head, current)
        ground = Ground(head, proposal, current, now)
        _refuse_unshowable(ground)
        purpose = packing.purpose(proposal.id, current.digest, CHOICE)
        use(step_up=step_up, person=UUID(actor.id), purpose=purpose, now=now)
        _tell(actor, proposal, current, now)
        glass = _break(actor, proposal, current, why, now)
        settle(proposal, "approved", actor=actor, reason=why, now=now)
        execution = carry_out_or_hold(ground, actor, glass=glass)
        _owe_reviews(execution, now)
    return execution.id


def _usable_reason(reason: str) -> str:
    if not says_something(reason):
        raise GlassInvalid(field="reason")
    if len(reason) > REASON_AT_MOST or "\x00" in reason:
        sentence = f"A reason has at most {REASON_AT_MOST} characters, none of them NUL."
        raise GlassInvalid(sentence, field="reason")
    return reason.strip()


def _refuse_unless_allowed(actor: Actor, proposal: Proposal, current: Revision) -> None:
    if actor.kind != "person" or not allows(actor.roles, "break_glass"):
        raise Forbidden("Only an admin may break the glass.")
    if actor.ref in current.lineage:
        sentence = "You took part in making this proposal, so somebody else has to break the glass."
        raise InLineage(sentence)
    if proposal.state.kind == "policies":
        raise NotInAnEmergency


def _refuse_unless_as_seen(seen: Seen, head: Head, current: Revision) -> None:
    if (seen.revision, seen.digest) != (current.number, current.digest):
        raise RevisionChanged(shown=seen.revision, current=current.number)
    if (head.number, head.epoch) != (current.base_number, current.base_epoch):
        raise WorldChanged
    if held := held_on(head.state_id):
        sentence = lifecycle.keeps_off(held.status, held.proposal.title)
        raise Busy(f"{sentence} Nothing was carried out; recall that one, or try again after it.")


def _refuse_unshowable(ground: Ground) -> None:
    if why := why_unshowable(ground):
        raise Unshowable(why)


def _break(
    actor: Actor, proposal: Proposal, current: Revision, why: str, now: datetime
) -> BreakGlass:
    glass = BreakGlass.objects.create(
        workspace_id=proposal.workspace_id,
        proposal=proposal,
        revision=current.number,
        digest=current.digest,
        person_id=UUID(actor.id),
        reason=why,
        at=now,
    )
    body: dict[str, Json] = {
        "revision": current.number,
        "digest": current.digest,
        "reason": why,
        "title": proposal.title,
    }
    append(actor, "glass.broken", f"proposal:{proposal.id}", body)
    return glass


def _tell(actor: Actor, proposal: Proposal, current: Revision, now: datetime) -> None:
    """Sound the alarm, also for auditors; tell who may review it that two of them owe a look."""
    people = people_with_role(proposal.workspace_id, [*ROLES])
    others = {person.id: roles for person, roles in people if str(person.id) != actor.id}
    deciders = [person for person, roles in others.items() if allows(roles, "decide")]
    auditors = [person for person, roles in others.items() if "auditor" in roles]
    tell(proposal, "glass.broken", [*deciders, *auditors], now=now)
    free = [person for person in deciders if f"person:{person}" not in current.lineage]
    tell(proposal, "review.owed", free, now=now)


def _owe_reviews(execution: Execution, now: datetime) -> None:
    Review.objects.bulk_create(
        Review(
            workspace_id=execution.workspace_id,
            execution=execution,
            cause=CHOICE,
            number=number,
            due_at=now + REVIEWED_WITHIN,
        )
        for number in range(1, REVIEWS + 1)
    )
