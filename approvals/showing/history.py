"""What happened to a proposal so far, in the order in which it happened?"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from approvals.formats import Segment
from approvals.queries import Detail, revisions
from approvals.showing.texts import told

# The last decision tells these; an event of their own would say it twice.
_TOLD_BY_DECISIONS = frozenset({"approved", "rejected"})


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: when, who, what they did, and in their own words why."""

    at: datetime
    icon: str
    who: str
    what: str
    said: tuple[Segment, ...] = ()
    ticked: tuple[str, ...] = ()
    revision: int | None = None
    snapshot_number: int | None = None


def history(found: Detail) -> list[Event]:
    """Return what happened, oldest first."""
    events = [*_wordings(found), *_decisions(found), *_ending(found)]
    return sorted(events, key=lambda event: event.at)


def _wordings(found: Detail) -> Iterator[Event]:
    proposal = found.proposal
    for row in revisions(proposal.workspace_id, proposal.id):
        if row.number == 1:
            who = proposal.proposer["name"]
            yield Event(row.created_at, "proposal", who, "proposed this", revision=1)
        else:
            what = f"Revision {row.number} was made"
            yield Event(
                row.created_at, "superseded", "", what, said=told(row.why), revision=row.number
            )


def _decisions(found: Detail) -> Iterator[Event]:
    verbs = {"approve": ("approved", "approved"), "reject": ("rejected", "rejected")}
    for row in found.decisions:
        icon, verb = verbs[row.choice]
        yield Event(
            row.decided_at,
            icon,
            row.person.name,
            f"{verb} revision {row.revision}",
            said=told(row.reason),
            ticked=tuple(row.ticked),
        )


def _ending(found: Detail) -> Iterator[Event]:
    proposal, execution = found.proposal, found.execution
    if proposal.settled_at and proposal.status not in _TOLD_BY_DECISIONS:
        what = f"{proposal.settled_by or 'System'}: {proposal.status}"
        reason = told(proposal.settled_reason)
        yield Event(proposal.settled_at, proposal.status, "", what, said=reason)
    if execution and execution.executed_at:
        yield Event(
            execution.executed_at,
            "snapshot",
            "",
            "Carried out as",
            snapshot_number=execution.snapshot_number,
        )
