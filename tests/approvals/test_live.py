"""Open pages of proposals stay true while others act."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.db import connections
from django.test import Client

from approvals.operations.executing import carry_out_due
from console.access.operations.granting import revoke_role
from console.asgi import application
from console.settings import SESSION_COOKIE_NAME
from tests.house import ROLES, House, now

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
        html = await shows(socket, "row--done")
        assert html.count(f"proposal-{proposal}") == 1
        assert "Approved" in html
        assert "Ana" in html


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


def listed(html: str) -> list[str]:
    """Return the ids of the rows of a queue, from above."""
    return re.findall(r'<li class="row[^"]*" id="proposal-([0-9a-f-]+)"', html)


async def test_what_is_new_is_counted_and_moves_no_row(told: House) -> None:
    low = await act(told.propose, "set_note")
    browser = await act(told.client, "ben")
    page = (await act(browser.get, told.url("queue"))).content.decode()
    place = page.partition("/ws/w/acme/queue/")[2].partition('"')[0].replace("&amp;", "&")
    high = await act(told.propose)
    async with opened(told, "ben", f"queue/{place}") as socket:
        html = await shows(socket, "1 new, press")
        assert listed(html) == [str(low)]
        await act(told.propose, "pay")
        html = await shows(socket, "2 new, press")
        assert listed(html) == [str(low)]
        assert f'href="{told.url("queue")}?"' in html
    again = (await act(browser.get, told.url("queue"))).content.decode()
    assert listed(again)[0] == str(high)
    assert "new, press" not in again


async def test_a_row_that_was_settled_stays_in_its_place(told: House) -> None:
    first, second = [await act(told.propose, name) for name in ("change_bank", "set_note")]
    async with opened(told, "ben", "queue/") as socket:
        await shows(socket, f"proposal-{second}")
        await act(told.decide, "ana", first, "reject")
        html = await shows(socket, "row--done")
        assert listed(html) == [str(first), str(second)]
        assert "Rejected" in html.partition(f"proposal-{second}")[0]
        assert "Ana" in html.partition(f"proposal-{second}")[0]


async def test_what_is_new_is_counted_only_where_the_filters_and_the_page_would_show_it(
    told: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("approvals.showing.waiting.PAGE_SIZE", 1)
    await act(told.propose, "change_bank")
    await act(told.propose, "set_note")
    async with (
        opened(told, "ben", "queue/?level=2") as filtered,
        opened(told, "ben", "queue/") as first_page,
    ):
        await shows(filtered, "1 waits")
        await shows(first_page, "2 wait")
        await act(told.propose, "set_note", note="further down")
        assert "new, press" not in await shows(first_page, "3 wait")
        await act(told.propose, vendor="V-2", iban="DE02120300000000202051")
        await shows(filtered, "1 new, press")


async def test_a_claim_is_seen_by_the_others_at_once(told: House) -> None:
    proposal = await act(told.propose, "set_note")
    async with opened(told, "ben", "queue/") as socket:
        await shows(socket, "Your turn")
        browser = await act(told.client, "ana")
        await act(browser.post, f"{told.url('queue')}{proposal}/claim/")
        await shows(socket, "Claimed by Ana")
        await act(browser.post, f"{told.url('queue')}{proposal}/release/")
        await shows(socket, "Claim</button>")


@pytest.mark.parametrize("place", ["shown=x", "shown=AAA", "risk_gte=9", "shown=" + "A" * 9000])
async def test_a_queue_of_a_strange_address_closes(told: House, place: str) -> None:
    async with opened(told, "ben", f"queue/?{place}") as socket:
        closing = await socket.receive_output(timeout=WAITED_SECONDS)
        assert (closing["type"], closing["code"]) == ("websocket.close", 4404)


async def test_a_proposal_shows_each_decision_and_never_pushes_the_form(told: House) -> None:
    proposal = await act(told.propose)
    async with opened(told, "ben", f"proposals/{proposal}/?seen=1") as socket:
        assert 'name="choice"' not in await shows(socket, "Needs review")
        await act(told.decide, "ana", proposal)
        await shows(socket, "Needs 1 more")
        await act(told.decide, "ada", proposal)
        assert "snapshot 2" in await shows(socket, "Approved by Ana and Ada")


async def test_what_became_of_it_is_told_where_it_was_decided(told: House) -> None:
    proposal = await act(told.propose, "pay")
    async with opened(told, "ana", f"proposals/{proposal}/") as socket:
        await act(told.decide, "ana", proposal)
        html = await shows(socket, "Held until")
        _, became = html.split('<hx-partial hx-target="#became" hx-swap="outerMorph">')
        assert "Held until" in became
        assert "data-over" not in became
        await act(carry_out_due, now=now() + timedelta(minutes=11))
        html = await shows(socket, "snapshot 2")
        _, became = html.split('<hx-partial hx-target="#became" hx-swap="outerMorph">')
        assert '<p id="became" data-over>' in became
        assert "Held until" not in became


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


async def test_a_socket_ends_at_once_with_its_session(told: House) -> None:
    async with opened(told, "ben", "queue/") as socket, opened(told, "ana", "queue/") as other:
        for each in (socket, other):
            await shows(each, "No agent has proposed anything yet")
        cookie = dict(socket.scope["headers"] or ())[b"cookie"].decode()
        await act(Client(headers={"cookie": cookie}).post, "/sign-out/")
        closing = await socket.receive_output(timeout=WAITED_SECONDS)
        assert (closing["type"], closing["code"]) == ("websocket.close", 4401)
        assert await other.receive_nothing()


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
        await shows(socket, "state created")
        proposal = await act(told.propose, "set_note")
        await shows(socket, f"/proposals/{proposal}/")
    async with opened(told, "cleo", f"ledger/?subject=proposal%3A{proposal}") as socket:
        assert "state created" not in await shows(socket, "proposal made")
