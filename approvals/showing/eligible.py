"""Who may decide on a proposal, and are they enough?"""

from datetime import datetime
from typing import Any
from uuid import UUID

from approvals import queries


def who_may_decide(workspace_id: UUID, proposal_id: UUID, now: datetime) -> dict[str, Any]:
    """Return the people who may decide on the current revision. Raises: NotFound (404)."""
    found = queries.detail(workspace_id, proposal_id)
    question = queries.question(found.proposal, found.revision, now)
    left = queries.left_to_agree(workspace_id, question)
    asked = question.terms.asked
    return {
        "items": [
            {
                "person": one.person,
                "name": one.name,
                "roles": sorted(one.roles),
                "stands_for": one.stands_for,
                "stands_for_name": one.stands_for_name,
            }
            for one in queries.eligible(workspace_id, question)
        ],
        "needed": question.terms.needed,
        "enough": any(count >= item.approve for item, count in zip(asked, left, strict=True)),
    }
