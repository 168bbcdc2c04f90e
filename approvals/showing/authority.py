"""Who may approve how much, and who stands in for whom?"""

from typing import Any
from uuid import UUID

from approvals import queries
from console.paging import page


def limits(workspace_id: UUID, cursor: str, size: int) -> dict[str, Any]:
    """Return a page of limits of authority, newest first. Raises: BadCursor (400)."""
    found = page(queries.authority_limits(workspace_id), by="created_at", cursor=cursor, size=size)
    items = [
        {
            "id": row.id,
            "person": row.person_id,
            "name": row.person.name,
            "action_types": row.action_types,
            "amount": None if row.amount is None else f"{row.amount.normalize():f}",
            "currency": row.currency,
            "expires_at": row.expires_at,
            "note": row.note,
            "created_at": row.created_at,
            "revoked_at": row.revoked_at,
        }
        for row in found.rows
    ]
    return {"items": items, "next_cursor": found.next_cursor}


def delegations(workspace_id: UUID, cursor: str, size: int) -> dict[str, Any]:
    """Return a page of delegations, the latest made first. Raises: BadCursor (400)."""
    found = page(queries.delegations(workspace_id), by="created_at", cursor=cursor, size=size)
    items = [
        {
            "id": row.id,
            "person": row.person_id,
            "person_name": row.person.name,
            "delegate": row.delegate_id,
            "delegate_name": row.delegate.name,
            "begins_at": row.begins_at,
            "ends_at": row.ends_at,
            "reason": row.reason,
            "revoked_at": row.revoked_at,
        }
        for row in found.rows
    ]
    return {"items": items, "next_cursor": found.next_cursor}
