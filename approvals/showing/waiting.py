"""What does the queue show: what waits, for whom, how urgently, and what was just settled?

A page that is open keeps the rows it was opened with, in their places: a row that was settled
says by whom, and what is new is only counted. The socket's address says which rows these are.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import UUID

from approvals import filtering, queries
from approvals.filtering import ME, Filters
from approvals.queries import canaries, queueing
from approvals.queries.queueing import ORDERS, Viewer
from approvals.showing.beside import Offer, offered
from approvals.showing.cards import Card, SettledCard, is_my_turn, settled_card, waiting_cards
from console.actors import Actor
from console.paging import BadCursor, page

if TYPE_CHECKING:
    from approvals.models import Proposal

PAGE_SIZE = 50
SETTLED_SIZE = 8
COUNTED_AT_MOST = 1000
NEW_AT_MOST = 25
# How far down the queue the next one for this person is looked for.
NEXT_WITHIN = 40
# How many pages are looked through for one row that this person may decide on.
TURNED_AT_MOST = 10
EVERYTHING = filtering.read({})
VIEWS: tuple[tuple[str, dict[str, str]], ...] = (
    ("Everything", {}),
    ("Mine", {"assignee": "me"}),
    ("I may decide", {"eligible": "me"}),
    ("High risk", {"risk_gte": "3"}),
    ("Due within an hour", {"due_before": "1h", "sort": "deadline"}),
    ("Unassigned", {"assignee": "none"}),
    ("Snoozed", {"snoozed": "me"}),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the list a page is, and which rows it was opened with, if it was.

    `settled` are the rows below the list, `following` the cursor of the page after it.
    """

    cursor: str = ""
    shown: tuple[UUID, ...] = ()
    settled: tuple[UUID, ...] = ()
    following: str = ""

    @property
    def address(self) -> str:
        """Return what a socket needs to be told, as the query of its address."""
        told = {
            "cursor": self.cursor,
            "shown": _pack(self.shown),
            "settled": _pack(self.settled),
            "following": self.following,
        }
        return urlencode({name: value for name, value in told.items() if value})


def place(asked: Mapping[str, str]) -> Place:
    """Read a place from an address. Raises: BadCursor (400)."""
    return Place(
        cursor=asked.get("cursor", ""),
        shown=_unpack(asked.get("shown", ""), 2 * PAGE_SIZE),
        settled=_unpack(asked.get("settled", ""), SETTLED_SIZE),
        following=asked.get("following", ""),
    )


def queue(actor: Actor, filters: Filters = EVERYTHING, at: Place = Place()) -> dict[str, Any]:
    """Return what `approvals/_queue.html` shows. Raises: BadCursor (400)."""
    now = datetime.now(UTC)
    known = queueing.viewer(actor, now)
    listed = _Listed(actor, filters, known, now, extra_cards(actor, filters, known, now))
    was_open = bool(at.shown)
    at = at if was_open else listed.find(at.cursor)
    made = listed.cards((*at.shown, *at.settled))
    cards = [made[each] for each in at.shown if each in made]
    waiting = [card for card in cards if isinstance(card, Card)]
    return {
        "cards": cards,
        "mine": sum(card.is_my_turn for card in waiting),
        "total": listed.total(waiting, at),
        "is_one": len(waiting) == 1 and not at.cursor and not at.following,
        "fresh": listed.fresh(at) if was_open else "",
        "settled": [made[each] for each in at.settled if each in made],
        "filters": filters,
        "narrowed": bool(filters.narrowing),
        "here": _joined(filters.address, urlencode({"cursor": at.cursor}) if at.cursor else ""),
        "first": filters.address,
        "following": _joined(filters.address, urlencode({"cursor": at.following})),
        "cursor": at.cursor,
        "next_cursor": at.following,
        "place": at,
        "lately": None if cards else queueing.lately(actor.workspace_id, known, now),
        "bulk": any(card.pick for card in waiting),
        "beside": beside(actor, filters, at),
    }


def beside(actor: Actor, filters: Filters, at: Place) -> list[Offer]:
    """Return what waits for people elsewhere; a narrowed list, or a later page, shows none."""
    if at.cursor or set(filters.narrowing) - {"eligible"}:
        return []
    return offered(actor)


def shelf(workspace_id: UUID, filters: Filters) -> dict[str, Any]:
    """Return what stands above the queue: views, and what the filters offer."""
    written = dict(filters.written)
    return {
        "views": views(written),
        "written": written,
        "is_filtered": any(name not in {"q", "sort"} for name in written)
        and written not in [asked for _, asked in VIEWS],
        "action_types": list(
            queries.action_types(workspace_id).order_by("label").values("name", "label")
        ),
        "policies": [rule.name for rule in queries.policies(workspace_id).rules],
    }


def views(written: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Return the views as links; the one that these filters are is the current one."""
    return [
        {"label": label, "query": urlencode(asked), "current": written == asked}
        for label, asked in VIEWS
    ]


def settled(workspace_id: UUID, cursor: str = "") -> dict[str, object]:
    """Return what `approvals/settled.html` shows. Raises: BadCursor (400)."""
    found = page(queries.settled_proposals(workspace_id), by="settled_at", cursor=cursor)
    cards = [settled_card(item) for item in queries.with_execution(found.rows)]
    return {"cards": cards, "cursor": cursor, "next_cursor": found.next_cursor}


def next_for(actor: Actor, *, after: UUID) -> Card | None:
    """Return what this person can decide next, other than what they are looking at."""
    now = datetime.now(UTC)
    known = queueing.viewer(actor, now)
    first = queries.first_waiting(actor.workspace_id, size=NEXT_WITHIN)
    mine = (item for item in first if item.proposal.id != after and is_my_turn(item, known, now))
    found = next(mine, None)
    return waiting_cards([found], known, actor.workspace_id, now)[0] if found else None


def row(actor: Actor, proposal_id: UUID) -> Card | SettledCard | None:
    """Return one row as it is now, or nothing when it is not there."""
    now = datetime.now(UTC)
    known = queueing.viewer(actor, now)
    extras = extra_cards(actor, EVERYTHING, known, now)
    listed = _Listed(actor, EVERYTHING, known, now, extras)
    return listed.cards((proposal_id,)).get(proposal_id)


def extra_cards(actor: Actor, filters: Filters, known: Viewer, now: datetime) -> list[Card]:
    """Return rows for this person that are no proposals, to be sorted in by their rank.

    They are counted nowhere. Shape: `id` is nobody else's, and the row looks like any other. A
    list that is narrowed to something else than what this person may decide shows none.
    """
    if actor.kind != "person" or set(filters.narrowing) - {"eligible"}:
        return []
    row = canaries.waiting_for(actor.workspace_id, UUID(actor.id), now)
    if row is None:
        return []
    found = canaries.detail_of(row)
    cards = waiting_cards(
        [queries.Waiting(found.proposal, found.revision, [])], known, actor.workspace_id, now
    )
    # Nothing would hold the claim.
    return [replace(card, can_claim=False) for card in cards]


@dataclass(frozen=True, slots=True)
class _Listed:
    """The list that one person asked for, at one moment."""

    actor: Actor
    filters: Filters
    known: Viewer
    now: datetime
    extras: Sequence[Card]

    def find(self, cursor: str) -> Place:
        """Return the rows that stand at a place now. Raises: BadCursor (400)."""
        begin, rows = cursor, []
        for _ in range(TURNED_AT_MOST):
            found = self._page(self._wanted(), cursor, PAGE_SIZE)
            rows, cursor = [*self._decidable(found.rows)], found.next_cursor
            if rows or not cursor:
                break
        shown = self._with_extras(rows, is_first=not begin, is_last=not cursor)
        return Place(begin, shown, () if begin else self._just_settled(), cursor)

    def _just_settled(self) -> tuple[UUID, ...]:
        """Return what was settled last; a narrowed list shows only what it asks for."""
        if self.filters.narrowing:
            return ()
        recent = queries.recently_settled(self.actor.workspace_id, size=SETTLED_SIZE)
        return tuple(each.id for each in recent)

    def cards(self, ids: Sequence[UUID]) -> dict[UUID, Card | SettledCard]:
        """Return a row for each, by id, whatever became of it."""
        found = queueing.among(self.actor.workspace_id, ids)
        still = [each for each in found.values() if each.settled_at is None]
        ended = [each for each in found.values() if each.settled_at is not None]
        wording = queries.with_wording(still) if still else []
        made: dict[UUID, Card | SettledCard] = {
            each.proposal.id: settled_card(each) for each in queries.with_execution(ended)
        }
        for card in waiting_cards(wording, self.known, self.actor.workspace_id, self.now):
            made[card.id] = card
        for card in self.extras:
            made[card.id] = card
        return made

    def total(self, waiting: Sequence[Card], at: Place) -> str:
        """Return how many wait, counted up to a limit."""
        if self.filters.eligible == ME:
            return f"{len(waiting)}{'+' if at.following or at.cursor else ''}"
        total = self._wanted().order_by()[:COUNTED_AT_MOST].count()
        return f"{total:,}+" if total == COUNTED_AT_MOST else f"{total:,}"

    def fresh(self, at: Place) -> str:
        """Return how many stand in this part of the list that the page does not show."""
        rows = self._wanted().exclude(id__in=at.shown)
        last = queueing.among(self.actor.workspace_id, at.shown[-1:]) if at.following else {}
        for end in last.values():
            rows = rows.filter(**{f"{self._by}__{self._before}": getattr(end, self._by)})
        number = len(self._decidable(self._page(rows, at.cursor, NEW_AT_MOST).rows))
        return f"{number}+" if number == NEW_AT_MOST else str(number or "")

    def _with_extras(
        self, rows: Sequence["Proposal"], *, is_first: bool, is_last: bool
    ) -> tuple[UUID, ...]:
        placed = [(each.rank, each.id) for each in rows]
        extra = [(card.rank, card.id) for card in self.extras]
        if self._by == "rank" and (placed or is_first):
            placed += [
                one
                for one in extra
                if (is_first or placed[0] <= one) and (is_last or one <= placed[-1])
            ]
            placed.sort()
        return tuple(each for _, each in placed)

    @property
    def _by(self) -> str:
        return ORDERS[self.filters.sort][0]

    @property
    def _before(self) -> str:
        return "gte" if ORDERS[self.filters.sort][1] else "lte"

    def _wanted(self) -> Any:
        return queueing.wanted(self.actor.workspace_id, self.filters, self.known, self.now)

    def _page(self, rows: Any, cursor: str, size: int) -> Any:
        by, newest_first = ORDERS[self.filters.sort]
        return page(rows, by=by, cursor=cursor, size=size, newest_first=newest_first)

    def _decidable(self, rows: Sequence["Proposal"]) -> Sequence["Proposal"]:
        """Leave out what the rules bar this person from, where that is asked."""
        if self.filters.eligible != ME or not rows:
            return rows
        wording = queries.with_wording(rows)
        return [item.proposal for item in wording if is_my_turn(item, self.known, self.now)]


def _joined(*queries_: str) -> str:
    return "&".join(filter(None, queries_))


def _pack(ids: Iterable[UUID]) -> str:
    return base64.urlsafe_b64encode(b"".join(each.bytes for each in ids)).decode().rstrip("=")


def _unpack(text: str, at_most: int) -> tuple[UUID, ...]:
    try:
        kept = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        found = tuple(UUID(bytes=kept[at : at + 16]) for at in range(0, len(kept), 16))
    except ValueError as error:
        raise BadCursor from error
    if len(found) > at_most:
        raise BadCursor
    return found
