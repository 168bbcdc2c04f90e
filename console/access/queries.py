"""Who is this, and where do they belong?"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.db.models import QuerySet

from console.access.models import ApiToken, Membership, User, Workspace
from console.actors import Actor


def workspaces_of(person_id: UUID) -> list[Workspace]:
    """Return the workspaces a person belongs to, by name."""
    rows = Workspace.objects.filter(memberships__person_id=person_id)
    return list(rows.distinct().order_by("name"))


def person_in(person: User, slug: str) -> tuple[Workspace, Actor] | None:
    """Return the workspace and the person as an actor in it, or nothing to strangers.

    Roles are read from the rows each time: a right that was taken away ends at once.
    """
    rows = list(
        Membership.objects.filter(person=person, workspace__slug=slug, person__is_active=True)
        .select_related("workspace")
        .only("role", "workspace")
    )
    if not rows:
        return None
    return rows[0].workspace, person_as_actor(person, rows[0].workspace_id, {r.role for r in rows})


def person_as_actor(person: User, workspace_id: UUID, roles: set[str]) -> Actor:
    """Return a person as the actor of an operation."""
    return Actor("person", str(person.id), person.name, workspace_id, frozenset(roles))


def token_for(secret: str, now: datetime) -> ApiToken | None:
    """Return the live token with this secret, if its maker may still hold tokens."""
    rows = ApiToken.objects.select_related("made_by", "workspace").filter(
        digest=sha256(secret.encode()).hexdigest(),
        revoked_at=None,
        expires_at__gt=now,
        made_by__is_active=True,
    )
    token = rows.first()
    if token is None or not _may_hold_tokens(token):
        return None
    return token


def _may_hold_tokens(token: ApiToken) -> bool:
    return Membership.objects.filter(
        person=token.made_by_id, workspace=token.workspace_id, role__in=["admin", "engineer"]
    ).exists()


def token_as_actor(token: ApiToken) -> Actor:
    """Return a program as the actor of an operation; its maker stands behind it."""
    behind = f"person:{token.made_by_id}"
    return Actor("client", str(token.id), token.name, token.workspace_id, behind=behind)


def tokens(workspace_id: UUID) -> QuerySet[ApiToken]:
    """Return a workspace's tokens with their makers."""
    return ApiToken.objects.filter(workspace=workspace_id).select_related("made_by")


def people_with_role(workspace_id: UUID, roles: list[str]) -> list[tuple[User, frozenset[str]]]:
    """Return the active people who hold one of the roles, with all roles they hold."""
    held: dict[User, set[str]] = {}
    rows = Membership.objects.filter(workspace=workspace_id, person__is_active=True)
    for row in rows.select_related("person").order_by("person__name"):
        held.setdefault(row.person, set()).add(row.role)
    return [(person, frozenset(has)) for person, has in held.items() if has & set(roles)]


@dataclass(frozen=True, slots=True)
class Member:
    """What somebody holds in a workspace, and the address by which a policy may know them."""

    email: str
    roles: frozenset[str]


def members_of(workspace_id: UUID, people: Collection[UUID]) -> dict[UUID, Member]:
    """Return what people hold now, by person; those who left are not in it."""
    rows = Membership.objects.filter(
        workspace=workspace_id, person__in=people, person__is_active=True
    )
    held: dict[UUID, tuple[str, set[str]]] = {}
    for person_id, email, role in rows.values_list("person_id", "person__email", "role"):
        held.setdefault(person_id, (email, set()))[1].add(role)
    return {person: Member(email, frozenset(roles)) for person, (email, roles) in held.items()}


def roles_of(workspace_id: UUID, people: list[UUID]) -> dict[UUID, frozenset[str]]:
    """Return the roles that people hold now, by person; those who left hold none."""
    rows = Membership.objects.filter(
        workspace=workspace_id, person__in=people, person__is_active=True
    )
    held: dict[UUID, set[str]] = {}
    for person_id, role in rows.values_list("person_id", "role"):
        held.setdefault(person_id, set()).add(role)
    return {person_id: frozenset(roles) for person_id, roles in held.items()}


@dataclass(frozen=True, slots=True)
class Factor:
    """Something a person proves themselves with besides a password: `totp`, `webauthn` or
    `recovery_codes`.
    """

    id: int
    kind: str
    name: str
    created_at: datetime
    last_used_at: datetime | None


def factors_of(person_id: UUID) -> list[Factor]:
    """Return what a person proves themselves with, oldest first."""
    rows = Authenticator.objects.filter(user=person_id).order_by("created_at", "id")
    return [Factor(row.id, row.type, str(row), row.created_at, row.last_used_at) for row in rows]


def factor_kinds(person_id: UUID) -> frozenset[str]:
    """Return the kinds of second factors that a person has."""
    rows = Authenticator.objects.filter(user=person_id)
    return frozenset(rows.values_list("type", flat=True))
