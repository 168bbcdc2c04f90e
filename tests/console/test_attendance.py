"""A page that is open when its reader loses the right to it is closed before it shows more."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.sessions.models import Session
from django.db import connections
from django.test.utils import CaptureQueriesContext

from console.access import queries
from console.access.models import Membership, User
from console.asgi import application
from console.regions import NOT_HERE, SIGNED_OUT
from console.settings import SESSION_COOKIE_NAME
from tests.house import ROLES, House

pytestmark = pytest.mark.django_db(transaction=True)
WITHIN_SECONDS = 5


@pytest.fixture
def open_house(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> House:
    # A consumer's thread outlives its test; its connection must not, or the database cannot go.
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)
    monkeypatch.setattr("console.attendance.EVERY_SECONDS", 0.5)
    return House.build("acme", ROLES)


async def arrive(house: House, name: str) -> WebsocketCommunicator:
    browser = await database_sync_to_async(house.client)(name)
    cookie = f"{SESSION_COOKIE_NAME}={browser.cookies[SESSION_COOKIE_NAME].value}"
    headers = [(b"cookie", cookie.encode())]
    headers += [(b"origin", b"http://localhost"), (b"host", b"localhost")]
    socket = WebsocketCommunicator(application, "/ws/w/acme/queue/", headers=headers)
    await socket.connect(timeout=WITHIN_SECONDS)
    assert "No agent has proposed anything yet" in await socket.receive_from(timeout=5)
    return socket


def signed_out(house: House) -> None:
    Session.objects.all().delete()


def deactivated(house: House) -> None:
    User.objects.filter(id=house.people["ben"].id).update(is_active=False)


def sent_away(house: House) -> None:
    Membership.objects.filter(person=house.people["ben"].id).delete()


def given_another_password(house: House) -> None:
    person = User.objects.get(id=house.people["ben"].id)
    person.set_password("another one of these")
    person.save()


@pytest.mark.parametrize(
    ("happens", "code"),
    [
        (signed_out, SIGNED_OUT),
        (deactivated, SIGNED_OUT),
        (sent_away, NOT_HERE),
        (given_another_password, SIGNED_OUT),
    ],
)
async def test_nothing_is_shown_to_somebody_who_is(
    open_house: House, happens: Callable[[House], None], code: int
) -> None:
    socket = await arrive(open_house, "ben")
    await database_sync_to_async(happens)(open_house)
    # Something new comes at once; it must not be seen, and without it the page closes as well.
    await database_sync_to_async(open_house.propose)("set_note")
    assert await socket.receive_output(timeout=WITHIN_SECONDS) == _closed(code)
    await socket.disconnect()


async def test_an_idle_page_is_closed_too(open_house: House) -> None:
    socket = await arrive(open_house, "ben")
    began = time.monotonic()
    await database_sync_to_async(deactivated)(open_house)
    assert await socket.receive_output(timeout=WITHIN_SECONDS) == _closed(SIGNED_OUT)
    assert time.monotonic() - began < WITHIN_SECONDS
    await socket.disconnect()


async def test_others_stay(open_house: House) -> None:
    ben, ana = await arrive(open_house, "ben"), await arrive(open_house, "ana")
    await database_sync_to_async(deactivated)(open_house)
    assert await ben.receive_output(timeout=WITHIN_SECONDS) == _closed(SIGNED_OUT)
    assert await ana.receive_nothing(timeout=1)
    for socket in (ben, ana):
        await socket.disconnect()


def test_everybody_is_asked_about_in_one_question(open_house: House) -> None:
    people = [actor.id for actor in open_house.people.values()]
    with CaptureQueriesContext(connections["default"]) as asked:
        found = queries.standings(people, ["none"])
    assert len(asked) == 1
    assert set(found) == {str(person) for person in people}


def _closed(code: int) -> dict[str, Any]:
    return {"type": "websocket.close", "code": code}
