"""What the broker may ring for: each task looks at the rows and does what they say."""

from datetime import UTC, datetime
from uuid import UUID

from celery import shared_task

from approvals import queries
from approvals.operations.rebasing import rebase_all
from approvals.operations.reevaluating import reevaluate_all
from console.actors import system


@shared_task(name="approvals.rebase")
def rebase(key: str) -> int:
    """Bring the open proposals of the State named by `key` up to its newest snapshot."""
    state_id = UUID(key)
    workspace_id = queries.workspace_of_open(state_id)
    if workspace_id is None:
        return 0
    actor = system("rebase", workspace_id)
    return rebase_all(actor=actor, state_id=state_id, now=datetime.now(UTC))


@shared_task(name="approvals.reevaluate")
def reevaluate(key: str) -> int:
    """Ask the changed policies of the workspace named by `key` about everything that waits."""
    return reevaluate_all(actor=system("policies", UUID(key)), now=datetime.now(UTC))
