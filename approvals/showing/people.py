"""Who decides in this workspace, how much may each approve, and who stands in for whom?"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from approvals import queries
from approvals.queries import permitting
from console.access.queries import people_with_role
from console.access.rights import ROLES, allows
from console.actors import Actor
from console.paging import page

PAGE_SIZE = 50
PEOPLE_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Decider:
    """A person who may decide, with their roles; a limit is all they may if they have one."""

    id: UUID
    name: str
    roles: str
    limits: int


@dataclass(frozen=True, slots=True)
class Limit:
    """How much somebody may approve of which kinds of action."""

    id: UUID
    name: str
    kinds: str
    amount: str
    currency: str
    expires_at: datetime | None
    is_over: bool
    note: str
    granted_by: str
    can_take_back: bool


@dataclass(frozen=True, slots=True)
class Away:
    """Who stands in for whom, and on which days."""

    id: UUID
    person: str
    delegate: str
    begins_at: datetime
    ends_at: datetime
    reason: str
    made_by: str
    is_now: bool
    can_end: bool


def deciders(workspace_id: UUID) -> list[tuple[UUID, str]]:
    """Return the people who may decide, by name."""
    found = people_with_role(workspace_id, [*ROLES])
    return [(person.id, person.name) for person, roles in found if allows(roles, "decide")]


def authority(actor: Actor, cursor: str = "") -> dict[str, Any]:
    """Return what `approvals/authority.html` shows. Raises: BadCursor (400)."""
    now = datetime.now(UTC)
    rows = permitting.limits_in_force(actor.workspace_id)
    found = page(rows, by="created_at", cursor=cursor, size=PAGE_SIZE)
    can_grant = allows(actor.roles, "authority")
    return {
        "limits": [_limit(row, actor, now, can_grant=can_grant) for row in found.rows],
        "people": _people(actor.workspace_id),
        "can_grant": can_grant,
        "cursor": cursor,
        "next_cursor": found.next_cursor,
    }


def away(actor: Actor, cursor: str = "") -> dict[str, Any]:
    """Return what `approvals/away.html` shows: what is in force or will be, the latest first.

    Raises: BadCursor (400).
    """
    now = datetime.now(UTC)
    rows = queries.delegations(actor.workspace_id).filter(revoked_at=None, ends_at__gt=now)
    found = page(rows, by="begins_at", cursor=cursor, size=PAGE_SIZE)
    is_admin = allows(actor.roles, "authority")
    return {
        "away": [_away(row, actor, now, is_admin=is_admin) for row in found.rows],
        "is_admin": is_admin,
        "can_name": is_admin or allows(actor.roles, "decide"),
        "cursor": cursor,
        "next_cursor": found.next_cursor,
    }


def _people(workspace_id: UUID) -> list[Decider]:
    counted = permitting.limits_by_person(workspace_id)
    found = people_with_role(workspace_id, [*ROLES])
    return [
        Decider(person.id, person.name, ", ".join(sorted(roles)), counted.get(person.id, 0))
        for person, roles in found[:PEOPLE_SHOWN]
        if allows(roles, "decide")
    ]


def _limit(row: Any, actor: Actor, now: datetime, *, can_grant: bool) -> Limit:
    return Limit(
        id=row.id,
        name=row.person.name,
        kinds=", ".join(row.action_types),
        amount="" if row.amount is None else f"{row.amount.normalize():,f}",
        currency=row.currency,
        expires_at=row.expires_at,
        is_over=row.expires_at is not None and now >= row.expires_at,
        note=row.note,
        granted_by=row.granted_by["name"],
        can_take_back=can_grant and str(row.person_id) != actor.id,
    )


def _away(row: Any, actor: Actor, now: datetime, *, is_admin: bool) -> Away:
    return Away(
        id=row.id,
        person=row.person.name,
        delegate=row.delegate.name,
        begins_at=row.begins_at,
        ends_at=row.ends_at,
        reason=row.reason,
        made_by=row.made_by["name"],
        is_now=row.begins_at <= now,
        can_end=is_admin or actor.id in {str(row.person_id), str(row.delegate_id)},
    )
