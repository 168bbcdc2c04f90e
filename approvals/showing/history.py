"""What happened to a proposal so far, in the order in which it happened?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from approvals.formats import Segment
from approvals.queries.around import wordings
from approvals.showing.reading import Reader
from approvals.showing.texts import told

# The last decision tells these; an event of their own would say it twice.
_TOLD_BY_DECISIONS = frozenset({"approved", "rejected"})
_DONE: Mapping[str, tuple[str, str]] = {
    "approve": ("approved", "approved"),
    "reject": ("rejected", "rejected"),
    "request_changes": ("changes_requested", "asked for changes of"),
}


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: when, who, what they did, and in their own words why."""

    at: datetime
    icon: str
    who: str
    what: str
    said: tuple[Segment, ...] = ()
    ticked: tuple[str, ...] = ()
    fact: str = ""
    signed: str = ""
    revision: int | None = None
    snapshot_number: int | None = None


def history(reader: Reader) -> list[Event]:
    """Return what happened, oldest first, as far as this reader may know it."""
    events = [*_wordings(reader), *_decisions(reader), *_ending(reader)]
    return sorted(events, key=lambda event: event.at)


def _wordings(reader: Reader) -> Iterator[Event]:
    for row in wordings(reader.found):
        if row.number == 1:
            who = reader.found.proposal.proposer["name"]
            yield Event(row.created_at, "proposal", who, "proposed this", revision=1)
        else:
            what = f"Revision {row.number} was made"
            # A recall would tell that somebody had approved.
            is_by_a_decider = row.author["kind"] == "person" and not _took_part(row.author, row)
            said = () if reader.is_blind and is_by_a_decider else told(row.why)
            yield Event(row.created_at, "superseded", "", what, said=said, revision=row.number)


def _took_part(author: Mapping[str, str], row: Any) -> bool:
    return f"{author['kind']}:{author['id']}" in row.lineage


def _decisions(reader: Reader) -> Iterator[Event]:
    for row in reader.found.decisions:
        icon, verb = _DONE[row.choice]
        signature = getattr(row, "signature", None)
        yield Event(
            row.decided_at,
            icon,
            row.person.name,
            f"{verb} revision {row.revision}{_in_place_of(row)}",
            said=told(row.reason),
            ticked=tuple(row.ticked),
            fact=row.fact,
            signed=f"{signature.printed_name}: {signature.meaning}" if signature else "",
        )


def _in_place_of(row: Any) -> str:
    return f" in place of {row.stands_for.name}" if row.stands_for else ""


def _ending(reader: Reader) -> Iterator[Event]:
    proposal, execution = reader.found.proposal, reader.found.execution
    if proposal.settled_at and proposal.status not in _TOLD_BY_DECISIONS:
        what = f"{proposal.settled_by or 'System'}: {proposal.status}"
        reason = told(proposal.settled_reason)
        yield Event(proposal.settled_at, proposal.status, "", what, said=reason)
    if execution and execution.sent_at:
        yield Event(execution.sent_at, "sent", "", f"Sent through {execution.connector}")
    if execution and execution.executed_at:
        number = execution.snapshot_number
        what = "Carried out as" if number else "It happened outside; the record has moved meanwhile"
        yield Event(execution.executed_at, "snapshot", "", what, snapshot_number=number)
