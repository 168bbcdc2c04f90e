"""What does the page about attention say, and to whom?"""

from datetime import datetime
from typing import Any
from uuid import UUID

from approvals.attentive import FLOOR_SECONDS, FLOOR_SECONDS_PER_FIELD
from approvals.queries import attention as figures
from console.access.rights import allows
from console.actors import Actor

# Who answers for the whole: they see what everybody does together, never a single person.
_MANAGERS = frozenset({"admin", "auditor"})


def attention(actor: Actor, now: datetime) -> dict[str, Any]:
    """Return what `approvals/attention.html` shows."""
    decides = allows(actor.roles, "decide")
    sees_all = bool(actor.roles & _MANAGERS)
    return {
        "own": figures.own(actor.workspace_id, UUID(actor.id), now) if decides else None,
        "together": figures.together(actor.workspace_id, now) if sees_all else None,
        "flow": figures.flow(actor.workspace_id, now) if sees_all else None,
        "days": figures.LOOKED_BACK.days,
        "at_least": figures.TOGETHER_AT_LEAST,
        "floor": f"{FLOOR_SECONDS:g} s and {FLOOR_SECONDS_PER_FIELD:g} s for each changed field",
    }
