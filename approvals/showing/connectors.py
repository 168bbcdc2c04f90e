"""Through what may effects leave the house, and does each way out work?"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from approvals.formats import Segment
from approvals.packing import duration
from approvals.queries import outside as queries
from approvals.showing.carrying import after_silence, promise
from approvals.showing.outside import around
from approvals.showing.texts import told
from console.access.models import Workspace
from console.actors import Actor
from console.breakers.queries import standing
from console.paging import page

if TYPE_CHECKING:
    from approvals.models import Connector
    from console.breakers.queries import Standing

PAGE_SIZE = 50
# The sender announces its ways out every half minute.
SILENT_AFTER = timedelta(minutes=2)
_KINDS = {
    "http": "HTTP, JSON",
    "webhook": "Signed webhook",
    "sql": "Another PostgreSQL",
    "smtp": "Mail",
    "fhir": "FHIR",
    "pain001": "ISO 20022 file",
}


@dataclass(frozen=True, slots=True)
class Way:
    """One way out: what it promises, whether the sender still offers it, and its last test."""

    id: UUID
    name: tuple[Segment, ...]
    word: str
    kind: str
    address: tuple[Segment, ...]
    actions: tuple[Segment, ...]
    promise: str
    after_silence: str
    status: str
    label: str
    trouble: "Standing | None"
    seen_at: datetime
    digest: str
    kept_for: str
    can_list: bool
    tested_at: datetime | None
    test_passed: bool | None
    test_says: tuple[Segment, ...]
    test_asked_at: datetime | None


def connectors(workspace: Workspace, actor: Actor, cursor: str = "") -> dict[str, Any]:
    """Return what `approvals/_connectors.html` shows. Raises: BadCursor (400)."""
    now = datetime.now(UTC)
    rows = queries.connectors(workspace.id)
    found = page(rows, by="id", cursor=cursor, size=PAGE_SIZE, newest_first=False)
    troubles = standing([breaker_of(row.name) for row in found.rows])
    return {
        "ways": [_way(row, troubles.get(breaker_of(row.name)), now) for row in found.rows],
        "cursor": cursor,
        "next_cursor": found.next_cursor,
        **around(workspace, actor, "connectors"),
    }


def breaker_of(name: str) -> str:
    """Return the name under which the sender counts the failures of a connector."""
    return f"connector:{name}"


def _way(row: "Connector", trouble: "Standing | None", now: datetime) -> Way:
    status, label = _standing(row, now)
    return Way(
        id=row.id,
        name=told(row.name),
        word=row.name,
        kind=_KINDS.get(row.kind, row.kind),
        address=told(row.address),
        actions=told(", ".join(map(str, row.actions))),
        promise=promise(row.retry_class),
        after_silence=after_silence(row.retry_class),
        status=status,
        label=label,
        trouble=trouble if trouble and trouble.failures else None,
        seen_at=row.seen_at,
        digest=row.digest,
        kept_for=duration(int(row.retention_seconds)) if row.retention_seconds else "",
        can_list=row.can_list,
        tested_at=row.tested_at,
        test_passed=row.test_passed,
        test_says=told(row.test_says),
        test_asked_at=row.test_asked_at,
    )


def _standing(row: "Connector", now: datetime) -> tuple[str, str]:
    if not row.is_offered:
        return "withdrawn", "No longer offered"
    if now - row.seen_at > SILENT_AFTER:
        return "lost_contact", "The sender is silent"
    return "active", "Offered"
