"""Take back what was proposed and not yet decided."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from approvals import lifecycle
from approvals.models import Execution, Proposal
from approvals.operations.settling import settle
from console.access.rights import allows
from console.actors import Actor
from console.errors import Forbidden, NotFound


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
    """Withdraw what an origin left open or unsent; a run that ends tidies up after itself."""
    with transaction.atomic():
        rows = Proposal.objects.select_for_update(no_key=True, of=("self",)).filter(
            workspace_id=actor.workspace_id, origin=origin
        )
        is_held = Q(status="approved", executions__status__in=lifecycle.UNSENT)
        withdrawn = 0
        for proposal in rows.filter(Q(status__in=lifecycle.OPEN) | is_held).order_by("id"):
            held = Execution.objects.filter(proposal=proposal, status__in=lifecycle.UNSENT)
            recalled = held.update(status="recalled", problem=reason)
            # The sender may have carried it out while this waited for the proposal.
            if recalled or lifecycle.is_open(proposal.status):
                settle(proposal, "withdrawn", actor=actor, reason=reason, now=now)
                withdrawn += 1
    return withdrawn
