"""What does the queue show: what waits, for whom, how urgently, and what was just settled?"""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from approvals import policy, queries
from approvals.fields import rows
from approvals.formats import Segment
from approvals.policy import Reviewer
from approvals.queries import Settled, Waiting
from approvals.showing.agreeing import Agreement, agreement
from approvals.showing.texts import told
from console.actors import Actor
from console.paging import page

PAGE_SIZE = 50
SETTLED_SIZE = 8
COUNTED_AT_MOST = 1000
# How far down the queue the next one for this person is looked for.
NEXT_WITHIN = 40
_MEASURED = frozenset({"money", "dose"})


@dataclass(frozen=True, slots=True)
class Figure:
    """The one amount that a row is about, and what it is the amount of."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Card:
    """One row of the queue."""

    id: UUID
    title: tuple[Segment, ...]
    place: str
    proposer: str
    risk: int
    due_at: datetime
    figure: Figure | None
    agreement: Agreement
    is_my_turn: bool


@dataclass(frozen=True, slots=True)
class SettledCard:
    """One row of what no longer waits."""

    id: UUID
    title: tuple[Segment, ...]
    place: str
    status: str
    by: str
    at: datetime | None
    reason: str
    snapshot_number: int | None


def queue(actor: Actor, cursor: str = "") -> dict[str, object]:
    """Return what `approvals/_queue.html` shows. Raises: BadCursor (400)."""
    waiting = queries.open_proposals(actor.workspace_id)
    found = page(waiting, by="rank", cursor=cursor, size=PAGE_SIZE, newest_first=False)
    reviewer = queries.reviewer(actor)
    cards = [_card(actor, reviewer, item) for item in queries.with_wording(found.rows)]
    recent = queries.recently_settled(actor.workspace_id, size=SETTLED_SIZE)
    total = queries.count_open(actor.workspace_id, at_most=COUNTED_AT_MOST)
    return {
        "cards": cards,
        "mine": sum(card.is_my_turn for card in cards),
        "total": f"{total:,}+" if total == COUNTED_AT_MOST else f"{total:,}",
        "settled": [_settled_card(item) for item in queries.with_execution(recent)],
        "cursor": cursor,
        "next_cursor": found.next_cursor,
    }


def settled(workspace_id: UUID, cursor: str = "") -> dict[str, object]:
    """Return what `approvals/settled.html` shows. Raises: BadCursor (400)."""
    found = page(queries.settled_proposals(workspace_id), by="settled_at", cursor=cursor)
    cards = [_settled_card(item) for item in queries.with_execution(found.rows)]
    return {"cards": cards, "cursor": cursor, "next_cursor": found.next_cursor}


def next_for(actor: Actor, *, after: UUID) -> Card | None:
    """Return what this person can decide next, other than what they are looking at."""
    first = queries.first_waiting(actor.workspace_id, size=NEXT_WITHIN)
    reviewer = queries.reviewer(actor)
    cards = (_card(actor, reviewer, item) for item in first if item.proposal.id != after)
    return next((card for card in cards if card.is_my_turn), None)


def _card(actor: Actor, reviewer: Reviewer, item: Waiting) -> Card:
    proposal = item.proposal
    question = queries.question(proposal, item.revision, datetime.now(UTC))
    terms = question.terms
    barred = policy.objection_to(reviewer, question)
    has_said = any(str(said.person_id) == actor.id for said in item.decisions)
    return Card(
        id=proposal.id,
        title=told(proposal.title),
        place=proposal.state.key,
        proposer=proposal.proposer["name"],
        risk=proposal.risk,
        due_at=proposal.due_at,
        figure=_figure(item),
        agreement=agreement(
            terms,
            [said.person.get_short_name() for said in item.decisions if said.choice == "approve"],
        ),
        is_my_turn=barred is None and not has_said,
    )


def _figure(item: Waiting) -> Figure | None:
    fields = queries.fields_of(item.proposal.action_type)
    if not any(field.kind in _MEASURED for field in fields):
        return None
    # Without the documents a unit beside the value is unknown; then the row shows no number.
    changed = rows(item.changes, fields, None, None)
    measured = [
        row for row in changed if row.kind in _MEASURED and (row.unit or row.kind == "dose")
    ]
    first = max(measured, key=lambda row: row.risk, default=None)
    shown = first and (first.after or first.before)
    return Figure(first.label, shown.text) if first and shown else None


def _settled_card(item: Settled) -> SettledCard:
    proposal, execution = item.proposal, item.execution
    is_held = execution is not None and execution.status == "held"
    return SettledCard(
        id=proposal.id,
        title=told(proposal.title),
        place=proposal.state.key,
        status="held" if is_held else proposal.status,
        by=proposal.settled_by,
        at=proposal.settled_at,
        reason=proposal.settled_reason,
        snapshot_number=execution.snapshot_number if execution else None,
    )
