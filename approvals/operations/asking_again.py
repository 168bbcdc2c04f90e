"""Have a provider asked now what became of an execution in doubt, without waiting for its turn."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from approvals.models import Connector, Execution
from approvals.operations.nudging import nudge
from approvals.operations.settling import announce
from console.access.rights import allows
from console.actors import Actor
from console.canonical import Json
from console.errors import Conflict, Forbidden, NotFound
from console.ledger.operations.appending import append
from console.live import ring
from console.locking import patiently


class CannotBeAsked(Conflict):
    """Nobody can be asked about this now: it is not in doubt, or its provider answers people."""

    code = "cannot_be_asked"


def ask_now(*, actor: Actor, execution_id: UUID, now: datetime) -> None:
    """Make the next question to its provider due now; asked twice, it is due once.

    Locks: the execution. Raises: Forbidden (403), NotFound (404), CannotBeAsked, Busy (409).
    """
    if actor.kind != "person" or not allows(actor.roles, "resolve"):
        raise Forbidden("Only people who may say what became of it have its provider asked.")
    with transaction.atomic(durable=True), patiently():
        rows = Execution.objects.select_for_update(no_key=True)
        execution = rows.filter(workspace=actor.workspace_id, id=execution_id).first()
        if execution is None:
            raise NotFound
        if execution.status != "in_doubt" or not _answers(execution):
            raise CannotBeAsked(execution_status=execution.status)
        if execution.next_at is not None and execution.next_at <= now:
            return
        execution.next_at = now
        execution.save(update_fields=["next_at"])
        nudge()
        body: dict[str, Json] = {"connector": execution.connector}
        append(actor, "execution.asked_about", f"proposal:{execution.proposal_id}", body)
        announce(execution.proposal_id, execution.workspace_id)
        ring("outside", execution.workspace_id)


def _answers(execution: Execution) -> bool:
    rows = Connector.objects.filter(workspace=execution.workspace_id, name=execution.connector)
    return rows.filter(is_offered=True, can_ask=True).exists()
