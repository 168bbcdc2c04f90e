"""The migrations: they say all that the models say, and they can be taken back."""

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection
from django.db.migrations.loader import MigrationLoader

from snapshots.models import Snapshot
from tests.house import House

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
def test_snapshots_are_not_taken_back_to_code_that_cannot_read_them(house: House) -> None:
    loader = MigrationLoader(connection)
    before = loader.project_state(("snapshots", "0003_stored_anew"))
    last = loader.disk_migrations["snapshots", "0004_promises_of_storage"].operations[-1]
    house.move_the_world()
    with connection.schema_editor() as editor:
        last.database_backwards("snapshots", editor, before, before)
    Snapshot.objects.filter(state=house.book.state_id, number=1).update(data=None)
    refused = pytest.raises(IntegrityError, match="older code cannot read")
    with refused, connection.schema_editor() as editor:
        last.database_backwards("snapshots", editor, before, before)


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
        triggers = [enabled for (enabled,) in cursor.fetchall()]
        assert len(triggers) > 1
        assert set(triggers) == {"A"}
