"""Open pages of what left the house stay true while others act."""

from datetime import UTC, datetime

import pytest

from approvals.operations.resolving import take_over
from approvals.operations.stopping import stop_sending
from approvals.operations.testing_connectors import ask_for_test
from tests.approvals.teller import Abroad
from tests.approvals.test_live import act, opened, shows, told
from tests.house import House

__all__ = ["told"]
pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_list_fills_and_says_that_sending_is_stopped(told: House) -> None:
    abroad = await act(Abroad.build, told)
    async with opened(told, "ben", "outside/") as socket:
        await shows(socket, "Nothing is in doubt")
        row = await act(abroad.doubt)
        html = await shows(socket, f"outside-{row.id}")
        assert html.startswith('<hx-partial hx-target="#outside" hx-swap="outerMorph"><div')
        ada, now = told.actor("ada"), datetime.now(UTC)
        await act(stop_sending, actor=ada, reason="Fraud.", typed="acme", now=now)
        await shows(socket, "Sending is stopped")


async def test_a_page_says_that_its_form_is_for_something_else_by_now(
    told: House,
) -> None:
    abroad = await act(Abroad.build, told)
    row = await act(abroad.doubt)
    async with opened(told, "ada", f"outside/{row.id}/?seen=in_doubt-1-0-") as socket:
        assert "outdated" not in await shows(socket, "Nobody yet")
        ben, now = told.actor("ben"), datetime.now(UTC)
        await act(take_over, actor=ben, execution_id=row.id, now=now)
        assert "Load it again" in await shows(socket, "sees to it")


async def test_a_connector_says_that_it_is_tested(told: House) -> None:
    await act(Abroad.build, told)
    async with opened(told, "ben", "outside/connectors/") as socket:
        await shows(socket, "not tested yet")
        ada, now = told.actor("ada"), datetime.now(UTC)
        await act(ask_for_test, actor=ada, name="bank", now=now)
        await shows(socket, "Test is under way")
