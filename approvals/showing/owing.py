"""Which reviews are owed, of what, and may this person take one of them?"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.urls import reverse

from approvals.formats import Segment
from approvals.operations.reviewing import TEXT_AT_MOST, objection_to
from approvals.queries import owing
from approvals.showing.texts import told
from console.access.models import Workspace
from console.actors import Actor
from console.errors import Refused
from console.pages import Banner
from console.paging import page

CAUSES = {"break_glass": "The glass was broken", "sample": "Approved by a policy alone"}


@dataclass(frozen=True, slots=True)
class Look:
    """One look that is owed or was taken, at what was carried out."""

    id: UUID
    cause: str
    why: str
    number: int
    title: tuple[Segment, ...]
    proposal_id: UUID
    state_id: UUID
    state_key: str
    snapshot_number: int | None
    broken_by: str
    reason: tuple[Segment, ...]
    executed_at: datetime | None
    due_at: datetime
    is_owed: bool
    is_overdue: bool
    verdict: str
    text: tuple[Segment, ...]
    person: str
    at: datetime | None

    @property
    def before(self) -> int | None:
        """Return the snapshot that it was carried out on."""
        return self.snapshot_number and self.snapshot_number - 1


def reviews(actor: Actor, *, taken: bool, cursor: str) -> dict[str, Any]:
    """Return what `approvals/reviews.html` shows: first due first, or those taken last.

    Raises: BadCursor (400).
    """
    rows = owing.reviews(actor.workspace_id)
    if taken:
        found = page(rows.exclude(verdict=""), by="at", cursor=cursor)
    else:
        waiting = rows.filter(verdict="")
        found = page(waiting, by="due_at", cursor=cursor, newest_first=False)
    now = datetime.now(UTC)
    return {
        "looks": [_look(row, now) for row in found.rows],
        "taken": taken,
        "owed": owing.count_owed(actor.workspace_id),
        "cursor": cursor,
        "next_cursor": found.next_cursor,
    }


def review(
    actor: Actor,
    review_id: UUID,
    *,
    verdict: str = "",
    text: str = "",
    refused: Refused | None = None,
) -> dict[str, Any]:
    """Return what `approvals/review.html` shows, with what was typed. Raises: NotFound (404)."""
    row = owing.review(actor.workspace_id, review_id)
    return {
        "look": _look(row, datetime.now(UTC)),
        "barred": "" if row.verdict else objection_to(actor, row),
        "verdict": verdict,
        "typed": text,
        "refused": refused,
        "text_at_most": TEXT_AT_MOST,
    }


def glass_banner(workspace: Workspace) -> Banner | None:
    """Say on every page that the glass was broken, until both reviews of it are done."""
    glass = owing.first_glass(workspace.id)
    if glass is None:
        return None
    return Banner(
        icon="warning",
        says=f"The glass was broken by {glass.person.name}: {glass.reason}",
        at=glass.at,
        url=reverse("approvals:reviews", args=[workspace.slug]),
        label="Reviews are owed",
    )


def _look(row: Any, now: datetime) -> Look:
    execution = row.execution
    glass = execution.break_glass
    return Look(
        id=row.id,
        cause=row.cause,
        why=CAUSES[row.cause],
        number=row.number,
        title=told(execution.proposal.title),
        proposal_id=execution.proposal_id,
        state_id=execution.proposal.state_id,
        state_key=execution.proposal.state.key,
        snapshot_number=execution.snapshot_number,
        broken_by=glass.person.name if glass else "",
        reason=told(glass.reason if glass else ""),
        executed_at=execution.executed_at,
        due_at=row.due_at,
        is_owed=not row.verdict,
        is_overdue=not row.verdict and now >= row.due_at,
        verdict=row.verdict,
        text=told(row.text),
        person=row.person.name if row.person else "",
        at=row.at,
    )
