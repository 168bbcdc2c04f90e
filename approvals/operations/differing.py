"""Keep a difference between what we hold and what is true outside, until somebody has seen to it.

A difference stands open once, however often it is found.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from approvals.comparing import Kind, contradicts, text_of
from approvals.models import Connector, Discrepancy, Execution, Reconciliation
from approvals.operations.alarming import tell_differs
from console.live import ring

KEY_AT_MOST = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: its kind, their key, our execution if there is one, and what to read."""

    kind: Kind
    key: str
    text: str
    execution_id: UUID | None = None
    reference: str = ""


def open_differences(
    connector: Connector, found: Sequence[Difference], *, run: Reconciliation | None, now: datetime
) -> int:
    """Write down differences that do not stand open yet, and return how many these are.

    Part of the caller's transaction, before its line in the ledger.
    """
    rows = [
        Discrepancy(
            workspace_id=connector.workspace_id,
            connector=connector,
            reconciliation=run,
            kind=each.kind,
            key=_kept(each.key),
            execution_id=each.execution_id,
            reference=each.reference[:200],
            text=each.text,
            found_at=now,
        )
        for each in found
    ]
    Discrepancy.objects.bulk_create(rows, ignore_conflicts=True)
    new = Discrepancy.objects.filter(id__in=[row.id for row in rows]).count()
    if new:
        ring("outside", connector.workspace_id)
    return new


def _kept(key: str) -> str:
    """Return a key as a row can keep it, whatever their list says."""
    return "".join(each if each.isprintable() else "\ufffd" for each in key)[:KEY_AT_MOST]


def note_contradiction(execution: Execution, says: str, reference: str, now: datetime) -> bool:
    """Write down that something learned late contradicts how an execution was settled.

    Part of the caller's transaction, before its line in the ledger. Returns whether it does so.
    """
    kind = contradicts(execution.status, says)
    rows = Connector.objects.filter(workspace=execution.workspace_id, name=execution.connector)
    connector = rows.first()
    if kind is None or connector is None:
        return False
    text = text_of(kind, execution.status)
    found = Difference(kind, execution.id.hex, text, execution.id, reference)
    if open_differences(connector, [found], run=None, now=now):
        tell_differs(connector, count=1, now=now)
    return True
