"""What would deciding on several at once do, or what did it do, one by one?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from approvals import queries
from approvals.formats import Segment
from approvals.operations.bulk import Item, Result
from approvals.operations.deciding import Act
from approvals.policy import REASON_CODES
from approvals.queries import queueing
from approvals.showing.cards import Figure, figure
from approvals.showing.texts import told
from console.actors import Actor
from console.words import counted

_WOULD = {
    "approved": "Would be approved",
    "rejected": "Would be rejected",
    "pending": "Would be recorded, and wait for more",
}
_DID = {"approved": "Approved", "rejected": "Rejected", "pending": "Recorded, waits for more"}


@dataclass(frozen=True, slots=True)
class Line:
    """One of the proposals, and what becomes of it."""

    id: UUID
    title: tuple[Segment, ...]
    place: str
    figure: Figure | None
    status: str
    label: str
    sentence: str


def together(
    actor: Actor, items: Sequence[Item], act: Act, results: Sequence[Result], *, is_done: bool
) -> dict[str, Any]:
    """Return what `approvals/queue_decide.html` shows.

    Of a dry run only those that would be decided are offered to be decided.
    """
    well = [item for item, result in zip(items, results, strict=True) if result.ok]
    verb = "Approve" if act.choice == "approve" else "Reject"
    number = counted(len(well), "proposal")
    left = len(items) - len(well)
    return {
        "heading": f"{verb} {counted(len(items), 'proposal')} together",
        "note": _note(number, left, is_done=is_done),
        "results": _lines(actor, results, is_done=is_done),
        "items": [written(item) for item in well or items],
        "is_possible": bool(well),
        "codes": REASON_CODES,
        "act": act,
        "button": f"{verb} {number}",
        "is_done": is_done,
    }


def written(item: Item) -> str:
    """Return what a box or a hidden field sends for one proposal as it was seen."""
    return f"{item.proposal_id}.{item.seen.revision}.{item.seen.digest}"


def _note(number: str, left: int, *, is_done: bool) -> str:
    if is_done:
        return f"Decided on {number}." + (f" {left} not decided on; see why." if left else "")
    rest = f" {left} would be left out; see why." if left else ""
    return f"Nothing is decided yet. This would decide on {number}.{rest}"


def _lines(actor: Actor, results: Sequence[Result], *, is_done: bool) -> list[Line]:
    found = queueing.among(actor.workspace_id, [result.proposal_id for result in results])
    waiting = {item.proposal.id: item for item in queries.with_wording([*found.values()])}
    lines = []
    for result in results:
        row, item = found.get(result.proposal_id), waiting.get(result.proposal_id)
        words = _DID if is_done else _WOULD
        lines.append(
            Line(
                id=result.proposal_id,
                title=told(row.title) if row else told("Nothing here under this name"),
                place=row.state.key if row else "",
                figure=figure(item) if item else None,
                status=result.outcome if result.ok else "warning",
                label=words.get(result.outcome, "Left out") if result.ok else "Left out",
                sentence=result.sentence,
            )
        )
    return lines
