"""Where does a proposal stand, in one word and one sentence?"""

from dataclasses import dataclass
from datetime import datetime

from approvals import lifecycle
from approvals.queries import Detail
from approvals.showing.agreeing import Agreement
from console.words import listed

NOTHING_CHANGED = "Nothing was changed."


@dataclass(frozen=True, slots=True)
class Standing:
    """A status for the badge, and what became of it once it is settled."""

    status: str
    label: str
    sentence: str = ""
    at: datetime | None = None
    held_until: datetime | None = None
    snapshot_number: int | None = None
    problem: str = ""


def standing(found: Detail, agreed: Agreement) -> Standing:
    """Say where a proposal stands now."""
    proposal = found.proposal
    if lifecycle.is_open(proposal.status):
        return _open(proposal.status, agreed)
    if proposal.status == "approved":
        return _approved(found, agreed)
    label = {"stale": "Out of date"}.get(proposal.status, proposal.status.capitalize())
    return Standing(
        proposal.status, label, _ended(proposal.status, proposal.settled_by), proposal.settled_at
    )


def _open(status: str, agreed: Agreement) -> Standing:
    if status == "info_requested":
        return Standing(status, "Question asked")
    if status == "changes_requested":
        return Standing(status, "Changes requested")
    if agreed.agreed and agreed.missing:
        return Standing("needs-second", f"Needs {agreed.missing} more")
    return Standing("pending", "Needs review")


def _approved(found: Detail, agreed: Agreement) -> Standing:
    proposal, execution = found.proposal, found.execution
    sentence = f"Approved by {listed(agreed.agreed) or proposal.settled_by}."
    if execution is not None and execution.break_glass_id:
        sentence = f"Carried out in an emergency by {proposal.settled_by}; a review is owed."
    if execution is None or execution.status == "recalled":
        return Standing("approved", "Approved", sentence, proposal.settled_at)
    if execution.status == "held":
        return Standing(
            "held", "Approved, held", sentence, proposal.settled_at, held_until=execution.due_at
        )
    if execution.status == "failed":
        return Standing(
            "failed", "Not carried out", sentence, proposal.settled_at, problem=execution.problem
        )
    return Standing(
        "executed",
        "Carried out",
        sentence,
        execution.executed_at,
        snapshot_number=execution.snapshot_number,
    )


def _ended(status: str, by: str) -> str:
    sentences = {
        "rejected": f"Rejected by {by}.",
        "denied": f"Denied by a policy when it was proposed ({by}); nobody was asked.",
        "expired": "Nobody decided before the deadline.",
        "stale": "The record moved, and the action is no longer possible.",
        "withdrawn": f"Withdrawn by {by}.",
        "invalidated": f"Made void by {by}.",
    }
    return f"{sentences.get(status, status)} {NOTHING_CHANGED}"
