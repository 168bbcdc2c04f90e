"""Find a proposal or an execution of the actor's workspace, and keep others from changing it.

The State comes first: deciding, executing and wording anew lock in this one order.
"""

from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from approvals.models import Execution, Proposal, Revision
from approvals.operations.verifying import Ground
from console.actors import Actor
from console.errors import NotFound
from console.locking import patiently
from snapshots.operations.committing import lock
from snapshots.queries import Head


def find_alone(actor: Actor, proposal_id: UUID) -> tuple[Proposal, Revision]:
    """Return a proposal with its current revision, for what leaves its effect as it is.

    Locks: the proposal. Raises: NotFound (404).
    """
    proposal = _kept(_of(actor, proposal_id)).first()
    if proposal is None:
        raise NotFound
    return proposal, _current(proposal)


def find_with_state(actor: Actor, proposal_id: UUID) -> tuple[Head, Proposal, Revision]:
    """Return a proposal with its State's head and its current revision, to word it anew.

    Locks: the State, then the proposal. Raises: NotFound (404), Busy (409).
    """
    rows = _of(actor, proposal_id)
    state_id = rows.values_list("state_id", flat=True).first()
    if state_id is None:
        raise NotFound
    # The State first: deciding and executing lock in this order, too.
    head = lock(actor.workspace_id, state_id)
    proposal = _kept(rows).get()
    return head, proposal, _current(proposal)


def find_execution(actor: Actor, execution_id: UUID, now: datetime) -> tuple[Execution, Ground]:
    """Return an execution with what it stands on: its own revision, which is not always the newest.

    Locks: the State, the proposal, the execution. Raises: NotFound (404), Busy (409).
    """
    rows = Execution.objects.filter(workspace=actor.workspace_id, id=execution_id)
    found = rows.values_list("proposal", "proposal__state").first()
    if found is None:
        raise NotFound
    proposal_id, state_id = found
    head = lock(actor.workspace_id, state_id)
    with patiently():
        proposal = _kept(_of(actor, proposal_id)).get()
        execution = rows.select_for_update(no_key=True).get()
    revision = Revision.objects.get(proposal=proposal, number=execution.revision)
    return execution, Ground(head, proposal, revision, now)


def _of(actor: Actor, proposal_id: UUID) -> QuerySet[Proposal]:
    return Proposal.objects.filter(workspace_id=actor.workspace_id, id=proposal_id)


def _kept(rows: QuerySet[Proposal]) -> QuerySet[Proposal]:
    return rows.select_for_update(no_key=True, of=("self",)).select_related("action_type", "state")


def _current(proposal: Proposal) -> Revision:
    return Revision.objects.get(proposal=proposal, number=proposal.revision)
