"""Open pages of proposals stay true while others act."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.db import connections

from console.access.operations.granting import revoke_role
from console.asgi import application
from console.settings import SESSION_COOKIE_NAME
from tests.house import ROLES, House

pytestmark = pytest.mark.django_db(transaction=True)
WAITED_SECONDS = 5


@pytest.fixture
def told(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> House:
    """Return the house, with transactions that really end."""
    # A consumer's thread outlives its test; its connection must not, or the database cannot go.
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)
    return House.build("acme", ROLES)


@asynccontextmanager
async def opened(house: House, name: str, address: str) -> AsyncIterator[WebsocketCommunicator]:
    """Open a page's socket as one of the cast."""
    browser = await database_sync_to_async(house.client)(name)
    cookie = f"{SESSION_COOKIE_NAME}={browser.cookies[SESSION_COOKIE_NAME].value}"
    socket = WebsocketCommunicator(
        application,
        f"/ws/w/{house.workspace.slug}/{address}",
        headers=[
            (b"cookie", cookie.encode()),
            (b"origin", b"http://localhost"),
            (b"host", b"localhost"),
        ],
    )
    connected, _ = await socket.connect(timeout=WAITED_SECONDS)
    assert connected
    try:
        yield socket
    finally:
        await socket.disconnect(timeout=WAITED_SECONDS)


async def shows(socket: WebsocketCommunicator, text: str) -> str:
    """Wait for a push that shows this text."""
    async with asyncio.timeout(WAITED_SECONDS):
        while text not in (html := str(await socket.receive_from(timeout=WAITED_SECONDS))):
            pass
    return html


async def act(verb: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Let somebody do something in a transaction of its own."""
    return await database_sync_to_async(verb)(*args, **kwargs)


async def test_the_queue_fills_and_settled_rows_stay_with_who_settled_them(told: House) -> None:
    async with opened(told, "ben", "queue/") as socket:
        await shows(socket, "No agent has proposed anything yet")
        proposal = await act(told.propose, "set_note")
        html = await shows(socket, f"proposal-{proposal}")
        assert html.startswith('<hx-partial hx-target="#queue" hx-swap="outerMorph"><section')
        await act(told.decide, "ana", proposal)
        html = await shows(socket, "Just settled")
        assert "row--done" in html


async def test_the_queue_page_that_was_turned_to_is_the_one_that_is_pushed(
    told: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("approvals.showing.waiting.PAGE_SIZE", 1)
    first = await act(told.propose, "change_bank")
    second = await act(told.propose, "set_note")
    browser = await act(told.client, "ben")
    html = (await act(browser.get, told.url("queue"))).content.decode()
    cursor = html.partition('href="?cursor=')[2].partition('"')[0]
    async with opened(told, "ben", f"queue/?cursor={cursor}") as socket:
        html = await shows(socket, f"proposal-{second}")
        assert str(first) not in html


async def test_a_proposal_shows_each_decision_and_never_pushes_the_form(told: House) -> None:
    proposal = await act(told.propose)
    async with opened(told, "ben", f"proposals/{proposal}/?seen=1") as socket:
        assert 'name="choice"' not in await shows(socket, "Needs review")
        await act(told.decide, "ana", proposal)
        await shows(socket, "Needs 1 more")
        await act(told.decide, "ada", proposal)
        assert "snapshot 2" in await shows(socket, "Approved by Ana and Ada")


async def test_a_reader_is_told_that_what_they_type_came_too_late(told: House) -> None:
    proposal = await act(told.propose, "set_note")
    async with opened(told, "ben", f"proposals/{proposal}/?seen=1") as socket:
        await shows(socket, "Needs review")
        await act(told.decide, "ana", proposal, "reject")
        assert "The form below no longer counts" in await shows(socket, "Rejected by Ana")
    async with opened(told, "ben", f"proposals/{proposal}/?seen=0") as socket:
        assert "no longer counts" not in await shows(socket, "Rejected by Ana")


async def test_a_reader_is_told_when_the_proposal_changed_under_them(told: House) -> None:
    proposal = await act(told.propose)
    async with opened(told, "ben", f"proposals/{proposal}/?seen=1") as socket:
        await shows(socket, "Needs review")
        await act(told.move_the_world)
        await shows(socket, "The record changed after this diff was made")
        browser = await act(told.client, "ana")
        await act(browser.post, told.url("proposals", proposal, "rebase"))
        await shows(socket, "Reload to decide on revision 2")
    async with opened(told, "ben", f"proposals/{proposal}/?seen=2") as socket:
        assert "Reload to decide" not in await shows(socket, "Needs review")


@pytest.mark.parametrize("seen", ["", "?seen=x", "?seen=99999999999999999999", "?seen=%00"])
async def test_a_strange_address_is_read_as_nothing_seen(told: House, seen: str) -> None:
    proposal = await act(told.propose)
    async with opened(told, "ben", f"proposals/{proposal}/{seen}") as socket:
        assert "Reload to decide" not in await shows(socket, "Needs review")


async def test_a_socket_closes_for_what_is_not_there(told: House) -> None:
    for address in (f"proposals/{told.book.state_id}/", "queue/?cursor=x"):
        async with opened(told, "ben", address) as socket:
            closing = await socket.receive_output(timeout=WAITED_SECONDS)
            assert (closing["type"], closing["code"]) == ("websocket.close", 4404)


async def test_a_socket_ends_with_the_right_to_see(told: House) -> None:
    async with opened(told, "ben", "queue/") as socket:
        await shows(socket, "No agent has proposed anything yet")
        person = told.people["ben"]
        await act(revoke_role, told.setup, told.workspace.id, person, "reviewer")
        await act(told.propose)
        closing = await socket.receive_output(timeout=WAITED_SECONDS)
        assert (closing["type"], closing["code"]) == ("websocket.close", 4404)


async def test_the_ledger_grows_as_it_is_written(told: House) -> None:
    async with opened(told, "cleo", "ledger/") as socket:
        await shows(socket, "policy set")
        proposal = await act(told.propose, "set_note")
        await shows(socket, f"/proposals/{proposal}/")
    async with opened(told, "cleo", f"ledger/?subject=proposal%3A{proposal}") as socket:
        assert "policy set" not in await shows(socket, "proposal made")
