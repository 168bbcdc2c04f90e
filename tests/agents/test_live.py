"""Open pages of runs, jobs and States stay true while agents work and people decide."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.db import connections

from agents import queries
from agents.operations.cancelling import cancel
from agents.operations.running import work
from agents.operations.submitting import JobRequest, submit
from agents.operations.waking import wake_run
from agents.workflows import Context, Workflow, register_workflow
from console.asgi import application
from console.canonical import Json
from console.settings import SESSION_COOKIE_NAME
from tests.house import ROLES, House, now

pytestmark = pytest.mark.django_db(transaction=True)
WAITED_SECONDS = 5


def note(context: Context) -> Json:
    """Look, propose, and look again."""
    context.tool(agent="clerk", name="get_mail", args={"id": "M-1"}, function=lambda: True)
    asked = {"vendor": "V-1", "note": "n"}
    outcome = context.propose(agent="clerk", action_type="set_note", params=asked)
    context.tool(agent="clerk", name="check_note", args={}, function=lambda: True)
    return outcome.status


@pytest.fixture
def told(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> House:
    """Return the house, with transactions that really end."""
    # A consumer's thread outlives its test; its connection must not, or the database cannot go.
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)
    register_workflow(Workflow("note", "Take a note", note))
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


async def closes(socket: WebsocketCommunicator) -> int:
    """Wait for the end, and return the code it gives."""
    closing = await socket.receive_output(timeout=WAITED_SECONDS)
    assert closing["type"] == "websocket.close"
    code: int = closing["code"]
    return code


async def act(verb: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Let somebody do something in a transaction of its own."""
    return await database_sync_to_async(verb)(*args, **kwargs)


def submitted(house: House, key: str = "one", label: str = "The note") -> UUID:
    """Let Eve submit a job and return it."""
    request = JobRequest("note", house.book.key, {}, key, label)
    return submit(actor=house.actor("eve"), request=request, now=now())[0]


def run_of(house: House, job_id: UUID) -> UUID:
    """Return the run that stands for a job."""
    return queries.current_run(queries.job(house.workspace.id, job_id)).id


def approve(house: House, run_id: UUID) -> None:
    """Let Ana approve what the run waits for, and let it go on."""
    [(_, proposal_id)] = queries.waiting_of(run_id)
    house.decide("ana", proposal_id)
    wake_run(run_id)
    work()


def since(at: datetime) -> str:
    """Return the query of a page that was opened at this time."""
    return f"?since={quote(at.isoformat())}"


async def test_a_run_grows_step_by_step_until_it_ends(told: House) -> None:
    run_id = await act(run_of, told, await act(submitted, told))
    async with opened(told, "cleo", f"runs/{run_id}/?first=0") as socket:
        html = await shows(socket, "This run has not reported yet")
        assert html.startswith('<hx-partial hx-target="#run" hx-swap="outerMorph"><div id="run"')
        await act(work)
        html = await shows(socket, "Waiting for a decision on")
        assert "Looked up mail M-1" in html
        assert "csrf" not in html
        await act(approve, told, run_id)
        html = await shows(socket, "What happened, and what did not")
        assert "Ana approved" in html
        assert "Checked note" in html


async def test_the_history_of_a_state_grows_with_what_was_approved(told: House) -> None:
    run_id = await act(run_of, told, await act(submitted, told))
    await act(work)
    async with opened(told, "cleo", f"states/{told.book.state_id}/") as socket:
        await shows(socket, "Now at snapshot 1")
        await act(approve, told, run_id)
        assert "after an approved proposal" in await shows(socket, "Now at snapshot 2")


async def test_the_list_of_states_shows_where_each_stands(told: House) -> None:
    async with opened(told, "cleo", "states/?q=vend") as socket:
        await shows(socket, '<td data-label="Snapshot" class="num">1</td>')
        await act(told.move_the_world)
        await shows(socket, '<td data-label="Snapshot" class="num">2</td>')


@pytest.mark.parametrize("place", ["runs", "jobs"])
async def test_a_list_changes_its_rows_and_only_announces_new_ones(told: House, place: str) -> None:
    job_id = await act(submitted, told, "one", "Known")
    async with opened(told, "eve", f"{place}/{since(now())}") as socket:
        assert "Queued" in await shows(socket, "Known")
        await act(submitted, told, "two", "Later")
        assert "Later" not in await shows(socket, "1 new, show")
        await act(cancel, actor=told.actor("eve"), job_id=job_id, now=now())
        await shows(socket, "Ended early")


async def test_an_empty_list_fills_by_itself(told: House) -> None:
    async with opened(told, "cleo", f"runs/{since(now())}") as socket:
        await shows(socket, "Nothing has run yet")
        await act(submitted, told)
        await shows(socket, "The note")


@pytest.mark.parametrize("query", ["?first=x", "?first=99999999999", "?first=%00", "?first=²", ""])
async def test_a_strange_address_is_read_as_the_last_steps(told: House, query: str) -> None:
    run_id = await act(run_of, told, await act(submitted, told))
    async with opened(told, "cleo", f"runs/{run_id}/{quote(query, safe='?=%')}") as socket:
        await shows(socket, "This run has not reported yet")


async def test_a_socket_closes_for_what_is_not_there(told: House) -> None:
    elsewhere = await act(House.build, "umbra", {"zoe": "admin"})
    run_id = await act(run_of, told, await act(submitted, told))
    for house, name, address in (
        (elsewhere, "zoe", f"runs/{run_id}/"),
        (elsewhere, "zoe", f"states/{told.book.state_id}/"),
        (told, "ana", "runs/?cursor=x"),
        (told, "ana", "runs/?status=sleeping"),
        (told, "ana", "jobs/?cursor=x"),
        (told, "ana", f"states/{told.book.state_id}/?cursor=x"),
    ):
        async with opened(house, name, address) as socket:
            assert await closes(socket) == 4404


async def test_strange_words_about_time_are_overlooked(told: House) -> None:
    await act(submitted, told)
    for word in ("yesterday", "2026-01-01", "%00"):
        async with opened(told, "ana", f"runs/?since={word}") as socket:
            await shows(socket, "The note")
