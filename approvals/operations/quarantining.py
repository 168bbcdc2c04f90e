"""Set aside what was begun too often, so that it holds up nothing else, until people say."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from approvals import lifecycle
from approvals.models import Execution
from approvals.operations.alarming import tell_quarantined
from approvals.operations.doubting import doubt_again
from approvals.operations.finding import find_execution
from approvals.operations.giving_up import drop as let_fail
from approvals.operations.nudging import nudge
from approvals.operations.settling import announce
from approvals.operations.verifying import Ground
from approvals.policy import says_something
from console.access.rights import allows
from console.actors import Actor, system
from console.canonical import Json
from console.errors import Conflict, Forbidden, Invalid
from console.ledger.operations.appending import append
from console.live import ring

REASON_AT_MOST = 500


class NotQuarantined(Conflict):
    """This execution is not set aside; somebody was faster, or it never was."""

    code = "not_quarantined"


class QuarantineReasonUnusable(Invalid):
    """Say why in a sentence of at most 500 characters."""

    code = "reason_required"


def set_aside(execution: Execution, now: datetime) -> None:
    """Leave a locked execution that was begun too often to people; part of the transaction.

    What has gone out before is in doubt once more: people say first what became of that.
    """
    actor = system("sender", execution.workspace_id)
    if execution.was_sent:
        why = f"It was to be sent again, was begun {execution.tries} times and never ended."
        doubt_again(execution, actor=actor, why=why, now=now)
        return
    execution.status, execution.lease_until, execution.next_at = "quarantined", None, None
    execution.problem = f"It was begun {execution.tries} times and never ended."
    execution.save(update_fields=["status", "lease_until", "next_at", "problem"])
    tell_quarantined(execution, now=now)
    body: dict[str, Json] = {"tries": execution.tries}
    append(actor, "execution.quarantined", f"proposal:{execution.proposal_id}", body)
    _announce(execution)


def try_again(*, actor: Actor, execution_id: UUID, reason: str, now: datetime) -> None:
    """Let the sender begin what was set aside as if it had never tried.

    Everything that was approved is verified again when it does.
    Locks: the State, the proposal, the execution.
    Raises: NotQuarantined, Busy (409), Forbidden (403), QuarantineReasonUnusable (422),
    NotFound (404).
    """
    why = _usable(actor, reason)
    with transaction.atomic(durable=True):
        execution, _ = _found(actor, execution_id, now)
        execution.status = "ready" if execution.connector else "held"
        execution.tries, execution.next_at, execution.problem = 0, now, ""
        execution.save(update_fields=["status", "tries", "next_at", "problem"])
        nudge()
        about = f"proposal:{execution.proposal_id}"
        append(actor, "execution.tried_again", about, {"reason": why})
        _announce(execution)


def drop(*, actor: Actor, execution_id: UUID, reason: str, now: datetime) -> None:
    """Let what was set aside fail; nothing of it has left the house.

    Locks: the State, the proposal, the execution.
    Raises: NotQuarantined, Busy (409), Forbidden (403), QuarantineReasonUnusable (422),
    NotFound (404).
    """
    why = _usable(actor, reason)
    with transaction.atomic(durable=True):
        execution, ground = _found(actor, execution_id, now)
        if not lifecycle.may_be_taken_back(execution.status, was_sent=execution.was_sent):
            raise NotQuarantined("It was sent before, so first people say what became of it.")
        let_fail(execution, ground, actor, why)
        _announce(execution)


def _usable(actor: Actor, reason: str) -> str:
    if actor.kind != "person" or not allows(actor.roles, "administer"):
        raise Forbidden("Only admins may see to what was set aside.")
    if not says_something(reason) or len(reason) > REASON_AT_MOST or "\x00" in reason:
        raise QuarantineReasonUnusable(field="reason")
    return reason.strip()


def _found(actor: Actor, execution_id: UUID, now: datetime) -> tuple[Execution, Ground]:
    execution, ground = find_execution(actor, execution_id, now)
    if execution.status != "quarantined":
        raise NotQuarantined
    return execution, ground


def _announce(execution: Execution) -> None:
    announce(execution.proposal_id, execution.workspace_id)
    ring("outside", execution.workspace_id)
