"""Who lives in the world that is hurt: workspaces, people who can sign in, tokens, States, actions.

Everything is made through the console's operations, before anything fails.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

from approvals.effects import STATED
from approvals.operations.registering import ActionTypeSpec, declare
from approvals.rulebook import Rule
from console.access.models import User, Workspace
from console.access.operations.granting import enrol, found, grant
from console.access.operations.keying import make_token
from console.access.queries import person_as_actor
from console.actors import Actor, system
from snapshots.operations.creating import create_state
from tests.chaos import bank
from tests.terms import asking, matching, set_rules

SLUGS = ("north", "south")
# Two decide, two say what became of what is in doubt, one looks after the rest; one plugs in.
PEOPLE = {
    "ana": "reviewer",
    "ben": "reviewer",
    "rita": "reviewer",
    "rob": "reviewer",
    "ada": "admin",
    "eve": "engineer",
}
DECIDERS, RESOLVERS = ("ana", "ben"), ("rita", "rob")
SCOPES = ["jobs:read", "jobs:write", "proposals:read", "proposals:write"]
BACKEND = "django.contrib.auth.backends.ModelBackend"
PAY_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["ref", "amount", "payee"],
    "properties": {
        "ref": {"type": "string", "maxLength": 40},
        "amount": {"type": "string", "maxLength": 20},
        "payee": {"type": "string", "maxLength": 40},
    },
}

NOTE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"text": {"type": "string", "maxLength": 40}},
}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has signed in."""

    actor: Actor
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """A workspace as its clients know it."""

    slug: str
    setup: Actor
    token: str
    people: dict[str, Person]
    states: tuple[str, ...]

    @property
    def id(self) -> Any:
        """Return the workspace's id."""
        return self.setup.workspace_id


def build_all(states: int) -> list[Place]:
    """Found every workspace."""
    return [build(slug, states=states) for slug in SLUGS]


def build(slug: str, *, states: int) -> Place:
    """Found a workspace with people, a token, and so many records to pay from."""
    workspace = found(slug, slug.title())
    setup = system("setup", workspace.id)
    people = {name: _enlist(workspace, name, role) for name, role in PEOPLE.items()}
    _declare(setup)
    keys = tuple(f"books/{number:04}" for number in range(states))
    for key in keys:
        create_state(actor=setup, key=key, document={"payments": {}}, reason="opening", now=_now())
    lifetime, eve = timedelta(days=2), people["eve"].actor
    _, secret = make_token(actor=eve, name="Chaos", scopes=SCOPES, lifetime=lifetime, now=_now())
    return Place(slug, setup, secret, people, keys)


def action(door: str) -> str:
    """Return the name of the action that pays through one of the bank's doors."""
    return f"pay_{door}"


def _enlist(workspace: Workspace, name: str, role: str) -> Person:
    person = enrol(f"{name}@{workspace.slug}.invalid", name.title(), secrets.token_hex(16))
    grant(system("setup", workspace.id), workspace.id, person, role)
    return Person(person_as_actor(person, workspace.id, {role}), _signed_in(person, workspace))


def _signed_in(person: User, workspace: Workspace) -> dict[str, str]:
    """Return what a browser sends in which this person has signed in."""
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = BACKEND
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session.save()
    token = secrets.token_hex(16)
    cookies = {
        settings.SESSION_COOKIE_NAME: session.session_key,
        settings.CSRF_COOKIE_NAME: token,
    }
    return {
        "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
        "X-CSRFToken": token,
        "Countersign-Workspace": workspace.slug,
    }


def _declare(setup: Actor) -> None:
    for door in bank.DOORS:
        spec = ActionTypeSpec(
            name=action(door),
            label=f"Pay, {door}",
            sentence="Pay {amount} to {payee}: {ref}",
            params_schema=PAY_SCHEMA,
            effect=STATED,
            risk=2,
            leaves_house=True,
            reversibility="ask the payee to send it back",
            connector=door,
        )
        declare(setup, spec)
    note = ActionTypeSpec("note", "Note", "Note {text}", NOTE_SCHEMA, STATED, risk=1)
    declare(setup, note)
    set_rules(
        setup,
        Rule(matching(action("queryable")), asking("two of us", approvals=2, level=2)),
        Rule(matching("*"), asking("one of us")),
    )


def _now() -> datetime:
    return datetime.now(UTC)
