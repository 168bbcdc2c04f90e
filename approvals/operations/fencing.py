"""Keep the policies from everything but a change that a person puts forward as such."""

from approvals import rulebook
from approvals.models import ActionType
from console.actors import Actor
from console.errors import Forbidden
from snapshots.operations.committing import PoliciesProtected
from snapshots.queries import Head


class NotForPrograms(Forbidden):
    """Only people put changes of the policies forward; a program or an agent cannot."""

    code = "people_only"


def refuse_unless_fitting(actor: Actor, action_type: ActionType, base: Head) -> None:
    """Let a change of policies, and nothing else, be proposed on the State that holds them.

    Raises: PoliciesProtected (409), NotForPrograms (403).
    """
    is_change = action_type.effect == rulebook.EFFECT
    if is_change != (base.kind == "policies"):
        raise PoliciesProtected(
            f"Policies are changed by {rulebook.CHANGE}, and that changes nothing else."
        )
    if is_change and actor.kind not in {"person", "system"}:
        raise NotForPrograms
