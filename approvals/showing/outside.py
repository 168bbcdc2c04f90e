"""What has left the house, where does it stand, and may more of it leave?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse

from approvals.filtering import FilterInvalid
from approvals.formats import Segment, pair
from approvals.lifecycle import EXECUTION_STATUSES
from approvals.operations.stopping import REASON_AT_MOST
from approvals.queries import outside as queries
from approvals.showing.carrying import label
from approvals.showing.texts import told
from console.access.models import Workspace
from console.access.rights import allows
from console.actors import Actor
from console.canonical import Json
from console.errors import Refused
from console.pages import Banner
from console.paging import page
from snapshots.diff import ABSENT

if TYPE_CHECKING:
    from approvals.models import Execution, Revision

PAGE_SIZE = 50
_WAYS_AT_MOST = 200
IN_DOUBT, SET_ASIDE, ALL = "", "set_aside", "all"
_SHOWN = {IN_DOUBT: "In doubt", SET_ASIDE: "Set aside", ALL: "All"}
_PAID_BACK = ("compensating", "compensated", "compensation_failed")


@dataclass(frozen=True, slots=True)
class Asked:
    """Which list somebody looks at: what it shows, cut by status and way out, from where on."""

    show: str = IN_DOUBT
    status: str = ""
    connector: str = ""
    cursor: str = ""

    @classmethod
    def of(cls, words: Mapping[str, str]) -> "Asked":
        """Read it from the words of an address. Raises: FilterInvalid (422)."""
        found = cls(**{name: words.get(name, "") for name in cls.__slots__})
        if found.show not in _SHOWN or found.status not in {"", *EXECUTION_STATUSES}:
            raise FilterInvalid("There is no such list, or no such status.")
        return found

    def query(self, **other: str) -> str:
        """Return it as the words of an address, with some of them said otherwise."""
        words = {name: getattr(self, name) for name in self.__slots__} | other
        return urlencode({name: word for name, word in words.items() if word})


@dataclass(frozen=True, slots=True)
class Tab:
    """One of the lists, with how many on it wait for people."""

    label: str
    url: str
    is_current: bool
    count: int = 0


@dataclass(frozen=True, slots=True)
class Left:
    """One row: what it was, where it went, and where it stands."""

    id: UUID
    status: str
    label: str
    title: tuple[Segment, ...]
    amount: str
    connector: tuple[Segment, ...]
    address: tuple[Segment, ...]
    reference: tuple[Segment, ...]
    problem: tuple[Segment, ...]
    owner: str
    at: datetime
    due_at: datetime | None
    is_done: bool


@dataclass(frozen=True, slots=True)
class Stopped:
    """Who stopped the sending, why, and since when."""

    by: str
    reason: tuple[Segment, ...]
    at: datetime


def outside(workspace: Workspace, actor: Actor, asked: Asked) -> dict[str, Any]:
    """Return what `approvals/_outside.html` shows. Raises: BadCursor (400)."""
    found = _page(workspace.id, asked)
    wordings = queries.wordings(found.rows)
    turns = queries.compensated_of(workspace.id, _causes(found.rows))
    ways = queries.connectors(workspace.id).order_by("name")
    return {
        "asked": asked,
        "rows": [left(row, wordings[row.id], turns) for row in found.rows],
        "statuses": [(name, label(name)) for name in EXECUTION_STATUSES],
        "ways": list(ways.values_list("name", flat=True)[:_WAYS_AT_MOST]),
        "first_query": asked.query(cursor="") if asked.cursor else None,
        "next_query": asked.query(cursor=found.next_cursor) if found.next_cursor else "",
        **around(workspace, actor, asked.show),
    }


def around(workspace: Workspace, actor: Actor, current: str) -> dict[str, Any]:
    """Return what every page about the outside shows around its own: tabs, and who stopped it."""
    counted, may_connect = queries.counts(workspace.id), allows(actor.roles, "connect")
    waiting = {IN_DOUBT: counted.in_doubt, SET_ASIDE: counted.quarantined}
    at = reverse("approvals:outside", args=[workspace.slug])
    lists = [
        Tab(said, f"{at}?show={name}" if name else at, name == current, waiting.get(name, 0))
        for name, said in _SHOWN.items()
    ]
    return {
        "tabs": [
            *lists,
            _tab(workspace, "Connectors", "connectors", current),
            _tab(workspace, "Reconciliation", "reconciliation", current, counted.discrepancies),
        ],
        "stopped": _stopped(workspace.id),
        "may_connect": may_connect,
    }


def _tab(workspace: Workspace, said: str, name: str, current: str, count: int = 0) -> Tab:
    url = reverse(f"approvals:{name}", args=[workspace.slug])
    return Tab(said, url, name == current, count)


def _page(workspace_id: UUID, asked: Asked) -> Any:
    """Return a page: what is in doubt by when an answer is due, everything else newest first."""
    is_aside = asked.show == SET_ASIDE
    rows = queries.set_aside(workspace_id) if is_aside else queries.executions(workspace_id)
    rows = rows.filter(connector=asked.connector) if asked.connector else rows
    if asked.show == IN_DOUBT:
        return page(
            rows.filter(status="in_doubt"),
            by="doubt_due_at",
            cursor=asked.cursor,
            size=PAGE_SIZE,
            newest_first=False,
        )
    rows = rows.filter(status=asked.status) if asked.status else rows
    return page(rows, by="id", cursor=asked.cursor, size=PAGE_SIZE)


def _causes(rows: Sequence["Execution"]) -> list[str]:
    return [row.compensation.cause for row in rows if row.status in _PAID_BACK and _is_owed(row)]


def _is_owed(row: "Execution") -> bool:
    return hasattr(row, "compensation")


def left(
    row: "Execution", wording: "Revision", turns: Mapping[str, tuple[int, int]] | None = None
) -> Left:
    """Return the row of one execution that leaves the house."""
    outlet = wording.outlet or {}
    return Left(
        id=row.id,
        status="executed" if row.status == "succeeded" else row.status,
        label=label(row.status) + _turn(row, turns or {}),
        title=told(row.proposal.title),
        amount=amount_of(wording.measure),
        connector=told(row.connector),
        address=told(outlet.get("address", "")),
        reference=told(row.reference),
        problem=told(row.problem),
        owner=row.owner.name if row.owner else "",
        at=row.sent_at or row.created_at,
        due_at=row.doubt_due_at if row.status == "in_doubt" else None,
        is_done=row.status in {"succeeded", "failed", "recalled", "compensated"},
    )


def _turn(row: "Execution", turns: Mapping[str, tuple[int, int]]) -> str:
    """Say how far the way back is, where it takes more than one step."""
    if row.status not in _PAID_BACK or not _is_owed(row):
        return ""
    done, every = turns.get(row.compensation.cause, (0, 0))
    return f", {done} of {every} done" if every > 1 else ""


def amount_of(measure: Mapping[str, Any]) -> str:
    """Return how much a wording moves, with its currency, or nothing."""
    amount: Json = measure.get("amount")
    shown = None if amount is None else pair("money", ABSENT, amount, unit=measure.get("currency"))
    return shown.after.text if shown and shown.after else ""


def _stopped(workspace_id: UUID) -> Stopped | None:
    row = queries.stopped(workspace_id)
    return Stopped(row.actor.get("name", ""), told(row.reason), row.at) if row else None


def switch(
    workspace: Workspace, actor: Actor, *, reason: str = "", refused: Refused | None = None
) -> dict[str, Any]:
    """Return what `approvals/sending_stop.html` shows, with what was typed."""
    return {
        **around(workspace, actor, "switch"),
        "reason": reason,
        "reason_at_most": REASON_AT_MOST,
        "refused": refused,
    }


def sending_banner(workspace: Workspace) -> Banner | None:
    """Say on every page that nothing leaves the house, for as long as sending is stopped."""
    row = queries.stopped(workspace.id)
    if row is None:
        return None
    return Banner(
        icon="stopped",
        says=f"Sending is stopped by {row.actor.get('name', 'somebody')}: {row.reason}",
        at=row.at,
        url=reverse("approvals:sending_stop", args=[workspace.slug]),
        label="Nothing leaves the house",
    )


def waiting(workspace: Workspace, actor: Actor) -> int:
    """Return how many in doubt wait for whoever may say what became of them."""
    return queries.count_in_doubt(workspace.id) if allows(actor.roles, "resolve") else 0
