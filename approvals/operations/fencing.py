"""Keep the policies from everything but a change that a person puts forward as such."""

from collections.abc import Mapping
from typing import Any

from approvals import rulebook
from approvals.models import ActionType
from console.actors import Actor
from console.errors import Forbidden
from snapshots.operations.committing import PoliciesProtected
from snapshots.queries import Head


class NotForPrograms(Forbidden):
    """Only people put changes of the policies forward; a program or an agent cannot."""

    code = "people_only"


def refuse_unless_fitting(
    actor: Actor, action_type: ActionType, base: Head, params: Mapping[str, Any]
) -> None:
    """Let a change of policies, and nothing else, be proposed on the State that holds them.

    Its author is whoever proposes it. Raises: PoliciesProtected (409), NotForPrograms (403).
    """
    is_change = action_type.effect == rulebook.EFFECT
    if is_change != (base.kind == "policies"):
        raise PoliciesProtected(
            f"Policies are changed by {rulebook.CHANGE}, and that changes nothing else."
        )
    if is_change and actor.kind not in {"person", "system"}:
        raise NotForPrograms
    if is_change and params.get("by", []) != authors(actor):
        raise PoliciesProtected("Nobody puts a change of the policies forward as somebody else's.")


def authors(actor: Actor) -> list[str]:
    """Return who answers for what an actor changes of the policies; nobody for the system."""
    return [] if actor.kind == "system" else actor.lineage
