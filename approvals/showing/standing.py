"""Where does a proposal stand, in one word and one sentence?"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from approvals import lifecycle
from approvals.queries import Detail
from approvals.showing.agreeing import Agreement
from approvals.showing.carrying import label as label_of
from console.words import listed

if TYPE_CHECKING:
    from approvals.models import Execution

NOTHING_CHANGED = "Nothing was changed."
# The badge beside the title of a proposal whose effect is on its way out of the house.
_ON_ITS_WAY = {
    "ready": "Approved, waits to be sent",
    "claimed": "Approved, being sent",
    "sent": "Sent, no answer yet",
    "in_doubt": "In doubt",
    "quarantined": "Approved, set aside",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """A status for the badge, and what became of it once it is settled.

    `outside` is the execution, where it leaves the house: it has a page of its own.
    """

    status: str
    label: str
    sentence: str = ""
    at: datetime | None = None
    held_until: datetime | None = None
    snapshot_number: int | None = None
    problem: str = ""
    outside: UUID | None = None
    was_sent: bool = False

    @property
    def may_be_recalled(self) -> bool:
        """Say whether not a byte of it has left, so that it can be taken back."""
        return lifecycle.may_be_taken_back(self.status, was_sent=self.was_sent)


def standing(found: Detail, agreed: Agreement) -> Standing:
    """Say where a proposal stands now."""
    proposal = found.proposal
    if lifecycle.is_open(proposal.status):
        return _open(proposal.status, agreed)
    if proposal.status == "approved":
        return _approved(found, agreed)
    execution = found.execution
    if execution is not None and execution.connector and execution.status == "failed":
        return _not_carried_out(execution, _approval(found, agreed), proposal.settled_at)
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
    sentence = _approval(found, agreed)
    if execution is None or execution.status == "recalled":
        return Standing("approved", "Approved", sentence, proposal.settled_at)
    if execution.status in _ON_ITS_WAY:
        status = execution.status
        at = execution.sent_at or proposal.settled_at
        label, was_sent = _ON_ITS_WAY[status], execution.was_sent
        return Standing(status, label, sentence, at, outside=execution.id, was_sent=was_sent)
    if execution.status == "held":
        until, outside = execution.due_at, execution.id if execution.connector else None
        return Standing(
            "held", "Approved, held", sentence, proposal.settled_at, until, outside=outside
        )
    if execution.status == "failed":
        return _not_carried_out(execution, sentence, proposal.settled_at)
    return Standing(
        "executed" if execution.status == "succeeded" else execution.status,
        label_of(execution.status),
        sentence,
        execution.executed_at,
        snapshot_number=execution.snapshot_number,
        problem=execution.problem,
        outside=execution.id if execution.connector else None,
    )


def _approval(found: Detail, agreed: Agreement) -> str:
    if found.execution is not None and found.execution.break_glass_id:
        who = found.proposal.settled_by
        return f"Carried out in an emergency by {who}; a review is owed."
    return f"Approved by {listed(agreed.agreed) or found.proposal.settled_by}."


def _not_carried_out(execution: "Execution", sentence: str, at: datetime | None) -> Standing:
    outside = execution.id if execution.connector else None
    label = label_of("failed")
    return Standing("failed", label, sentence, at, problem=execution.problem, outside=outside)


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
