"""Two workspaces: no route and no socket shows one of them anything of the other."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from agents import queries as agents
from agents.models import Agent, Pause
from agents.operations.planning import plan
from agents.operations.running import work
from agents.restoring import Wanted
from agents.verdicts import Verdict
from approvals import queries as approvals
from approvals.models import Connector, Discrepancy, Execution, Review
from approvals.operations.authorising import allow_up_to
from approvals.operations.breaking_glass import break_glass
from approvals.operations.deciding import Seen
from approvals.operations.delegating import delegate
from approvals.operations.proposing import Request, propose
from approvals.packing import purpose
from console.access.models import StepUp, User
from console.access.operations.granting import grant
from console.access.operations.keying import make_token
from console.access.queries import person_as_actor
from console.access.rights import ROLES, SCOPES
from console.actors import Actor
from console.asgi import application
from console.notices.operations.hooking import add
from console.notices.operations.redelivering import send_test
from console.regions import NOT_HERE
from snapshots.diff import Change
from snapshots.operations.creating import create_state
from snapshots.operations.marking import pin
from tests.agents import programs
from tests.agents.stage import Stage, now

pytestmark = pytest.mark.django_db(transaction=True)
INSIDE = "w/<slug:workspace>/"
# Enough for every form, so that a refusal is about the id and not about a missing word.
FORM = {
    "revision": 1,
    "digest": "0" * 64,
    "choice": "approve",
    "reason": "because",
    "text": "So it is.",
    "question": "Who?",
    "seconds": "3600",
    "attempt": "1",
    "verdict": "executed",
    "evidence": "Seen in their portal.",
    "note": "Seen to it.",
}
TOKENS: list[tuple[str, list[str]]] = [
    ("access:tokens", []),
    ("access:token_make", []),
    ("access:token_revoke", ["token_id"]),
]


@dataclass(slots=True)
class World:
    """One workspace with something of every kind in it."""

    slug: str
    person: User
    ids: dict[str, Any]
    secret: str

    @classmethod
    def build(cls, slug: str) -> "World":
        """Run a job up to its first proposal, and make a token."""
        stage = Stage.build(slug)
        person = User.objects.get(id=UUID(stage.ana.id))
        for role in ROLES:
            grant(stage.setup, stage.setup.workspace_id, person, role)
        run = stage.submit("count")
        work()
        [(_, proposal_id)] = agents.waiting_of(run.id)
        maker = person_as_actor(person, stage.setup.workspace_id, set(ROLES))
        token, secret = make_token(
            actor=maker, name="t", scopes=[*SCOPES], lifetime=timedelta(days=1), now=now()
        )
        agent = _only_here(stage, slug)
        ids = {
            "run_id": run.id,
            "job_id": run.job_id,
            "proposal_id": proposal_id,
            "state_id": stage.book.state_id,
            "token_id": token.id,
            "restoration_id": _plan(stage, run.id),
            "mark_id": _pin(stage),
            "agent_id": agent.id,
            "pause_id": _pause(stage),
            **_give_authority(maker, slug),
            "review_id": _break_a_glass(stage, maker),
            **_have_events_sent(maker, slug),
            **_leave_the_house(maker),
            "name": agent.name,
            "number": 1,
            "index": 0,
        }
        return cls(slug, person, ids, secret)


def _have_events_sent(maker: Actor, slug: str) -> dict[str, UUID]:
    """Add a webhook, and send it a test."""
    url = f"https://{slug}.example/"
    webhook, _ = add(actor=maker, url=url, events=["proposal.made"], now=now())
    sent = send_test(actor=maker, webhook_id=webhook.id, now=now())
    return {"webhook_id": webhook.id, "delivery_id": sent}


def _leave_the_house(maker: Actor) -> dict[str, UUID]:
    """Announce a way out, find a difference there, and name something that was carried out."""
    way = Connector.objects.create(
        workspace_id=maker.workspace_id,
        name="bank",
        kind="http",
        retry_class="blind",
        address="https://bank.example/",
        digest="d" * 64,
        deadline_seconds=5,
        settle_seconds=30,
        seen_at=now(),
    )
    differs = Discrepancy.objects.create(
        workspace_id=maker.workspace_id,
        connector=way,
        kind="not_ours",
        key="k",
        text="Theirs alone.",
        found_at=now(),
    )
    rows = Execution.objects.filter(workspace=maker.workspace_id)
    return {
        "execution_id": rows.values_list("id", flat=True)[0],
        "connector_id": way.id,
        "discrepancy_id": differs.id,
    }


def _give_authority(maker: Actor, slug: str) -> dict[str, UUID]:
    """Limit what somebody may approve, and let them stand in."""
    # Without a password: hashing one is made slow on purpose.
    person = User.objects.create_user(f"ben@{slug}.example", name="Ben")
    grant(maker, maker.workspace_id, person, "reviewer")
    ben = person.id
    limit = allow_up_to(
        actor=maker,
        person_id=ben,
        action_types=["*"],
        amount=None,
        currency="",
        expires_at=None,
        note="",
        now=now(),
    )
    standing = delegate(
        actor=maker,
        person_id=UUID(maker.id),
        delegate_id=ben,
        begins_at=now(),
        ends_at=now() + timedelta(days=1),
        reason="",
        now=now(),
    )
    return {"limit_id": limit, "delegation_id": standing}


def _break_a_glass(stage: Stage, maker: Actor) -> UUID:
    """Have something carried out in an emergency, and return a review that is owed for it."""
    create_state(actor=stage.setup, key="drawer", document={}, reason="start", now=now())
    change = Change("add", "/note", value="seen")
    request = Request("drawer", "set", {}, "run:glass", "1", stated=(change,))
    asked = propose(actor=stage.setup, request=request, now=now())
    shown = approvals.detail(maker.workspace_id, asked).revision
    proof = StepUp.objects.create(
        person_id=UUID(maker.id),
        purpose=purpose(asked, shown.digest, "break_glass"),
        method="password_totp",
        verified_at=now(),
    )
    break_glass(
        actor=maker,
        proposal_id=asked,
        seen=Seen(shown.number, shown.digest),
        reason="now",
        step_up=proof.id,
        now=now(),
    )
    return Review.objects.filter(workspace=maker.workspace_id).values_list("id", flat=True)[0]


def _plan(stage: Stage, run_id: UUID) -> UUID:
    """Plan to start a run anew."""
    actor = replace(stage.ana, roles=frozenset({"admin"}))
    return plan(actor=actor, wanted=Wanted("reinitialise", run=run_id), now=now())


def _pause(stage: Stage) -> UUID:
    """Let a guard pause another run."""
    pause = Pause.objects.create(
        workspace_id=stage.setup.workspace_id,
        run=stage.submit("count", key="paused"),
        step=0,
        rule="identical_call",
        verdict=Verdict("identical_call", "pause", "It looks again.").to_json(),
        created_at=now(),
    )
    return pause.id


def _pin(stage: Stage) -> UUID:
    """Pin the book's first snapshot."""
    state_id = stage.book.state_id
    return pin(actor=stage.ana, state_id=state_id, number=1, reason="", now=now()).id


def _only_here(stage: Stage, slug: str) -> Agent:
    """Make an agent that has worked in this workspace and in no other."""
    return Agent.objects.create(
        workspace_id=stage.setup.workspace_id,
        name=f"agent-of-{slug}",
        status_at=now(),
        seen_at=now(),
        created_at=now(),
    )


@pytest.fixture
def worlds() -> tuple[World, World]:
    programs.register()
    return World.build("alpha"), World.build("omega")


def routes() -> Iterator[tuple[str, list[str]]]:
    """Yield (name with namespace, parameters) of every route inside a workspace."""
    for resolver in get_resolver().url_patterns:
        if isinstance(resolver, URLResolver) and str(resolver.pattern) == INSIDE:
            for pattern in resolver.url_patterns:
                if isinstance(pattern, URLPattern):
                    yield f"{resolver.namespace}:{pattern.name}", [*pattern.pattern.converters]
    yield from [
        ("access:tokens", []),
        ("access:token_make", []),
        ("access:token_revoke", ["token_id"]),
    ]


ROUTES = sorted(routes())


def address(name: str, slug: str, needed: list[str], ids: dict[str, Any]) -> str:
    values = {key: ids[key] for key in needed if key != "workspace"}
    return reverse(name, kwargs={"workspace": slug, **values})


@pytest.mark.parametrize(("name", "needed"), ROUTES)
def test_a_stranger_finds_nothing_anywhere(
    worlds: tuple[World, World], client: Client, name: str, needed: list[str]
) -> None:
    mine, theirs = worlds
    client.force_login(mine.person, settings.AUTHENTICATION_BACKENDS[1])
    there = address(name, theirs.slug, needed, theirs.ids)
    assert {client.get(there).status_code, client.post(there, FORM).status_code} <= {404, 405}
    if set(needed) - {"workspace"}:
        here = address(name, mine.slug, needed, theirs.ids)
        assert {client.get(here).status_code, client.post(here, FORM).status_code} <= {404, 405}


@pytest.mark.parametrize(("name", "needed"), ROUTES)
def test_a_visitor_is_asked_to_sign_in_everywhere(
    worlds: tuple[World, World], client: Client, name: str, needed: list[str]
) -> None:
    there = address(name, worlds[0].slug, needed, worlds[0].ids)
    for answer in (client.get(there), client.post(there)):
        assert answer.status_code == 405 or answer["Location"].startswith("/sign-in/")


def test_lists_show_nothing_of_the_other(worlds: tuple[World, World], client: Client) -> None:
    mine, theirs = worlds
    client.force_login(mine.person, settings.AUTHENTICATION_BACKENDS[1])
    foreign = {str(value) for value in theirs.ids.values() if isinstance(value, UUID)}
    for name, needed in ROUTES:
        if set(needed) <= {"workspace"} and name != "access:token_make":
            page = client.get(address(name, mine.slug, needed, mine.ids)).content.decode()
            assert not [found for found in foreign if found in page], name


@pytest.mark.parametrize(
    ("place", "key"),
    [("jobs/{}", "job_id"), ("jobs/{}/wait", "job_id"), ("proposals/{}", "proposal_id")],
)
def test_a_token_opens_only_its_own_workspace(
    worlds: tuple[World, World], client: Client, place: str, key: str
) -> None:
    mine, theirs = worlds
    headers = {"Authorization": f"Bearer {mine.secret}"}
    answer = client.get(f"/api/v1/{place.format(theirs.ids[key])}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


SOCKETS = [
    "queue/",
    "outside/",
    "outside/connectors/",
    "outside/reconciliation/",
    "outside/{execution_id}/",
    "proposals/{proposal_id}/",
    "runs/",
    "runs/{run_id}/",
    "jobs/",
    "restorations/{restoration_id}/",
    "states/",
    "states/{state_id}/",
    "ledger/",
]


@pytest.mark.parametrize("place", SOCKETS)
async def test_a_socket_lets_strangers_go(place: str) -> None:
    mine, theirs, cookie = await _two_worlds()
    within = place.format(**theirs.ids)
    assert await _closing_code(f"/ws/w/{theirs.slug}/{within}", cookie) == NOT_HERE
    if "{" in place:
        assert await _closing_code(f"/ws/w/{mine.slug}/{within}", cookie) == NOT_HERE


async def _two_worlds() -> tuple[World, World, str]:
    def build() -> tuple[World, World, str]:
        programs.register()
        mine, theirs = World.build("alpha"), World.build("omega")
        client = Client()
        client.force_login(mine.person, settings.AUTHENTICATION_BACKENDS[1])
        return mine, theirs, client.cookies[settings.SESSION_COOKIE_NAME].value

    return await database_sync_to_async(build)()


async def _closing_code(path: str, cookie: str) -> int:
    headers = [
        (b"cookie", f"{settings.SESSION_COOKIE_NAME}={cookie}".encode()),
        (b"origin", b"http://localhost"),
        (b"host", b"localhost"),
    ]
    socket = WebsocketCommunicator(application, path, headers)
    await socket.connect()
    told = await socket.receive_output(timeout=5)
    await socket.disconnect()
    return int(told.get("code", 0))
