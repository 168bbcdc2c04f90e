"""Does what we hold agree with what the providers list, and what differs?"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import UUID

from approvals.formats import Segment
from approvals.queries import outside as queries
from approvals.showing.outside import around
from approvals.showing.texts import told
from console.access.models import Workspace
from console.access.rights import allows
from console.actors import Actor
from console.errors import Refused
from console.paging import page

if TYPE_CHECKING:
    from approvals.models import Discrepancy, Reconciliation

RUNS_SHOWN, OPEN_SHOWN = 20, 50
_NAMED_AT_MOST = 200
KINDS = {
    "not_theirs": "We hold it as carried out; they do not list it.",
    "not_ours": "They list something that we did not send.",
    "twice": "They list one of ours more than once.",
    "differs": "We hold it as not carried out; they list it.",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference that nobody has seen to yet, or who has and what they noted."""

    id: UUID
    kind: str
    says: str
    text: tuple[Segment, ...]
    connector: tuple[Segment, ...]
    key: tuple[Segment, ...]
    reference: tuple[Segment, ...]
    execution_id: UUID | None
    title: tuple[Segment, ...]
    found_at: datetime
    closed_at: datetime | None
    closed_by: str
    note: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison: through what, for which time, and what came of it."""

    id: UUID
    connector: tuple[Segment, ...]
    since: datetime
    until: datetime
    began_at: datetime
    ended_at: datetime | None
    status: str
    label: str
    counts: list[tuple[str, int]]
    still_open: int
    problem: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """From where on somebody looks, and whether at what is closed."""

    cursor: str = ""
    runs: str = ""
    closed: str = ""

    @classmethod
    def of(cls, words: Mapping[str, str]) -> "Asked":
        """Read it from the words of an address."""
        return cls(**{name: words.get(name, "") for name in cls.__slots__})

    def query(self, **other: str) -> str:
        """Return it as the words of an address, with some of them said otherwise."""
        words = {name: getattr(self, name) for name in self.__slots__} | other
        return urlencode({name: word for name, word in words.items() if word})


def reconciliation(workspace: Workspace, actor: Actor, asked: Asked) -> dict[str, Any]:
    """Return what `approvals/_reconciliation.html` shows. Raises: BadCursor (400)."""
    rows = queries.discrepancies(workspace.id).filter(closed_at__isnull=asked.closed != "1")
    differ = page(rows, by="found_at", cursor=asked.cursor, size=OPEN_SHOWN)
    runs = queries.reconciliations(workspace.id)
    compared = page(runs, by="id", cursor=asked.runs, size=RUNS_SHOWN)
    asked_for = queries.connectors(workspace.id).filter(compare_asked_at__isnull=False)
    return {
        "asked": asked,
        "differences": [_difference(row) for row in differ.rows],
        "next_query": asked.query(cursor=differ.next_cursor) if differ.next_cursor else "",
        "comparisons": [_comparison(row) for row in compared.rows],
        "next_runs": asked.query(runs=compared.next_cursor) if compared.next_cursor else "",
        "asked_for": list(asked_for.values_list("name", flat=True)[:_NAMED_AT_MOST]),
        "may_close": allows(actor.roles, "resolve") or allows(actor.roles, "connect"),
        **around(workspace, actor, "reconciliation"),
    }


def comparing(workspace: Workspace, refused: Refused | None = None) -> dict[str, Any]:
    """Return what stands beside the region of a reconciliation: what can be compared now."""
    rows = queries.connectors(workspace.id).filter(can_list=True, is_offered=True)
    ways = list(rows.order_by("name").values_list("name", flat=True)[:_NAMED_AT_MOST])
    return {"can_compare": ways, "refused": refused}


def _difference(row: "Discrepancy") -> Difference:
    return Difference(
        id=row.id,
        kind=row.kind,
        says=KINDS[row.kind],
        text=told(row.text),
        connector=told(row.connector.name),
        key=told(row.key),
        reference=told(row.reference),
        execution_id=row.execution_id,
        title=told(row.execution.proposal.title) if row.execution else (),
        found_at=row.found_at,
        closed_at=row.closed_at,
        closed_by=row.closed_by.name if row.closed_by else "",
        note=told(row.note),
    )


def _comparison(row: "Reconciliation") -> Comparison:
    status, label = _standing(row)
    return Comparison(
        id=row.id,
        connector=told(row.connector.name),
        since=row.since,
        until=row.until,
        began_at=row.began_at,
        ended_at=row.ended_at,
        status=status,
        label=label,
        counts=[(said, row.counts[word]) for word, said in _COUNTED.items() if word in row.counts],
        still_open=getattr(row, "still_open", 0),
        problem=told(row.problem),
    )


# What the counts of a row are called on a page.
_COUNTED = {
    "ours": "of ours",
    "theirs": "of theirs",
    "matched": "agree",
    "resolved": "settled by it",
    "discrepancies": "differ",
}


def _standing(row: "Reconciliation") -> tuple[str, str]:
    if row.problem:
        return "failed", "Not finished"
    if row.ended_at is None:
        return "running", "Comparing"
    return ("stale", "Differs") if row.counts.get("discrepancies") else ("passed", "Agrees")
