"""Take back what was proposed and not yet decided."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from approvals import lifecycle
from approvals.models import Execution, Proposal
from approvals.operations.recalling import take_back
from approvals.operations.settling import settle
from console.access.rights import allows
from console.actors import Actor
from console.errors import Forbidden, NotFound
from console.ledger.operations.appending import append
from console.locking import patiently


def withdraw(*, actor: Actor, proposal_id: UUID, reason: str, now: datetime) -> str:
    """Withdraw one open proposal and return its status; a settled one stays as it is.

    Locks: the proposal. Raises: NotFound (404), Forbidden (403).
    """
    with transaction.atomic():
        rows = Proposal.objects.select_for_update(no_key=True, of=("self",))
        proposal = rows.filter(workspace_id=actor.workspace_id, id=proposal_id).first()
        if proposal is None:
            raise NotFound
        if actor.ref not in proposal.lineage and not allows(actor.roles, "administer"):
            raise Forbidden("Only whoever proposed it, or an admin, may withdraw a proposal.")
        if lifecycle.is_open(proposal.status):
            settle(proposal, "withdrawn", actor=actor, reason=reason, now=now)
    return proposal.status


def withdraw_from(*, actor: Actor, origin: str, reason: str, now: datetime) -> int:
    """Withdraw what an origin left open or unsent; a run that ends tidies up after itself.

    What has gone out once stays as it is, whatever its origin does now.
    Locks: the proposals, then their executions and those that they were to undo, all of them
    before the first line in the ledger. Raises: Busy (409).
    """
    with transaction.atomic():
        rows = Proposal.objects.select_for_update(no_key=True, of=("self",)).filter(
            workspace_id=actor.workspace_id, origin=origin
        )
        is_held = Q(status="approved", executions__status__in=lifecycle.UNSENT)
        with patiently():
            found = list(rows.filter(Q(status__in=lifecycle.OPEN) | is_held).order_by("id"))
            held = _held(found)
        for execution in held.values():
            take_back(execution, reason)
        taken = [each for each in found if each.id in held or lifecycle.is_open(each.status)]
        for proposal in taken:
            settle(proposal, "withdrawn", actor=actor, reason=reason, now=now)
            if proposal.id in held:
                about = f"proposal:{proposal.id}"
                append(actor, "execution.recalled", about, {"reason": reason})
    return len(taken)


def _held(proposals: Sequence[Proposal]) -> dict[UUID, Execution]:
    """Return what may be taken back of these, by proposal.

    The sender may have carried it out while this waited for the proposal.
    """
    rows = Execution.objects.select_for_update(no_key=True, of=("self",))
    theirs = Q(proposal__in=proposals) | Q(compensation__proposal__in=proposals)
    kept = list(rows.filter(theirs).order_by("id"))
    ids = {each.id for each in proposals}
    return {
        each.proposal_id: each
        for each in kept
        if each.proposal_id in ids
        and lifecycle.may_be_taken_back(each.status, was_sent=each.was_sent)
    }
