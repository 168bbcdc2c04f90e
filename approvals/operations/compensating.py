"""Open a proposal for what a rollback cannot take back, because it has left the house.

Where its action type says what undoes an effect, that is proposed, with decisions of its own; where
nothing does, people are asked to see to it.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction

from approvals import recovering
from approvals.effects import Measure
from approvals.models import Compensation, Execution, Proposal
from approvals.operations.proposing import Exhibit, Request, propose
from approvals.operations.registering import ActionTypeSpec, declare
from approvals.operations.undoing import BeyondOriginal, original_measure
from approvals.policy import says_something
from approvals.queries.undoing import effect_of, undoing_of
from approvals.undoing import Undoing, is_too_much
from console.access.rights import allows
from console.actors import Actor
from console.canonical import Json
from console.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from console.ledger.operations.appending import append
from console.live import ring
from console.locking import Busy
from snapshots import queries as snapshots
from snapshots.operations.committing import lock
from snapshots.operations.creating import create_state

RECOVER = ActionTypeSpec(
    name=recovering.NAME,
    label="See to what a rollback cannot take back",
    sentence="Recover what left the house: {title}",
    params_schema=recovering.SCHEMA,
    effect=recovering.EFFECT,
    risk=3,
    reversibility="Noting it changes nothing outside; the work itself is done by people.",
)
logger = logging.getLogger(__name__)

REASON_AT_MOST = 500
UNFORESEEN = "What undoes it could not be proposed; the worker’s log says more."
# What became of one effect: people note it, it cannot be undone, its undoing is proposed, or
# nothing was to be done any more.
Way = Literal["recovery", "irreversible", "compensation", ""]


class NotToCompensate(Conflict):
    """There is nothing to propose again: its undoing is under way, done, or was never begun."""

    code = "not_to_compensate"


@dataclass(frozen=True, slots=True)
class Gone:
    """An effect that is outside while the record of it is rolled away.

    `turn` counts the effects of one rollback, the newest first. `number` is the snapshot that it
    stands in, or that stood when the record could not follow it.
    """

    proposal_id: UUID
    title: str
    number: int
    executed_at: str
    reversibility: str
    turn: int = 1
    # None in plans that were made before executions were named in them.
    execution_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class _Wish:
    """Why something is undone: what caused it, the place that asks once, and what people read."""

    cause: str
    origin: str
    step: str
    turn: int
    said: str


def compensate(
    *, actor: Actor, state_key: str, gone: Gone, restoration_id: UUID, reason: str, now: datetime
) -> Way:
    """Put the recovery of one effect before people where no action undoes it; asked twice, once.

    Where one does, `open_compensation` proposes it afterwards: it locks what comes before the
    ledger. The State of the notes is made when the first one needs it. Part of the caller's
    transaction.
    """
    execution = _effect(actor, gone)
    if execution is not None and execution.status != "succeeded":
        return ""
    found = undoing_of(execution, now) if execution else None
    if found is not None and found.is_possible:
        return ""
    why = found.text if found else ""
    _note(actor, state_key, gone, restoration_id, reason, why, now)
    if execution is None or found is None:
        return "recovery"
    _state_impossible(execution, gone, f"restoration:{restoration_id}", why, now)
    return "irreversible"


def open_compensation(
    *, actor: Actor, state_key: str, gone: Gone, restoration_id: UUID, reason: str, now: datetime
) -> Way:
    """Propose what undoes one effect, on the State as it stands now; asked twice, once.

    What cannot be proposed is stated, and put before people as a recovery. Part of the caller's
    transaction, before its first line in the ledger.
    Locks: the State, the execution. Raises: Busy (409).
    """
    cause = f"restoration:{restoration_id}"
    execution = _effect(actor, gone)
    if execution is None:
        return ""
    execution = _locked(actor.workspace_id, execution.id)
    if execution.status != "succeeded" or _owed(execution) is not None:
        return ""
    found = undoing_of(execution, now)
    if found is None:
        return ""
    said = f"{state_key} was rolled back: {reason}"
    wish = _Wish(cause, cause, str(gone.proposal_id), gone.turn, said)
    if why := _why_not_opened(actor, execution, found, wish, now):
        _state_impossible(execution, gone, cause, why, now)
        _note(actor, state_key, gone, restoration_id, reason, why, now)
        return "irreversible"
    return "compensation"


def _effect(actor: Actor, gone: Gone) -> Execution | None:
    return effect_of(
        actor.workspace_id, gone.proposal_id, gone.number, execution_id=gone.execution_id
    )


def _why_not_opened(
    actor: Actor, execution: Execution, found: Undoing, wish: _Wish, now: datetime
) -> str:
    """Propose what undoes an effect, or say why that cannot be; the rollback stands either way."""
    try:
        _open(actor, execution, found, wish, None, now)
    except (Busy, InterfaceError, OperationalError):
        raise
    except Refused as refused:
        return f"What undoes it could not be proposed: {refused.sentence}"
    except Exception:
        logger.exception("what undoes execution %s could not be proposed", execution.id)
        return UNFORESEEN
    return ""


def compensate_again(*, actor: Actor, execution_id: UUID, reason: str, now: datetime) -> UUID:
    """Propose once more what undoes an effect, after people or its provider refused it.

    Whoever asks has a part in it, and does not decide on it.
    Locks: the State, the execution.
    Raises: Forbidden (403), NotFound (404), NotToCompensate, BeyondOriginal (409), Invalid (422),
    and whatever proposing raises.
    """
    if actor.kind != "person" or not allows(actor.roles, "resolve"):
        raise Forbidden("People who may resolve doubts propose to undo an effect again.")
    if not says_something(reason) or len(reason) > REASON_AT_MOST or "\x00" in reason:
        sentence = f"Say why, in at most {REASON_AT_MOST} characters, without NUL."
        raise Invalid(sentence, field="reason")
    with transaction.atomic(durable=True):
        execution = _locked(actor.workspace_id, execution_id)
        owed = _owed(execution)
        if owed is None or not _may_begin_again(execution, owed):
            raise NotToCompensate
        found = undoing_of(execution, now)
        if found is None or not found.is_possible:
            raise NotToCompensate(found.text if found else "")
        origin = f"compensation:{owed.id}"
        rows = Proposal.objects.filter(workspace=actor.workspace_id, origin=origin)
        wish = _Wish(owed.cause, origin, str(rows.count() + 1), owed.number, reason.strip())
        return _open(actor, execution, found, wish, owed, now)


def _may_begin_again(execution: Execution, owed: Compensation) -> bool:
    stated = execution.status == "succeeded" and owed.is_irreversible
    return stated or execution.status == "compensation_failed"


def _open(
    actor: Actor,
    execution: Execution,
    found: Undoing,
    wish: _Wish,
    owed: Compensation | None,
    now: datetime,
) -> UUID:
    """Propose it and mark the effect as being compensated; refused, nothing of it is kept."""
    if not found.is_possible:
        raise NotToCompensate(found.text)
    with transaction.atomic():
        proposal_id = propose(actor=actor, request=_request(execution, found, wish), now=now)
        made = Proposal.objects.get(id=proposal_id)
        _refuse_beyond(execution, made)
        kept = owed or Compensation(
            workspace_id=execution.workspace_id,
            execution=execution,
            cause=wish.cause,
            number=wish.turn,
            created_at=now,
        )
        kept.proposal, kept.due_at = made, found.due_at
        kept.is_irreversible, kept.text = False, ""
        kept.save()
        execution.status = "compensating"
        execution.save(update_fields=["status"])
        body: dict[str, Json] = {
            "cause": wish.cause,
            "turn": wish.turn,
            "by": f"proposal:{proposal_id}",
            "due_at": found.due_at.isoformat() if found.due_at else "",
        }
        append(actor, "execution.compensating", f"proposal:{execution.proposal_id}", body)
        ring("outside", execution.workspace_id)
        ring("proposal", execution.proposal_id)
    return proposal_id


def _refuse_beyond(execution: Execution, made: Proposal) -> None:
    if made.status == "denied":
        raise NotToCompensate(made.settled_reason)
    if is_too_much(original_measure(execution), Measure(made.amount, made.currency)):
        raise BeyondOriginal


def _request(execution: Execution, found: Undoing, wish: _Wish) -> Request:
    original = execution.proposal
    at = execution.executed_at or execution.created_at
    content = f"{original.title}\nCarried out {at:%Y-%m-%d %H:%M} UTC"
    reference = f"\nReference of the provider: {execution.reference}" if execution.reference else ""
    return Request(
        state_key=original.state.key,
        action_type=found.action_type,
        params=dict(found.params or {}),
        origin=wish.origin,
        origin_step=wish.step,
        evidence=(Exhibit("What went out", f"proposal:{original.id}", content + reference),),
        rationale=f"{wish.said}\n\nIt undoes “{original.title}”.",
        by_people=True,
        not_after=found.due_at,
    )


def _locked(workspace_id: UUID, execution_id: UUID) -> Execution:
    rows = Execution.objects.filter(workspace=workspace_id, id=execution_id)
    state_id = rows.values_list("proposal__state", flat=True).first()
    if state_id is None:
        raise NotFound
    lock(workspace_id, state_id)
    kept = rows.select_for_update(no_key=True, of=("self",))
    return kept.select_related("proposal__action_type", "proposal__state").get()


def _owed(execution: Execution) -> Compensation | None:
    return Compensation.objects.filter(execution=execution).first()


def _state_impossible(
    execution: Execution, gone: Gone, cause: str, why: str, now: datetime
) -> None:
    """Keep that an effect cannot be undone, and why, where that is not kept yet."""
    if _owed(execution) is not None:
        return
    Compensation.objects.create(
        workspace_id=execution.workspace_id,
        execution=execution,
        cause=cause,
        number=gone.turn,
        is_irreversible=True,
        text=why[:300],
        created_at=now,
    )
    ring("outside", execution.workspace_id)


def _note(
    actor: Actor,
    state_key: str,
    gone: Gone,
    restoration_id: UUID,
    reason: str,
    why: str,
    now: datetime,
) -> UUID:
    """Ask people to see to an effect that nothing undoes."""
    declare(actor, RECOVER)
    key = recovering.key_of(state_key)
    if snapshots.find(actor.workspace_id, key) is None:
        about = f"What rollbacks of {state_key} could not take back"
        create_state(actor=actor, key=key, document=recovering.nothing_yet(), reason=about, now=now)
    text = " ".join(filter(None, [gone.reversibility, why]))
    request = Request(
        state_key=key,
        action_type=recovering.NAME,
        params={
            "proposal": str(gone.proposal_id),
            "title": gone.title,
            "state": state_key,
            "snapshot": gone.number,
            "executed_at": gone.executed_at,
            "restoration": str(restoration_id),
            "reversibility": text,
        },
        origin=f"restoration:{restoration_id}",
        origin_step=str(gone.proposal_id),
        rationale=f"{state_key} was rolled back: {reason}\n\n{text}",
        by_people=True,
    )
    return propose(actor=actor, request=request, now=now)
