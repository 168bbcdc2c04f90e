"""Which proposals does the API list, and how many are there?"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from approvals import queries
from approvals.filtering import ME, Filters
from approvals.queries import queueing
from approvals.queries.queueing import ORDERS
from approvals.showing.cards import is_my_turn
from console.actors import Actor
from console.paging import page

if TYPE_CHECKING:
    from approvals.models import Proposal


def listed(
    actor: Actor, filters: Filters, *, cursor: str, size: int
) -> tuple[Sequence["Proposal"], str]:
    """Return one page of what is wanted, and the cursor of the next.

    What the rules bar a person from is left out where they ask for what they may decide, so such
    a page may be short before the last one. Raises: BadCursor (400).
    """
    now = datetime.now(UTC)
    known = queueing.viewer(actor, now)
    by, newest_first = ORDERS[filters.sort]
    rows = queueing.wanted(actor.workspace_id, filters, known, now)
    found = page(rows, by=by, cursor=cursor, size=size, newest_first=newest_first)
    if filters.eligible != ME:
        return found.rows, found.next_cursor
    wording = queries.with_wording(found.rows)
    mine = [item.proposal for item in wording if is_my_turn(item, known, now)]
    return mine, found.next_cursor


def counts(actor: Actor) -> dict[str, int]:
    """Return how many are open, of which kind, and how many are this actor's own."""
    now = datetime.now(UTC)
    return queueing.counts(actor.workspace_id, queueing.viewer(actor, now), now)
