"""Where does an independent look come to another effect than a proposal?"""

from uuid import UUID

from approvals.models import Revision
from approvals.second_opinion import Second, differs_at
from snapshots.diff import Change


def differing(workspace_id: UUID, proposal_id: UUID) -> list[str]:
    """Return the paths on which the newest wording and a second opinion differ, if there is one."""
    rows = Revision.objects.filter(workspace=workspace_id, proposal=proposal_id)
    newest = rows.order_by("-number").values_list("changes", "second").first()
    if newest is None or newest[1] is None:
        return []
    changes = [Change.from_json(item) for item in newest[0]]
    return differs_at(changes, Second.from_json(newest[1]))
