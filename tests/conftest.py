"""What every test may ask for."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.db.backends.postgresql.operations import DatabaseOperations
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from tests.roles import make_all

pytest_plugins = ["tests.house"]
TESTS = Path(__file__).parent
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ON_MACOS = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
# What takes a minute or more begins first, so that at the end no worker is left alone with it.
LONGEST = [
    f"{TESTS}/{name}.py"
    for name in (
        "chaos/test_small",
        "system/test_faults",
        "agents/test_restoration_races",
        "agents/test_recorded",
        "system/test_browser",
        "approvals/test_races",
        "system/test_restoration_browser",
        "system/test_doubt_browser",
        "agents/test_recorded_rollbacks",
        "system/test_signing_browser",
        "system/test_storage_faults",
        "api/test_hostile",
        "api/test_openapi",
    )
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; the rest, and the order within a file, stay as they are."""
    ranks = {name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(str(item.path), len(LONGEST)))


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Return the path of a Chromium; skip without one, or fail where REQUIRE_BROWSER is 1."""
    named = os.environ.get("CHROMIUM_PATH")
    found = named or next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if not found and ON_MACOS.exists():
        found = str(ON_MACOS)
    if found:
        return found
    missing = (
        "No Chromium was found. Install one (Debian: apt install chromium) or set CHROMIUM_PATH."
    )
    if os.environ.get("REQUIRE_BROWSER") == "1":
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Give the roles of the processes their rights in the test database, too."""
    with django_db_blocker.unblock():
        make_all()


@pytest.fixture(autouse=True, scope="session")
def static_files_as_they_are() -> Iterator[None]:
    """Name static files plainly; nothing was collected for the tests."""
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": plain}):
        yield


@pytest.fixture(autouse=True, scope="session")
def emptying_is_allowed_between_tests() -> None:
    """Let the test database be emptied, although its tables refuse that everywhere else."""
    plain = DatabaseOperations.sql_flush

    def flush(self: DatabaseOperations, style: Any, tables: Any, **options: Any) -> list[str]:
        statements = plain(self, style, tables, **options)
        if not statements:
            return []
        off = [f'ALTER TABLE "{table}" DISABLE TRIGGER USER' for table in tables]
        on = [
            f'ALTER TABLE "{table}" ENABLE ALWAYS TRIGGER {name}'
            for table in tables
            for name in _refusals(table)
        ]
        return [*off, *statements, *on]

    DatabaseOperations.sql_flush = flush  # type: ignore[assignment, method-assign]


@pytest.fixture(autouse=True)
def nothing_that_must_never_be(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run the file of invariants after each test that committed something about proposals.

    Tests of approvals do so after every test; see their own conftest.
    """
    marker = request.node.get_closest_marker("django_db")
    commits = bool(marker and marker.kwargs.get("transaction"))
    if not commits or request.node.get_closest_marker("breaks_invariants"):
        yield
        return
    # Asked for here, so that it is taken down after the rows were looked at.
    request.getfixturevalue("transactional_db")
    yield
    if _has_proposals():
        # Django is set up only after this file was read.
        from approvals.queries.invariants import broken  # noqa: PLC0415

        assert broken() == []


def _has_proposals() -> bool:
    """Say whether there is anything that most sentences speak of; most tests leave nothing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM approvals_proposal)")
        return bool(cursor.fetchone()[0])


def _refusals(table: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal",
            [table],
        )
        return [name for (name,) in cursor.fetchall()]
