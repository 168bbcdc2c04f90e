"""Word an order as its connector is told it, from the very bytes that people agreed to."""

import json

from approvals.connectors.protocol import Order
from approvals.models import Attempt, Execution, Revision
from approvals.operations.dispatching import Taken


def order_of(taken: Taken) -> Order:
    """Return what was taken as its connector is told it."""
    rows = Execution.objects.filter(workspace=taken.workspace_id)
    return order_for(rows.get(id=taken.execution_id))


def order_for(execution: Execution) -> Order:
    """Return what is to be done outside."""
    rows = Revision.objects.filter(workspace=execution.workspace_id)
    row = rows.get(proposal=execution.proposal_id, number=execution.revision)
    sealed = json.loads(bytes(row.sealed))
    return Order(
        key=execution.id.hex,
        action=sealed["action_type"],
        params=sealed["params"],
        at=execution.created_at,
    )


def sent_before(taken: Taken) -> bytes | None:
    """Return the bytes that went out for it before, which are the only ones that ever will."""
    rows = Attempt.objects.filter(workspace=taken.workspace_id, execution=taken.execution_id)
    first = rows.order_by("number").first()
    return bytes(first.request) if first else None
