"""Whose turn is it, who is looking, and until when did this person put it aside?"""

from datetime import UTC, datetime, timedelta
from typing import Any

from approvals import lifecycle
from approvals.queries import Detail
from approvals.queries.talking import snoozed_until
from approvals.showing.reading import Reader
from console.access.queries import people_with_role
from console.access.rights import ROLES, allows

_SNOOZES = (
    ("1 hour", timedelta(hours=1)),
    ("4 hours", timedelta(hours=4)),
    ("1 day", timedelta(days=1)),
)


def handling(reader: Reader) -> dict[str, Any]:
    """Return what `approvals/_handling.html` shows."""
    found, actor = reader.found, reader.actor
    row, now = found.proposal, datetime.now(UTC)
    is_open = lifecycle.is_open(row.status)
    may_decide = is_open and reader.barred is None
    claim = _claim(reader, now)
    administers = allows(actor.roles, "administer")
    is_mine = str(row.assignee_id) == actor.id
    return {
        "claim": claim,
        "can_claim": may_decide and lifecycle.is_decidable(row.status) and not claim,
        "can_release": claim is not None and (claim["is_mine"] or administers),
        "assignee": row.assignee,
        "can_take": may_decide and row.assignee_id is None,
        "can_give_back": is_open and row.assignee_id is not None and (is_mine or administers),
        "assignable": _assignable(found) if is_open and administers else [],
        "snoozed_until": snoozed_until(actor, row.id, now) if is_open else None,
        "snoozes": _snoozes(reader, now) if is_open else [],
    }


def _claim(reader: Reader, now: datetime) -> dict[str, Any] | None:
    row = reader.found.proposal
    if row.claimed_by is None or row.claimed_until is None or row.claimed_until <= now:
        return None
    is_mine = str(row.claimed_by_id) == reader.actor.id
    # Who else has looked is no business of a reader who must not know the others' mind.
    if reader.is_blind and not is_mine:
        return None
    return {"by": row.claimed_by.name, "until": row.claimed_until, "is_mine": is_mine}


def _snoozes(reader: Reader, now: datetime) -> list[dict[str, Any]]:
    due_at = reader.found.proposal.due_at
    return [
        {"label": label, "seconds": int(span.total_seconds())}
        for label, span in _SNOOZES
        if now + span <= due_at
    ]


def _assignable(found: Detail) -> list[dict[str, str]]:
    roles = [role for role, rights in ROLES.items() if "decide" in rights]
    people = people_with_role(found.proposal.workspace_id, roles)
    return [
        {"id": str(person.id), "name": person.name}
        for person, _ in people
        if f"person:{person.id}" not in found.revision.lineage
    ]
