"""Move a proposal to where it stays, and tell whoever waits for it."""

from datetime import datetime
from uuid import UUID

from approvals import lifecycle
from approvals.models import Proposal
from console.actors import Actor
from console.canonical import Json
from console.doorbell.operations.ringing import ring_task
from console.ledger.operations.appending import append
from console.live import ring


def settle(proposal: Proposal, status: str, *, actor: Actor, reason: str, now: datetime) -> None:
    """Close a locked proposal; part of the caller's transaction."""
    if not lifecycle.may_move(proposal.status, status):
        raise RuntimeError(f"A {proposal.status} proposal cannot become {status}.")
    proposal.status, proposal.settled_at = status, now
    proposal.settled_by, proposal.settled_reason = actor.name[:120], reason[:1000]
    proposal.save(update_fields=["status", "settled_at", "settled_by", "settled_reason"])
    body: dict[str, Json] = {"status": status, "revision": proposal.revision, "reason": reason}
    append(actor, f"proposal.{status}", f"proposal:{proposal.id}", body)
    wake(proposal)
    announce(proposal.id, proposal.workspace_id)


def wake(proposal: Proposal) -> None:
    """Ring for the proposer; it reads the row and may find that it is not settled after all."""
    if proposal.wake_task:
        ring_task(proposal.wake_task, proposal.origin.partition(":")[2])


def announce(proposal_id: UUID, workspace_id: UUID) -> None:
    """Tell the open pages that this proposal, and so the queue, looks different now."""
    ring("proposal", proposal_id)
    ring("queue", workspace_id)
