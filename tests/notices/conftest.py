"""What the tests of notices may ask for: people of two workspaces, and those who receive."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from pytest_django import Settings

from console.access.models import User, Workspace
from console.access.operations.granting import found, grant
from console.access.queries import person_as_actor
from console.actors import Actor, system
from console.ids import new_id
from console.notices.models import Webhook
from console.notices.operations.hooking import add
from console.notices.operations.noticing import notify
from tests.notices.receivers import Mailbox, Receiver, mailbox, receiver

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ROLES = {"ana": "reviewer", "ben": "reviewer", "cleo": "auditor", "ada": "admin", "eve": "engineer"}
# What nobody outside may read: a name and an amount.
TITLE = "Pay EUR 48,200.00 to Annegret Nordlicht"
BACKEND = "django.contrib.auth.backends.ModelBackend"


@dataclass(slots=True)
class Office:
    """One workspace and its people; things happen in it."""

    workspace: Workspace
    people: dict[str, User]
    roles: dict[str, str]
    happened: list[str] = field(default_factory=list)

    @classmethod
    def build(cls, slug: str, roles: dict[str, str]) -> "Office":
        """Found a workspace with these people in these roles."""
        workspace = found(slug, slug.title())
        people = {}
        for name, role in roles.items():
            person = User.objects.create_user(f"{name}@{slug}.example", name=name.title())
            grant(system("setup", workspace.id), workspace.id, person, role)
            people[name] = person
        return cls(workspace, people, roles)

    def actor(self, name: str) -> Actor:
        """Return one of the people as an actor."""
        return person_as_actor(self.people[name], self.workspace.id, {self.roles[name]})

    def client(self, name: str) -> Client:
        """Return a browser in which one of the people has signed in."""
        browser = Client()
        browser.force_login(self.people[name], backend=BACKEND)
        return browser

    def url(self, *parts: object) -> str:
        """Return an address inside the workspace."""
        return "".join([f"/w/{self.workspace.slug}/settings/", *(f"{part}/" for part in parts)])

    def happens(
        self, event: str = "proposal.made", *names: str, at: datetime = NOON, **more: Any
    ) -> str:
        """Let something happen to a proposal and tell these people; return the proposal's id."""
        subject = str(more.pop("subject", new_id()))
        self.happened.append(subject)
        notify(
            workspace_id=self.workspace.id,
            event=event,
            subject_ref=f"proposal:{subject}",
            title=TITLE,
            path=f"/w/{self.workspace.slug}/proposals/{subject}/",
            people=[self.people[name].id for name in names],
            now=at,
            data={"level": 2, "title": TITLE, "amount": "48200.00", **more.pop("data", {})},
            **more,
        )
        return subject

    def hook(self, url: str, *events: str) -> tuple[Webhook, str]:
        """Let Eve add a webhook; return it with its secret."""
        wanted = events or ("proposal.made",)
        return add(actor=self.actor("eve"), url=url, events=wanted, now=NOON)

    def id_of(self, name: str) -> UUID:
        """Return a person's id."""
        return self.people[name].id


@pytest.fixture
def office(db: None) -> Office:
    """Return the workspace in which things happen."""
    return Office.build("acme", ROLES)


@pytest.fixture
def elsewhere(office: Office) -> Office:
    """Return another workspace, where Zoe is admin."""
    return Office.build("umbra", {"zoe": "admin", "eve": "engineer"})


@pytest.fixture
def box(settings: Settings) -> Iterator[Mailbox]:
    """A mail server that the console is told of."""
    with mailbox() as found_box:
        settings.EMAIL_URL = found_box.url
        settings.PUBLIC_URL = "https://console.example"
        yield found_box


@pytest.fixture
def sink(settings: Settings) -> Iterator[Receiver]:
    """A receiver of webhooks that the console may reach."""
    with receiver() as kept:
        settings.WEBHOOK_NETWORKS = "127.0.0.0/8"
        settings.WEBHOOK_PORTS = f"443,{kept.port}"
        yield kept
