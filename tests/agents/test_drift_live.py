"""Open pages of drift and of a memory stay true while others measure and sweep."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connections

from agents.operations.measuring import measure
from agents.operations.sweeping import sweep
from console.actors import system
from snapshots.queries import Head
from tests.agents import minds
from tests.agents.test_live import act, closes, opened, shows
from tests.house import ROLES, House, now

pytestmark = pytest.mark.django_db(transaction=True)
NOTES: list[dict[str, Any]] = [minds.short(f"s{n}") for n in range(11)]


@pytest.fixture
def told(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> House:
    """Return the house, with transactions that really end."""
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)
    return House.build("acme", ROLES)


@pytest.fixture
def mind(told: House) -> Head:
    """Return a memory of which all will be stale in two hours."""
    return minds.keep(
        told.actor("eve"), told.book, [*NOTES, {"subject": "a"}, {"subject": "a"}], now()
    )


def measured(house: House, head: Head) -> None:
    guard = system("drift-guard", house.workspace.id)
    measure(actor=guard, state_id=head.state_id, now=now() + timedelta(hours=2))


async def test_the_list_shows_a_new_measurement(told: House, mind: Head) -> None:
    async with opened(told, "cleo", "drift/") as socket:
        html = await shows(socket, "Not measured")
        assert html.startswith(
            '<hx-partial hx-target="#drift" hx-swap="outerMorph"><div id="drift"'
        )
        await act(measured, told, mind)
        html = await shows(socket, "12 of 13 entries are stale")
        assert "csrf" not in html


async def test_a_series_grows(told: House, mind: Head) -> None:
    async with opened(told, "cleo", f"drift/{mind.state_id}/") as socket:
        html = await shows(socket, "Not measured yet")
        assert 'hx-target="#drift-series"' in html
        await act(measured, told, mind)
        await shows(socket, "<polyline")


async def test_a_memory_shows_what_a_sweep_left(told: House, mind: Head) -> None:
    async with opened(told, "cleo", f"states/{mind.state_id}/memory/") as socket:
        html = await shows(socket, "It would take 1 entry: 1 superseded.")
        assert 'hx-target="#memory"' in html
        await act(sweep, actor=told.setup, state_id=mind.state_id, now=now())
        html = await shows(socket, "It would take nothing.")
        assert html.count('id="entry-') == 12


@pytest.mark.parametrize("place", ["drift/{}/", "states/{}/memory/"])
async def test_ends_where_there_is_nothing_to_see(told: House, mind: Head, place: str) -> None:
    elsewhere = await act(House.build, "umbra", {"zoe": "admin"})
    async with opened(elsewhere, "zoe", place.format(mind.state_id)) as socket:
        assert await closes(socket) == 4404


async def test_a_record_has_no_page_of_a_memory(told: House) -> None:
    async with opened(told, "ana", f"states/{told.book.state_id}/memory/") as socket:
        assert await closes(socket) == 4404
