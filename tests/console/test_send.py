"""The sender's children hear of what is due from PostgreSQL alone, and go on after losing it."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from approvals.connectors.protocol import Connector
from approvals.models import Connector as Row
from approvals.operations.dispatching import dispatch, take
from console.management.commands import send
from console.supervision.crew import Stopping
from tests.approvals.outside import Wiring, status, stays_silent
from tests.story import Cast, now

pytestmark = pytest.mark.django_db(transaction=True)
SOON_SECONDS = 2.0


@pytest.fixture
def wiring() -> Wiring:
    return Wiring.of(Cast.build())


@pytest.fixture
def at_work() -> Iterator[Callable[..., None]]:
    """Let a child's work run in a thread until the test ends."""
    stopping, threads = Stopping(), []

    def begin(work: Callable[[dict[str, Connector], Stopping], None], wiring: Wiring) -> None:
        connectors: dict[str, Connector] = {**wiring.connectors}

        def run() -> None:
            try:
                work(connectors, stopping)
            finally:
                connection.close()

        threads.append(Thread(target=run, daemon=True))
        threads[-1].start()

    yield begin
    stopping.ask()
    for thread in threads:
        thread.join(timeout=10)
        assert not thread.is_alive()


def becomes(found: UUID, wanted: str, seconds: float = 20) -> float:
    """Wait for a status and return how long it took."""
    began = time.monotonic()
    while status(found) != wanted:
        assert time.monotonic() - began < seconds, status(found)
        time.sleep(0.01)
    return time.monotonic() - began


def test_sends_at_once_without_any_broker(wiring: Wiring, at_work: Callable[..., None]) -> None:
    at_work(send.send, wiring)
    becomes(wiring.approve(1), "succeeded")
    took = sorted(becomes(wiring.approve(1), "succeeded") for _ in range(5))
    assert took[2] < SOON_SECONDS


def test_goes_on_after_its_connection_was_cut(wiring: Wiring, at_work: Callable[..., None]) -> None:
    at_work(send.send, wiring)
    becomes(wiring.approve(1), "succeeded")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    becomes(wiring.approve(1), "succeeded")


def test_announces_what_it_holds(wiring: Wiring, at_work: Callable[..., None]) -> None:
    Row.objects.update(is_offered=False)
    at_work(send.send, wiring)
    began = time.monotonic()
    while not Row.objects.filter(workspace=wiring.cast.workspace, is_offered=True).exists():
        assert time.monotonic() - began < 20
        time.sleep(0.01)


def test_finds_out_what_came_into_doubt(
    wiring: Wiring, at_work: Callable[..., None], settings: Any
) -> None:
    settings.SEND_LEASE = timedelta(seconds=0.5)
    wiring.bank.answers = [stays_silent]
    found = wiring.approve(1)
    taken = take(now=now())
    assert taken
    assert dispatch(taken, b"{}", now=now())
    at_work(send.find_out, wiring)
    becomes(found, "in_doubt")


def test_without_settings_nothing_leaves_and_everything_else_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CONNECTOR_SETTINGS", str(tmp_path / "none.toml"))
    assert send._connectors() == {}
    assert "nothing leaves the house" in caplog.text
    monkeypatch.delenv("CONNECTOR_SETTINGS")
    assert send._connectors() == {}
