"""Approve what a policy lets through by itself, and owe people a look at a share of it."""

import secrets
from datetime import datetime, timedelta

from approvals import lifecycle, queries
from approvals.models import Execution, Proposal, Review, Revision
from approvals.operations.executing import carry_out_or_hold
from approvals.operations.previewing import Preview
from approvals.operations.settling import settle
from approvals.operations.verifying import Ground
from approvals.policy import Terms
from console.actors import Actor
from console.locking import Busy
from snapshots.operations.committing import lock
from snapshots.queries import Head

LOOKED_AT_WITHIN = timedelta(days=7)
_PARTS = 1_000_000


def hold_still(shown: Preview) -> Head:
    """Keep a State where an action was previewed on it, to carry that out at once.

    Locks: the State. Raises: Busy (409).
    """
    head = lock(shown.base.workspace_id, shown.base.state_id)
    if (head.number, head.epoch) != (shown.base.number, shown.base.epoch):
        raise Busy
    if held := queries.held_on(head.state_id):
        raise Busy(lifecycle.keeps_off(held.status, held.proposal.title))
    return head


def approve_alone(
    proposal: Proposal, revision: Revision, head: Head, terms: Terms, now: datetime
) -> Execution:
    """Approve and carry out, or hold, what no person is asked about.

    Part of the proposing transaction, which holds the State. Raises: what executing raises.
    """
    actor = Actor("system", "policy", f"Policy {terms.policy}", proposal.workspace_id)
    why = f"Approved by the policy alone, version {terms.version}."
    settle(proposal, "approved", actor=actor, reason=why, now=now)
    execution = carry_out_or_hold(Ground(head, proposal, revision, now), actor)
    if is_drawn(terms.sample):
        Review.objects.create(
            workspace_id=proposal.workspace_id,
            execution=execution,
            cause="sample",
            number=1,
            due_at=execution.due_at + LOOKED_AT_WITHIN,
        )
    return execution


def is_drawn(share: float) -> bool:
    """Say whether this one is looked at afterwards; nobody can foresee which ones are."""
    return secrets.randbelow(_PARTS) < share * _PARTS
