"""Who is this, and where do they belong?"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models import Exists, QuerySet
from django.db.models.functions import Now

from console import tenancy
from console.access.models import ApiToken, Membership, User, Workspace
from console.actors import Actor


def workspaces_of(person_id: UUID) -> list[Workspace]:
    """Return the workspaces a person belongs to, by name."""
    return [workspace for workspace, _ in roles_everywhere(person_id)]


def roles_everywhere(person_id: UUID) -> list[tuple[Workspace, frozenset[str]]]:
    """Return the workspaces of an active person, by name, with the roles they hold there.

    One of the two questions that are asked before the workspace is known; see migration 0003.
    """
    rows = Workspace.objects.raw("SELECT * FROM workspaces_of_person(%s)", [person_id])
    return [(row, frozenset(row.roles)) for row in rows]  # type: ignore[attr-defined]


def person_in(person: User, slug: str) -> tuple[Workspace, Actor] | None:
    """Return the workspace and the person as an actor in it, or nothing to strangers.

    Roles are read from the rows each time: a right that was taken away ends at once.
    """
    for workspace, roles in roles_everywhere(person.id):
        if workspace.slug == slug:
            return workspace, person_as_actor(person, workspace.id, {*roles})
    return None


def person_named(email: str, slug: str) -> tuple[Workspace, Actor] | None:
    """Return the workspace and whoever has this address as an actor in it, or nothing."""
    person = User.objects.filter(email=email.lower()).first()
    return person_in(person, slug) if person else None


def person_as_actor(person: User, workspace_id: UUID, roles: set[str]) -> Actor:
    """Return a person as the actor of an operation."""
    return Actor("person", str(person.id), person.name, workspace_id, frozenset(roles))


def is_signed_in(person: User, session_key: str) -> bool:
    """Say whether this session goes on and the person is still who opened it.

    `person` is as they were then: a password that changed since ends what was open under it.
    """
    alive = Session.objects.filter(session_key=session_key, expire_date__gt=Now())
    now = User.objects.filter(Exists(alive), id=person.id, is_active=True).only("password").first()
    return now is not None and now.password == person.password


def standings(people: Collection[UUID], sessions: Collection[str]) -> dict[str, str]:
    """Return, in one question, who stands how: a mark by person, and which sessions go on.

    A mark says nothing but that something changed: password, activity, or a role anywhere.
    """
    with connection.cursor() as cursor:
        cursor.execute(_STANDINGS, [[*people], [*sessions]])
        return dict(cursor.fetchall())


_STANDINGS = """
    SELECT u.id::text, md5(concat(u.is_active, u.password, (
        SELECT string_agg(concat(w.id, w.roles), ' ') FROM workspaces_of_person(u.id) w
    ))) FROM access_user u WHERE u.id = ANY(%s::uuid[])
    UNION ALL
    SELECT session_key, '' FROM django_session
    WHERE session_key = ANY(%s) AND expire_date > now()
"""


def token_for(secret: str, now: datetime) -> ApiToken | None:
    """Return the live token with this secret, if its maker may still hold tokens.

    The other question that is asked before the workspace is known.
    """
    digest = sha256(secret.encode()).hexdigest()
    rows = ApiToken.objects.raw("SELECT * FROM token_with_digest(%s)", [digest])
    for token in rows:
        is_live = token.revoked_at is None and token.expires_at > now
        return token if is_live and _may_hold_tokens(token) else None
    return None


def _may_hold_tokens(token: ApiToken) -> bool:
    with tenancy.within(token.workspace_id):
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
    # What they prove themselves with stays where it is: workers may not even ask for it.
    for row in rows.select_related("person").defer("person__password").order_by("person__name"):
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
