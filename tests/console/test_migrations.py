"""The migrations: they say all that the models say, and they can be taken back."""

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

APPS = ["access", "ledger", "doorbell", "snapshots", "approvals", "agents"]


@pytest.mark.django_db
def test_tell_everything_that_the_models_tell() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


@pytest.mark.django_db
@pytest.mark.parametrize("app", APPS)
def test_can_be_taken_back(app: str) -> None:
    loader = MigrationLoader(connection)
    for (label, name), migration in loader.disk_migrations.items():
        if label == app:
            assert all(operation.reversible for operation in migration.operations), name


@pytest.mark.django_db
@pytest.mark.parametrize(
    "table",
    [
        "ledger_entry",
        "snapshots_snapshot",
        "approvals_revision",
        "approvals_evidence",
        "approvals_decision",
        "agents_step",
    ],
)
def test_keep_rows_even_from_a_replica_role(table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgenabled FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal",
            [table],
        )
        # A is ENABLE ALWAYS: session_replication_role does not switch it off.
        assert [enabled for (enabled,) in cursor.fetchall()] == ["A", "A"]
