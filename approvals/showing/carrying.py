"""How does the carrying-out of an approved revision stand, and in which words is that said?"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from approvals import queries
from approvals.formats import Segment
from approvals.showing.texts import told
from console.canonical import Json
from console.words import status_label

if TYPE_CHECKING:
    from approvals.models import Execution

# An icon and a colour have the status's own name.
_LABELS: Mapping[str, str] = {
    "held": "Held",
    "ready": "Waits to be sent",
    "claimed": "Being sent",
    "sent": "Sent, no answer yet",
    "in_doubt": "In doubt",
    "quarantined": "Set aside",
    "succeeded": "Carried out",
    "failed": "Not carried out",
    "recalled": "Recalled",
    "compensating": "Being compensated",
    "compensated": "Compensated",
    "compensation_failed": "Compensation failed",
}
# What a way out promises about one order that is told to it twice.
_PROMISES: Mapping[str, str] = {
    "keyed": "the provider takes the same key once",
    "queryable": "the provider can be asked what became of it",
    "blind": "the provider can neither be asked nor told twice",
}
_AFTER_SILENCE: Mapping[str, str] = {
    "keyed": "After silence it is sent again by itself, with the same key and the same bytes.",
    "queryable": "After silence the provider is asked. It is sent again only when the provider"
    " says that it has nothing, and a person agrees.",
    "blind": "It is sent once. After silence people find out what happened.",
}


def carried_out(workspace_id: UUID, execution_id: UUID) -> dict[str, Any]:
    """Return what is known of one execution. Raises: NotFound (404)."""
    row = queries.execution(workspace_id, execution_id)
    return {**known_of(row), "in_emergency": row.break_glass_id is not None}


def known_of(row: "Execution") -> dict[str, Any]:
    """Return what a program may know of an execution; a local one has no way out."""
    return {
        "id": row.id,
        "proposal": row.proposal_id,
        "revision": row.revision,
        "revision_digest": row.digest,
        "status": row.status,
        "created_at": row.created_at,
        "due_at": row.due_at,
        "executed_at": row.executed_at,
        "snapshot": row.snapshot_number,
        "problem": row.problem,
        "connector": row.connector,
        "retry_class": row.retry_class,
        "request_digest": row.request_digest,
        "tries": row.tries,
        "sent_at": row.sent_at,
        "reference": row.reference,
        "doubted_at": row.doubted_at,
        "doubt_due_at": row.doubt_due_at,
        "owner": row.owner_id,
    }


def label(status: str) -> str:
    """Return the words for the status of an execution."""
    return _LABELS.get(status) or status_label(status)


def promise(retry_class: str) -> str:
    """Say what a provider does when it is told the same order twice."""
    return _PROMISES.get(retry_class, "")


def after_silence(retry_class: str) -> str:
    """Say what happens when no answer comes."""
    return _AFTER_SILENCE.get(retry_class, "")


def leaves_through(outlet: Mapping[str, Json] | None) -> tuple[Segment, ...]:
    """Say through what, and to where, an effect leaves the house; nothing for a local one."""
    if not outlet:
        return ()
    where = f"Leaves the house through {outlet['connector']}: {outlet['address']}"
    return told(f"{where}, {promise(str(outlet['retry_class']))}.")
