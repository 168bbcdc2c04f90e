"""Alive and ready: a probe says which part is missing, and a page says when to come back."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError
from django.test import Client

from console import health
from console.pulse.operations.beating import beat
from console.pulse.queries import beats
from console.pulse.tasks import canary
from tests.house import House, now


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look anew in every test."""
    monkeypatch.setattr(health, "CHECKED_EVERY_SECONDS", -1.0)


def test_alive_needs_nothing(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}


@pytest.mark.django_db
def test_ready_needs_a_database_with_our_migrations(client: Client) -> None:
    assert client.get("/readyz").json() == {"status": "ready", "degraded": []}


@pytest.mark.django_db
@pytest.mark.parametrize("part", ["pool", "database", "migrations", "static files"])
def test_the_missing_part_is_named(
    client: Client, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setitem(health._NEEDED, part, lambda: "it is not there")
    answer = client.get("/readyz")
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert answer.json() == {"status": "not ready", "part": part, "problem": "it is not there"}


@pytest.mark.django_db
def test_a_migration_that_is_missing_is_counted(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = frozenset({*health._needed_migrations(), ("approvals", "9999_not_yet")})
    monkeypatch.setattr(health, "_needed_migrations", lambda: needed)
    answer = client.get("/readyz").json()
    assert answer["part"] == "migrations"
    assert answer["problem"] == "1 migrations have not been applied"


@pytest.mark.django_db
def test_without_a_broker_it_is_degraded_and_still_ready(client: Client, settings: Any) -> None:
    settings.CHANNEL_URL = "unix:///nowhere/valkey.sock?db=0"
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "degraded", "degraded": ["channel layer"]}


def _gone(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


@pytest.fixture
def visitor(house: House) -> Client:
    return house.client("ana", raise_request_exception=False)


@pytest.mark.django_db
@pytest.mark.parametrize("error", [OperationalError("gone"), InterfaceError("closed")])
@pytest.mark.parametrize(
    "place", ["console.access.queries.person_in", "django.contrib.auth.get_user"]
)
def test_a_page_without_a_database_says_so_and_when_to_come_back(
    house: House, visitor: Client, monkeypatch: pytest.MonkeyPatch, error: Exception, place: str
) -> None:
    monkeypatch.setattr(place, _gone(error))
    answer = visitor.get(house.url("queue"))
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert "The database does not answer" in answer.content.decode()
    assert answer["X-Request-ID"] in answer.content.decode()


@pytest.mark.django_db
def test_a_session_that_cannot_be_saved_is_no_fault_of_ours(
    house: House, visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.contrib.sessions.backends.db import SessionStore  # noqa: PLC0415

    monkeypatch.setattr(SessionStore, "save", _gone(OperationalError("gone")))
    monkeypatch.setattr("django.conf.settings.SESSION_SAVE_EVERY_REQUEST", True)
    assert visitor.get(house.url("queue")).status_code == 503


@pytest.mark.django_db
def test_the_api_says_it_as_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.access.queries.token_for", _gone(OperationalError("gone")))
    headers: Any = {"Authorization": "Bearer csg_any"}
    answer = Client(raise_request_exception=False).get("/api/v1/jobs", headers=headers)
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert answer.json()["code"] == "unavailable"
    assert answer.json()["request_id"] == answer["X-Request-ID"]


@pytest.mark.django_db
def test_a_part_that_works_is_seen() -> None:
    beat("timer", now=now(), says={"version": "1"})
    first = beats()["timer"]
    beat("timer", now=now())
    assert beats()["timer"].at > first.at
    canary("runs")
    assert set(beats()) == {"queue:runs", "timer"}
