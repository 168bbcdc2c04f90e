"""Make workspaces and people, and say who may do what."""

from uuid import UUID

from django.db import transaction

from console.access.models import Membership, User, Workspace
from console.actors import Actor, system
from console.ledger.operations.appending import append


def found(slug: str, name: str) -> Workspace:
    """Return the workspace with this slug; made, with the first line of its ledger, if new."""
    with transaction.atomic():
        workspace, is_new = Workspace.objects.get_or_create(slug=slug, defaults={"name": name})
        if is_new:
            actor = system("setup", workspace.id)
            append(actor, "workspace.founded", f"workspace:{workspace.id}", {"name": name})
    return workspace


def enrol(email: str, name: str, password: str) -> User:
    """Return the person with this address; made with this password if new."""
    person = User.objects.filter(email=email.lower()).first()
    return person or User.objects.create_user(email, password, name=name)


def grant(actor: Actor, workspace_id: UUID, person: User, role: str) -> None:
    """Give a person a role in a workspace; twice is once."""
    with transaction.atomic():
        _, is_new = Membership.objects.get_or_create(
            workspace_id=workspace_id, person=person, role=role
        )
        if is_new:
            body = {"person": str(person.id), "name": person.name, "role": role}
            append(actor, "role.granted", f"person:{person.id}", {**body})


def revoke_role(actor: Actor, workspace_id: UUID, person: User, role: str) -> None:
    """Take a role away; it ends with the next request or push."""
    with transaction.atomic():
        gone, _ = Membership.objects.filter(
            workspace_id=workspace_id, person=person, role=role
        ).delete()
        if gone:
            append(actor, "role.revoked", f"person:{person.id}", {"role": role})
