"""Move a proposal to where it stays, and tell whoever waits for it."""

from datetime import datetime
from uuid import UUID

from approvals import lifecycle
from approvals.models import Decision, Proposal
from approvals.operations.exposing import release
from approvals.operations.telling import tell_sent_back, tell_settled
from approvals.operations.undoing import note_not_undone
from approvals.policy import SIGNED
from console.actors import Actor
from console.canonical import Json
from console.doorbell.operations.ringing import ring_task
from console.ledger.operations.appending import append
from console.live import ring

_SETTLED = (
    "status",
    "settled_at",
    "settled_by",
    "settled_reason",
    "claimed_by",
    "claimed_until",
    "paused_at",
)


def settle(proposal: Proposal, status: str, *, actor: Actor, reason: str, now: datetime) -> None:
    """Close a locked proposal; part of the caller's transaction.

    Its line in the ledger holds the votes that were given blindly.
    """
    if not lifecycle.may_move(proposal.status, status):
        raise RuntimeError(f"A {proposal.status} proposal cannot become {status}.")
    if proposal.paused_at is not None:
        proposal.info_requests.filter(answered_at=None, withdrawn_at=None).update(withdrawn_at=now)
    proposal.status, proposal.settled_at = status, now
    proposal.settled_by, proposal.settled_reason = actor.name[:120], reason[:1000]
    # What somebody meant to do with it is over: a claim, and a question that stopped the clock.
    proposal.claimed_by = proposal.claimed_until = proposal.paused_at = None
    proposal.save(update_fields=_SETTLED)
    if status != "approved":
        release(proposal)
        note_not_undone(proposal, reason or status, actor, now)
    tell_settled(proposal, now=now)
    body: dict[str, Json] = {"status": status, "revision": proposal.revision, "reason": reason}
    if votes := _votes(proposal):
        body["votes"] = votes
    append(actor, f"proposal.{status}", f"proposal:{proposal.id}", body)
    wake(proposal)
    announce(proposal.id, proposal.workspace_id)


def send_back(proposal: Proposal, *, actor: Actor, reason: str, now: datetime) -> None:
    """Let the proposer of a locked proposal word it anew; part of the caller's transaction."""
    if not lifecycle.may_move(proposal.status, "changes_requested"):
        raise RuntimeError(f"A {proposal.status} proposal cannot be sent back.")
    proposal.status = "changes_requested"
    proposal.claimed_by = proposal.claimed_until = None
    proposal.save(update_fields=["status", "claimed_by", "claimed_until"])
    tell_sent_back(proposal, now=now)
    body: dict[str, Json] = {"revision": proposal.revision, "reason": reason}
    append(actor, "proposal.changes_requested", f"proposal:{proposal.id}", body)
    wake(proposal)
    announce(proposal.id, proposal.workspace_id)


def said_in(decision: Decision) -> dict[str, Json]:
    """Return what of a decision nobody learns who is blind to it."""
    return {
        "choice": decision.choice,
        "reason": decision.reason,
        "reason_code": decision.reason_code,
        "ticked": decision.ticked,
    }


def _votes(proposal: Proposal) -> list[Json]:
    """Return what was decided blindly, which no line of the ledger has said before."""
    blind = proposal.revisions.filter(terms__level__gte=SIGNED).values("number")
    made = Decision.objects.filter(proposal=proposal, revision__in=blind)
    return [
        {"decision": str(row.id), "person": f"person:{row.person_id}", **said_in(row)}
        for row in made.order_by("decided_at", "id")
    ]


def wake(proposal: Proposal) -> None:
    """Ring for the proposer; it reads the row and may find that it is not settled after all."""
    if proposal.wake_task:
        ring_task(proposal.wake_task, proposal.origin.partition(":")[2])


def announce(proposal_id: UUID, workspace_id: UUID) -> None:
    """Tell the open pages that this proposal, and so the queue, looks different now."""
    ring("proposal", proposal_id)
    ring("queue", workspace_id)
