"""What a policy asks for, said briefly, and workspaces whose policies are set without asking."""

from datetime import UTC, datetime
from typing import Any

from approvals import queries, rulebook
from approvals.operations.installing import install
from approvals.policy import REVIEWERS, Choice, Terms, Threshold
from approvals.rulebook import Rule
from console.actors import Actor
from snapshots import queries as snapshots
from snapshots.diff import diff
from snapshots.operations.committing import Cause, commit


def asking(
    policy: str = "one reviewer",
    *,
    level: int = 1,
    approvals: int = 1,
    denials: int = 1,
    roles: tuple[str, ...] = REVIEWERS,
    filter: str = "",  # noqa: A002  (the word of the policies)
    expires_seconds: int = 3_600,
    hold_seconds: int = 0,
    **more: Any,
) -> Terms:
    """Return terms with one threshold."""
    threshold = Threshold(approvals, denials, roles, filter)
    return Terms(policy, 1, level, (threshold,), expires_seconds, hold_seconds, **more)


def set_rules(actor: Actor, *rules: Rule) -> None:
    """Give a workspace these policies, as if they had always been there."""
    if install(actor=actor, rules=rules, now=datetime.now(UTC)):
        return
    head = queries.policies(actor.workspace_id).head
    assert head is not None
    document = rulebook.document(rules)
    changes = diff(snapshots.content(head.state_id, head.number), document, keys=head.list_keys)
    if changes:
        cause = Cause("import", f"tests:{head.number}")
        commit(
            actor=actor,
            base=head,
            changes=changes,
            cause=cause,
            reason="set",
            now=datetime.now(UTC),
        )


def reason_code_for(choice: Choice) -> str:
    """Return a code where a choice has to carry one."""
    return "" if choice == "approve" else "other"


def matching(action_types: str | list[str] | tuple[str, ...]) -> str:
    """Return the expression that names these action types; `*` is all of them."""
    names = [action_types] if isinstance(action_types, str) else list(action_types)
    if "*" in names:
        return "true"
    return "action in [" + ", ".join(f'"{name}"' for name in names) + "]"
