"""Backups: whole or not at all, brought back only where nothing is, held against checkpoints."""

import json
import shutil
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from pytest_django import Settings

from console.backups import restoring
from console.backups.databases import Database
from console.ledger.checkpoints import new_private_pem
from console.ledger.operations.appending import append
from tests.house import House
from tests.ledger.test_checkpointing import tick

# The programs read what was committed.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def place(settings: Settings, tmp_path: Path) -> Path:
    """A second place, and keys, of this test's own."""
    settings.CHECKPOINT_FOLDER = tmp_path / "elsewhere"
    settings.CHECKPOINT_PUBLIC_KEYS = tmp_path / "keys.pem"
    settings.CHECKPOINT_KEY = str(tmp_path / "key.pem")
    (tmp_path / "key.pem").write_text(new_private_pem())
    return tmp_path


@pytest.fixture
def busy(house: House) -> House:
    """A house in which something was decided, with a checkpoint."""
    house.decide("ana", house.propose("set_note"))
    tick()
    return house


@pytest.fixture
def scratch() -> Iterator[Database]:
    """The name of a database that is dropped afterwards."""
    found = Database.of_settings(connection.settings_dict).named(f"restored_{token_hex(4)}")
    yield found
    found.drop()


def run(*words: str) -> str:
    """Return what a command said, also when it ended with 1."""
    said = StringIO()
    try:
        call_command(*words, stdout=said)
    except CommandError as error:
        return f"{said.getvalue()}FAILED: {error}"
    return said.getvalue()


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return found


def bases() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_database")
        return int(cursor.fetchone()[0])


def test_a_drill_brings_everything_back_and_leaves_nothing(busy: House, place: Path) -> None:
    before = bases()
    said = run("drill", "--keep", str(place / "kept"))
    assert "The backup comes back whole." in said
    assert "0 faults" in said
    for step in ("backup", "restore", "count", "verify", "drop"):
        assert f"{step:<8}" in said
    assert bases() == before
    assert (place / "kept" / "database.dump").stat().st_size > 10_000


def test_a_drill_fails_when_the_database_does_not_hold(busy: House, place: Path) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE ledger_entry DISABLE TRIGGER USER")
        cursor.execute("UPDATE ledger_entry SET verb = 'x' WHERE seq = 3")
    before = bases()
    said = run("drill")
    assert "FAILED: The drill failed: verify found faults" in said
    assert "entry 3 was altered" in said
    assert bases() == before


def test_a_backup_says_what_it_is_and_holds_no_secret(busy: House, place: Path) -> None:
    said = run("backup", "--to", str(place / "one"))
    assert "Not in it" in said
    made = manifest(place / "one")
    chain = f"{busy.workspace.id}.jsonl"
    assert set(made["files"]) == {"database.dump", f"checkpoints/{chain}", "checkpoint_keys.pem"}
    assert made["contents"]["rows"]["approvals_proposal"] == 1
    assert made["contents"]["ledgers"][0]["slug"] == busy.workspace.slug
    assert "ledger.0003_checkpoints" in made["contents"]["migrations"]
    for path in (place / "one").rglob("*"):
        assert path.is_dir() or b"PRIVATE KEY" not in path.read_bytes()


def test_a_backup_is_never_written_over_another(busy: House, place: Path) -> None:
    run("backup", "--to", str(place / "one"))
    before = manifest(place / "one")
    assert "is there already" in run("backup", "--to", str(place / "one"))
    assert manifest(place / "one") == before
    assert not list(place.glob(".*.part"))


def test_a_backup_is_whole_or_not_there(
    busy: House, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_words: Any) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Database, "run", fail)
    assert "No space left" in run("backup", "--to", str(place / "one"))
    assert not (place / "one").exists()
    assert not list(place.glob(".*.part"))


def test_comes_back_with_its_promises_and_roles(
    busy: House, place: Path, scratch: Database
) -> None:
    run("backup", "--to", str(place / "one"))
    said = run("restore", str(place / "one"), "--database", scratch.name)
    assert "FAILED" not in said, said
    assert "0 faults" in said
    with scratch.connect() as there:
        rows = there.execute("SELECT count(*) FROM pg_policies").fetchone()
        assert rows is not None
        assert rows[0] > 50
        with pytest.raises(Exception, match="append-only"):
            there.execute("UPDATE ledger_checkpoint SET seq = 0")
    assert "is not empty" in run("restore", str(place / "one"), "--database", scratch.name)


def test_an_old_backup_is_told_by_the_checkpoints_kept_elsewhere(
    busy: House, place: Path, scratch: Database
) -> None:
    run("backup", "--to", str(place / "old"))
    with transaction.atomic():
        entry = append(busy.setup, "note.written", "note:1", {})
    tick(1.1)
    said = run("restore", str(place / "old"), "--database", scratch.url())
    assert "FAILED: Restored, but not all of it is as it should be" in said
    assert f"entries {entry.seq} to {entry.seq} are missing: checkpoint 2" in said
    assert "is older than checkpoint 2" in said
    assert "Reconciling after a restore" in said


@pytest.mark.parametrize("name", ["database.dump", "checkpoint_keys.pem"])
def test_a_damaged_backup_is_refused(
    busy: House, place: Path, scratch: Database, name: str
) -> None:
    run("backup", "--to", str(place / "one"))
    raw = bytearray((place / "one" / name).read_bytes())
    raw[len(raw) // 2] ^= 1
    (place / "one" / name).write_bytes(raw)
    said = run("restore", str(place / "one"), "--database", scratch.name)
    assert f"{name} is not the file that was written" in said
    (place / "one" / name).unlink()
    assert f"{name} is missing" in run("restore", str(place / "one"), "--database", scratch.name)
    shutil.rmtree(place / "one")
    assert "is no backup" in run("restore", str(place / "one"), "--database", scratch.name)


def test_differences_are_told_in_words(busy: House, place: Path, scratch: Database) -> None:
    run("backup", "--to", str(place / "one"))
    found = restoring.bring_back(place / "one", scratch)
    assert restoring.differences(found, scratch) == []
    with scratch.connect() as there:
        there.execute("DELETE FROM doorbell_ring")
        there.execute("UPDATE ledger_chain SET seq = seq - 1")
        there.execute("DELETE FROM django_migrations WHERE name = '0003_checkpoints'")
    told = restoring.differences(found, scratch)
    assert any("the ledger of" in each for each in told)
    assert "other migrations have run" in told


def test_addresses_survive_being_written_and_read() -> None:
    parts = {"dbname": "a b", "user": "us@er", "password": "p/w:x", "host": "/run/x y"}
    assert Database.of_url(Database(parts).url()).parts == parts
    plain = Database.of_url("postgresql://u:p@db.example:5433/name?sslmode=require")
    assert plain.parts == {
        "dbname": "name",
        "user": "u",
        "password": "p",
        "host": "db.example",
        "port": "5433",
        "sslmode": "require",
    }
