"""How does a State differ from the outside record it mirrors, and what can be done about it?"""

from typing import Any
from uuid import UUID

from django.urls import reverse

from console.access.models import Workspace
from console.access.rights import allows
from console.actors import Actor
from console.errors import Refused
from snapshots import sources
from snapshots.operations import reading
from snapshots.queries import readings
from snapshots.showing.addresses import listed_at
from snapshots.showing.differences import table
from snapshots.showing.values import size

CHANGES_AT_ONCE = 500


def outside(
    workspace: Workspace,
    actor: Actor,
    state_id: UUID,
    *,
    start: int = 0,
    reason: str = "",
    refused: Refused | None = None,
) -> dict[str, Any]:
    """Return what `snapshots/state_outside.html` shows. Raises: NotFound (404), Corrupt (500)."""
    found = readings.mirrored(workspace.id, state_id)
    changes = readings.changes_to(found.head, found.reading) if found.reading else []
    end = start + CHANGES_AT_ONCE
    at = listed_at("snapshots:state_outside", workspace.slug, state_id)
    return {
        "head": found.head,
        "mirrors": found.mirrors,
        "mirrors_words": _in_words(found.mirrors),
        "reading": found.reading,
        "size": size(found.reading.document_bytes) if found.reading else "",
        "count": len(changes),
        "rows": table(changes[start:end]),
        "first_url": at() if start else "",
        "next_url": at(start=end) if len(changes) > end else "",
        "can_import": allows(actor.roles, "import"),
        "cannot_take_in": _objection(actor, found),
        "can_read": sources.is_readable(found.mirrors),
        "reason": reason,
        "refused": refused,
    }


def _objection(actor: Actor, found: readings.Mirrored) -> str:
    """Return why this reader cannot take the reading in; empty if they can."""
    if not reading.is_record(found.head):
        return reading.NotARecord().sentence
    if not allows(actor.roles, "decide"):
        return "Taking these in is for people with the right to decide: admins and reviewers."
    if found.reading is not None and reading.is_own(actor, found.reading):
        return reading.OwnReading().sentence
    return ""


def report_call(state_id: UUID, host: str) -> str:
    """Return what a program types to report the outside record; `host` is where we are reached."""
    address = reverse("api-1:report_outside", args=[state_id])
    lines = [
        "curl -X PUT",
        '-H "Authorization: Bearer $TOKEN"',
        '-H "Content-Type: application/json"',
        "-d '{\"document\": {}}'",
        f"{host}{address}",
    ]
    return " \\\n  ".join(lines)


def _in_words(mirrors: str) -> str:
    if not mirrors:
        return "nothing"
    return "a record that is reported to us" if mirrors == sources.PUSHED else mirrors
