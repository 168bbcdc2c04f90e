"""Which policies are in force in a workspace?"""

import functools
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from approvals import lifecycle, rulebook
from approvals.models import Proposal
from approvals.rulebook import Rule
from snapshots import queries as snapshots
from snapshots.queries import Head


@dataclass(frozen=True, slots=True)
class Policies:
    """The rules of a workspace, and the snapshot that says so; none before they are set up."""

    head: Head | None
    rules: tuple[Rule, ...]

    @property
    def number(self) -> int:
        """Return the snapshot's number, 0 without any."""
        return self.head.number if self.head else 0


def policies(workspace_id: UUID) -> Policies:
    """Return the policies as they stand now; reads one row when they have not changed."""
    head = snapshots.of_kind(workspace_id, "policies")
    return Policies(head, _rules(head.state_id, head.number) if head else ())


@functools.lru_cache(maxsize=200)
def _rules(state_id: UUID, number: int) -> tuple[Rule, ...]:
    kept = cast("dict[str, Any]", snapshots.content(state_id, number))
    return rulebook.rules_of(kept, number)


def open_policy_changes(workspace_id: UUID) -> list[Proposal]:
    """Return the changes of a workspace's policies that wait for people, oldest first."""
    rows = Proposal.objects.filter(
        workspace=workspace_id,
        state__kind="policies",
        action_type__effect=rulebook.EFFECT,
        status__in=lifecycle.OPEN,
    )
    return list(rows.order_by("created_at", "id")[:50])
