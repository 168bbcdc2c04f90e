"""How does the carrying-out of an approved revision stand?"""

from typing import Any
from uuid import UUID

from approvals import queries


def carried_out(workspace_id: UUID, execution_id: UUID) -> dict[str, Any]:
    """Return what is known of one execution. Raises: NotFound (404)."""
    row = queries.execution(workspace_id, execution_id)
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
        "in_emergency": row.break_glass_id is not None,
    }
