"""What does one row of the queue say?"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from approvals import lifecycle, policy, queries
from approvals.fields import rows
from approvals.formats import Segment
from approvals.formats.numbers import show_money
from approvals.policy import LEVELS, SIGNED, Question
from approvals.queries import Settled, Waiting, queueing
from approvals.queries.queueing import COMPARED_AT_MOST, Touching, Viewer
from approvals.showing.agreeing import Agreement, agreement
from approvals.showing.carrying import label as label_of
from approvals.showing.texts import told

if TYPE_CHECKING:
    from approvals.models import Execution

BULK_LEVEL = 1
_MEASURED = frozenset({"money", "dose"})
_LINKED_AT_MOST = 3


@dataclass(frozen=True, slots=True)
class Figure:
    """The one amount that a row is about, and what it is the amount of."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Chip:
    """One thing to know before opening it: an icon by its status, and words."""

    status: str
    label: str


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another open proposal that changes the same place."""

    id: UUID
    title: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Others:
    """What else touches this: how many, whether there may be more, and the first of them."""

    label: str
    first: tuple[Neighbour, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """One row of the queue that waits.

    `is_blind` keeps from whoever signs second what the first one said. `pick` is what a box sends
    to decide on several at once: id, revision and digest, or nothing where each is looked at.
    """

    id: UUID
    rank: int
    title: tuple[Segment, ...]
    place: str
    proposer: str
    risk: int
    level: int
    level_says: str
    due_at: datetime
    is_paused: bool
    figure: Figure | None
    agreement: Agreement
    is_my_turn: bool
    is_blind: bool
    chips: tuple[Chip, ...]
    assignee: str
    claimed_by: str
    claimed_until: datetime | None
    can_claim: bool
    can_release: bool
    others: Others | None
    pick: str
    revision: int
    is_done: bool = False


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
    is_done: bool = True

    @property
    def label(self) -> str:
        """Return the status in words."""
        return "Approved, held" if self.status == "held" else label_of(self.status)


def waiting_cards(
    found: Sequence[Waiting], known: Viewer, workspace_id: UUID, now: datetime
) -> list[Card]:
    """Return a row for each that waits; asks once for what touches the same places."""
    others = _others(found, workspace_id) if found else {}
    return [_card(item, known, others.get(item.proposal.id), now) for item in found]


def is_my_turn(item: Waiting, known: Viewer, now: datetime) -> bool:
    """Say whether this person can decide on it now, for themselves or in somebody's place."""
    if not lifecycle.is_decidable(item.proposal.status) or now >= item.proposal.due_at:
        return False
    question = queries.question(item.proposal, item.revision, now)
    return _may(known.mine, question, _heard(item))


def settled_card(item: Settled) -> SettledCard:
    """Return the row of one that was settled."""
    proposal, execution = item.proposal, item.execution
    return SettledCard(
        id=proposal.id,
        title=told(proposal.title),
        place=proposal.state.key,
        status=_status(proposal.status, execution),
        by=proposal.settled_by,
        at=proposal.settled_at,
        reason=proposal.settled_reason,
        snapshot_number=execution.snapshot_number if execution else None,
    )


def _status(status: str, execution: "Execution | None") -> str:
    """Return the status of a settled proposal, or that of its effect where it says more."""
    if execution is None or status not in {"approved", "stale"}:
        return status
    if execution.status in lifecycle.UNDER_WAY:
        return execution.status
    is_told = execution.connector and execution.status not in {"recalled", "succeeded"}
    return execution.status if is_told else status


def _card(item: Waiting, known: Viewer, others: Others | None, now: datetime) -> Card:
    row, mine = item.proposal, is_my_turn(item, known, now)
    question = queries.question(row, item.revision, now)
    blind = mine and row.level >= SIGNED
    agreed = _agreement(item, question, is_blind=blind)
    claim = _claim(item, known, now)
    return Card(
        id=row.id,
        rank=row.rank,
        title=told(row.title),
        place=row.state.key,
        proposer=row.proposer["name"],
        risk=row.risk,
        level=row.level,
        level_says=LEVELS[row.level],
        due_at=row.due_at,
        is_paused=row.paused_at is not None,
        figure=figure(item),
        agreement=agreed,
        is_my_turn=mine,
        is_blind=blind,
        chips=tuple(_chips(item, known, question, agreed)),
        assignee=_name(row.assignee, known),
        others=others,
        pick=_pick(item) if mine and row.level == BULK_LEVEL else "",
        revision=row.revision,
        can_claim=mine and not claim["claimed_by"],
        **claim,
    )


def _claim(item: Waiting, known: Viewer, now: datetime) -> dict[str, Any]:
    row = item.proposal
    if row.claimed_until is None or row.claimed_until <= now:
        return {"claimed_by": "", "claimed_until": None, "can_release": False}
    is_own = row.claimed_by_id == known.person_id
    name = _name(row.claimed_by, known)
    return {"claimed_by": name, "claimed_until": row.claimed_until, "can_release": is_own}


def _name(person: Any, known: Viewer) -> str:
    if person is None:
        return ""
    return "you" if person.id == known.person_id else str(person.get_short_name())


def _agreement(item: Waiting, question: Question, *, is_blind: bool) -> Agreement:
    approved = [said.person for said in item.decisions if said.choice == "approve"]
    names = [] if is_blind else [person.get_short_name() for person in approved]
    return agreement(question.terms, names)


def _chips(item: Waiting, known: Viewer, question: Question, agreed: Agreement) -> Iterable[Chip]:
    row = item.proposal
    if row.status == "info_requested":
        yield Chip("info_requested", "Question asked")
    elif row.status == "changes_requested":
        yield Chip("changes_requested", "Changes requested")
    elif not _may(known.deciders, question, _heard(item)):
        yield Chip("failed", "Nobody may decide")
    elif agreed.agreed and agreed.missing:
        yield Chip("needs-second", f"Needs {agreed.missing} more")
    if item.revision.false_authority:
        yield Chip("warning", "Claims an approval")
    if row.escalated_at is not None:
        yield Chip("warning", "Escalated")


def _heard(item: Waiting) -> frozenset[str]:
    """Return everybody who has had their say on this wording, themselves or through another."""
    said = {f"person:{one.person_id}" for one in item.decisions}
    return frozenset(said | {f"person:{one.stands_for_id}" for one in item.decisions})


def _may(reviewers: Iterable[Any], question: Question, heard: frozenset[str]) -> bool:
    return any(
        not one.refs & heard and policy.objection_to(one, question) is None for one in reviewers
    )


def _pick(item: Waiting) -> str:
    return f"{item.proposal.id}.{item.revision.number}.{item.revision.digest}"


def figure(item: Waiting) -> Figure | None:
    """Return the amount that a proposal is about, if it is about one."""
    row = item.proposal
    if row.amount is not None and row.currency:
        amount = row.amount.normalize()
        return Figure("Amount", show_money(str(amount), amount, None, row.currency).text)
    fields = queries.fields_of(row.action_type)
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


def _others(found: Sequence[Waiting], workspace_id: UUID) -> dict[UUID, Others]:
    """Return what else changes the same places, by proposal."""
    near = queueing.touching(workspace_id, {item.proposal.state_id for item in found})
    crowded = _crowded(near)
    near_by_id = {each.id: each for each in near}
    mine = [_touching(item) for item in found]
    meeting = _meetings({**near_by_id, **{each.id: each for each in mine}}.values())
    return {
        each.id: _said(meeting[each.id], is_all=each.state_id not in crowded)
        for each in mine
        if meeting[each.id]
    }


def _crowded(near: Iterable[Touching]) -> set[UUID]:
    """Return the States on which more may wait than were looked at."""
    counted: dict[UUID, int] = defaultdict(int)
    for each in near:
        counted[each.state_id] += 1
    return {state for state, number in counted.items() if number >= COMPARED_AT_MOST}


def _touching(item: Waiting) -> Touching:
    row, paths = item.proposal, frozenset(change.path for change in item.changes)
    return Touching(row.id, row.state_id, row.title, paths)


def _meetings(everything: Iterable[Touching]) -> dict[UUID, dict[UUID, Touching]]:
    """Return for each what changes the same place, a part of it, or what it is a part of."""
    at: dict[tuple[UUID, str], list[Touching]] = defaultdict(list)
    within: dict[tuple[UUID, str], list[Touching]] = defaultdict(list)
    known = list(everything)
    for each in known:
        for path in each.paths:
            at[each.state_id, path].append(each)
            for above in _above(path):
                within[each.state_id, above].append(each)
    meeting: dict[UUID, dict[UUID, Touching]] = defaultdict(dict)
    for each in known:
        for path in each.paths:
            higher = (at[each.state_id, above] for above in _above(path))
            for found in (at[each.state_id, path], within[each.state_id, path], *higher):
                meeting[each.id].update({other.id: other for other in found if other.id != each.id})
    return meeting


def _above(path: str) -> list[str]:
    return [path[:end] for end, letter in enumerate(path) if letter == "/"]


def _said(meeting: dict[UUID, Touching], *, is_all: bool) -> Others:
    number = len(meeting)
    first = [Neighbour(each.id, told(each.title)) for each in meeting.values()][:_LINKED_AT_MOST]
    who = "1 other touches this" if number == 1 else f"{number} others touch this"
    return Others(who if is_all else f"{number} or more others touch this", tuple(first))
