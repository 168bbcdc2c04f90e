"""What left the house, and what is known of it, as a program reads it?"""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from approvals.queries import outside as queries
from approvals.queries.outside import Outside
from approvals.showing.carrying import known_of
from console.paging import page

if TYPE_CHECKING:
    from approvals.models import (
        Attempt,
        Connector,
        Discrepancy,
        Execution,
        Observation,
        Reconciliation,
        Resolution,
        Revision,
    )


def outside(
    workspace_id: UUID, *, status: str, connector: str, cursor: str, size: int
) -> dict[str, Any]:
    """Return a page of what leaves the house, newest first. Raises: BadCursor (400)."""
    rows = queries.executions(workspace_id)
    rows = rows.filter(status=status) if status else rows
    rows = rows.filter(connector=connector) if connector else rows
    found = page(rows, by="id", cursor=cursor, size=size)
    wordings = queries.wordings(found.rows)
    items = [_row(row, wordings[row.id]) for row in found.rows]
    return {"items": items, "next_cursor": found.next_cursor}


def one(workspace_id: UUID, execution_id: UUID) -> dict[str, Any]:
    """Return one execution with all that is known of it. Raises: NotFound (404)."""
    found = queries.outside(workspace_id, execution_id)
    return {
        **_row(found.execution, found.revision),
        "attempts": [_attempt(row) for row in found.attempts],
        "observations": [_observation(row) for row in found.observations],
        "resolutions": [_resolution(row) for row in found.resolutions],
        "compensations": _turns(found),
    }


def _attempt(row: "Attempt") -> dict[str, Any]:
    return {
        "number": row.number,
        "request_digest": row.request_digest,
        "request_bytes": len(row.request),
        "sent_at": row.sent_at,
        "deadline_at": row.deadline_at,
        "outcome": row.outcome,
        "answer_status": row.answer_status,
        "answer": row.answer,
        "reference": row.reference,
        "ended_at": row.ended_at,
    }


def _observation(row: "Observation") -> dict[str, Any]:
    return {
        "source": row.source,
        "says": row.says,
        "reference": row.reference,
        "detail": row.detail,
        "at": row.at,
    }


def _resolution(row: "Resolution") -> dict[str, Any]:
    return {
        "attempt": row.attempt_number,
        "person": row.person_id,
        "name": row.person.name,
        "verdict": row.verdict,
        "reference": row.reference,
        "evidence": row.evidence,
        "at": row.at,
    }


def _turns(found: Outside) -> list[dict[str, Any]]:
    return [
        {
            "turn": row.number,
            "execution": row.execution_id,
            "status": row.execution.status,
            "proposal": row.proposal_id,
            "is_irreversible": row.is_irreversible,
            "text": row.text,
            "due_at": row.due_at,
        }
        for row in found.turns
    ]


def _row(row: "Execution", wording: "Revision") -> dict[str, Any]:
    return {
        **known_of(row),
        "key": row.id.hex,
        "title": row.proposal.title,
        "outlet": wording.outlet,
        "amount": wording.measure.get("amount"),
        "currency": wording.measure.get("currency") or "",
    }


def connectors(workspace_id: UUID, *, cursor: str, size: int) -> dict[str, Any]:
    """Return a page of the ways out. Raises: BadCursor (400)."""
    rows = queries.connectors(workspace_id)
    found = page(rows, by="id", cursor=cursor, size=size, newest_first=False)
    return {"items": [way(row) for row in found.rows], "next_cursor": found.next_cursor}


def connector(workspace_id: UUID, connector_id: UUID) -> dict[str, Any]:
    """Return one way out. Raises: NotFound (404)."""
    return way(queries.connector(workspace_id, connector_id))


_PUBLIC = (
    "id",
    "name",
    "kind",
    "retry_class",
    "address",
    "digest",
    "actions",
    "deadline_seconds",
    "settle_seconds",
    "retention_seconds",
    "is_offered",
    "can_ask",
    "can_list",
    "seen_at",
    "test_asked_at",
    "compare_asked_at",
    "tested_at",
    "test_passed",
    "test_says",
)


def way(row: "Connector") -> dict[str, Any]:
    """Return what everybody may know of a way out."""
    return {name: getattr(row, name) for name in _PUBLIC}


def reconciliations(workspace_id: UUID, *, cursor: str, size: int) -> dict[str, Any]:
    """Return a page of comparisons, newest first. Raises: BadCursor (400)."""
    found = page(queries.reconciliations(workspace_id), by="id", cursor=cursor, size=size)
    return {"items": [_comparison(row) for row in found.rows], "next_cursor": found.next_cursor}


def _comparison(row: "Reconciliation") -> dict[str, Any]:
    return {
        "id": row.id,
        "connector": row.connector.name,
        "since": row.since,
        "until": row.until,
        "began_at": row.began_at,
        "ended_at": row.ended_at,
        "counts": row.counts,
        "problem": row.problem,
    }


def discrepancies(workspace_id: UUID, *, closed: bool, cursor: str, size: int) -> dict[str, Any]:
    """Return a page of differences, open or closed, newest first. Raises: BadCursor (400)."""
    rows = queries.discrepancies(workspace_id).filter(closed_at__isnull=not closed)
    found = page(rows, by="found_at", cursor=cursor, size=size)
    return {"items": [_difference(row) for row in found.rows], "next_cursor": found.next_cursor}


def discrepancy(workspace_id: UUID, discrepancy_id: UUID) -> dict[str, Any]:
    """Return one difference. Raises: NotFound (404)."""
    return _difference(queries.discrepancy(workspace_id, discrepancy_id))


def _difference(row: "Discrepancy") -> dict[str, Any]:
    return {
        "id": row.id,
        "connector": row.connector.name,
        "kind": row.kind,
        "key": row.key,
        "execution": row.execution_id,
        "reference": row.reference,
        "text": row.text,
        "found_at": row.found_at,
        "closed_at": row.closed_at,
        "closed_by": row.closed_by_id,
        "note": row.note,
    }


def switch(workspace_id: UUID) -> dict[str, Any]:
    """Return whether effects may leave, and who said so last."""
    row = queries.switch(workspace_id)
    if row is None:
        return {"is_stopped": False, "by": "", "reason": "", "at": None}
    name = str(row.actor.get("name", ""))
    return {"is_stopped": row.is_stopped, "by": name, "reason": row.reason, "at": row.at}
