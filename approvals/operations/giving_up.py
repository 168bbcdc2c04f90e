"""Let go of what was approved and is not carried out: back to people, or for good."""

from approvals import lifecycle
from approvals.models import Execution
from approvals.operations.evaluating import DeniedByPolicy
from approvals.operations.exposing import refund, release
from approvals.operations.revising import reopen
from approvals.operations.settling import announce, wake
from approvals.operations.telling import tell_failed
from approvals.operations.undoing import note_not_undone
from approvals.operations.verifying import Ground
from console.actors import Actor
from console.ledger.operations.appending import append

PROBLEM_AT_MOST = 500


def give_back(execution: Execution, ground: Ground, actor: Actor, why: str) -> None:
    """Let it wait for people again, as a new revision that says why.

    Part of the caller's transaction, which holds State, proposal and execution.
    """
    try:
        reopen(
            ground.proposal,
            ground.current,
            ground.shown,
            actor=actor,
            why=f"Not carried out: {why}"[:200],
            now=ground.now,
        )
    except DeniedByPolicy as refused:
        drop(execution, ground, actor, refused.sentence)
        return
    execution.status, execution.problem = "recalled", why[:PROBLEM_AT_MOST]
    execution.save(update_fields=["status", "problem"])
    about = f"proposal:{ground.proposal.id}"
    append(actor, "execution.given_back", about, {"reason": why})
    announce(ground.proposal.id, ground.proposal.workspace_id)


def drop(execution: Execution, ground: Ground, actor: Actor, why: str) -> None:
    """Let it fail: nothing was changed, here or outside, and nothing will be.

    Part of the caller's transaction, which holds State, proposal and execution.
    """
    execution.status, execution.problem = "failed", why[:PROBLEM_AT_MOST]
    execution.save(update_fields=["status", "problem"])
    proposal = ground.proposal
    if lifecycle.may_move(proposal.status, "stale"):
        proposal.status, proposal.settled_at = "stale", ground.now
        proposal.settled_by, proposal.settled_reason = actor.name, why[:1000]
        proposal.save(update_fields=["status", "settled_at", "settled_by", "settled_reason"])
    release(proposal)
    refund(proposal)
    tell_failed(proposal, now=ground.now)
    note_not_undone(proposal, why, actor, ground.now)
    append(actor, "execution.failed", f"proposal:{proposal.id}", {"reason": why})
    wake(proposal)
    announce(proposal.id, proposal.workspace_id)
