"""Void what was proposed on a State that is brought back."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from approvals import lifecycle
from approvals.models import Proposal
from approvals.operations.settling import settle
from console.actors import Actor
from console.locking import patiently


def lock_all(workspace_id: UUID, state_ids: Sequence[UUID], origins: Sequence[str]) -> None:
    """Keep what is open or held on these States, or comes from these runs, from being settled.

    All at once and in order: whoever takes one more of them after its first line in the ledger
    could wait for somebody who waits for the ledger.
    Locks: the proposals until the transaction ends. Raises: Busy (409).
    """
    is_held = Q(status="approved", executions__status__in=lifecycle.UNDER_WAY)
    rows = Proposal.objects.select_for_update(no_key=True, of=("self",))
    rows = rows.filter(Q(state__in=state_ids) | Q(origin__in=origins), workspace=workspace_id)
    rows = rows.filter(Q(status__in=lifecycle.OPEN) | is_held)
    with patiently():
        list(rows.order_by("id").values_list("id", flat=True))


def invalidate(
    *, actor: Actor, state_ids: Sequence[UUID], origins: Sequence[str], reason: str, now: datetime
) -> int:
    """Settle what is open on these States or comes from these runs as invalidated; return how many.

    Locks: the proposals, which the caller holds already; part of its transaction.
    """
    rows = Proposal.objects.select_for_update(no_key=True, of=("self",))
    rows = rows.filter(workspace=actor.workspace_id, status__in=lifecycle.OPEN)
    found = list(rows.filter(Q(state__in=state_ids) | Q(origin__in=origins)).order_by("id"))
    for proposal in found:
        settle(proposal, "invalidated", actor=actor, reason=reason, now=now)
    return len(found)
