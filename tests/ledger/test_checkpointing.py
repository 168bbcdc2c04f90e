"""Checkpoints: signed when due, kept in a second place, and never for what does not hold."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from pytest_django import Settings

from console.access.models import Workspace
from console.access.operations.granting import enrol, found, grant
from console.actors import Actor, system
from console.ledger import queries
from console.ledger.checkpoints import from_line, new_private_pem
from console.ledger.models import Checkpoint, Entry
from console.ledger.operations.appending import append
from console.ledger.operations.checkpointing import checkpoint_due
from console.ledger.queries.checkpoints import signed
from console.notices.models import Event, Notice
from tests.ledger.test_verifying import hand_of_the_owner

pytestmark = [pytest.mark.django_db, pytest.mark.breaks_invariants]

TOP = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def place(settings: Settings, tmp_path: Path) -> Path:
    """A second place, and keys, of this test's own."""
    settings.CHECKPOINT_FOLDER = tmp_path / "elsewhere"
    settings.CHECKPOINT_PUBLIC_KEYS = tmp_path / "keys.pem"
    settings.CHECKPOINT_KEY = str(tmp_path / "key.pem")
    (tmp_path / "key.pem").write_text(new_private_pem())
    return tmp_path


@pytest.fixture
def acme() -> Workspace:
    workspace = found("acme", "Acme")
    ada = enrol("ada@acme.invalid", "Ada", "a long password")
    grant(system("setup", workspace.id), workspace.id, ada, "admin")
    return workspace


@pytest.fixture
def clerk(acme: Workspace) -> Actor:
    return system("clerk", acme.id)


def now(hours: float = 0) -> datetime:
    return datetime.now(UTC) + timedelta(hours=hours)


def write(clerk: Actor, lines: int) -> None:
    for n in range(lines):
        with transaction.atomic():
            append(clerk, "note.written", "note:1", {"n": n, "share": n / 4})


def tick(hours: float = 0) -> None:
    """Let the timer come by."""
    for _ in checkpoint_due(now(hours)):
        pass


def file_of(place: Path, workspace_id: UUID) -> Path:
    return place / "elsewhere" / f"{workspace_id}.jsonl"


def ends(workspace_id: UUID) -> list[int]:
    return [each.checkpoint.seq for each in signed(workspace_id)]


def verify(*options: str) -> tuple[int, str]:
    """Return the status and the words of `manage.py verify`."""
    said = StringIO()
    try:
        call_command("verify", *options, stdout=said)
    except CommandError as error:
        return error.returncode, f"{said.getvalue()}{error}"
    return 0, said.getvalue()


class TestMaking:
    """Once an hour, for every ledger, one that follows the one before."""

    def test_signs_where_every_ledger_ends(self, clerk: Actor, place: Path) -> None:
        other = found("zenith", "Zenith")
        write(clerk, 3)
        tick()
        assert ends(clerk.workspace_id) == [5]
        assert ends(other.id) == [1]
        status, said = verify()
        assert (status, "0 faults" in said) == (0, True)

    def test_waits_for_an_hour(self, clerk: Actor) -> None:
        for hours in (0, 0.5, 0.9, 1.1, 1.2, 2.2):
            write(clerk, 1)
            tick(hours)
        assert ends(clerk.workspace_id) == [3, 6, 8]

    def test_chains_them_and_keeps_the_same_lines_elsewhere(
        self, clerk: Actor, place: Path
    ) -> None:
        for hours in range(4):
            write(clerk, 2)
            tick(hours)
        table = signed(clerk.workspace_id)
        lines = file_of(place, clerk.workspace_id).read_bytes().splitlines(keepends=True)
        assert [each.line() for each in table] == lines
        assert [each.checkpoint.number for each in table] == [1, 2, 3, 4]
        assert table[3].checkpoint.previous == table[2].checkpoint.seal()

    def test_makes_its_key_once_and_lets_nobody_else_read_it(
        self, clerk: Actor, settings: Settings, place: Path
    ) -> None:
        settings.CHECKPOINT_KEY, settings.VAR_DIR = "", place / "var"
        tick()
        tick(1.1)
        key = place / "var" / "checkpoint_key.pem"
        assert key.stat().st_mode & 0o777 == 0o600
        assert len({each.checkpoint.key for each in signed(clerk.workspace_id)}) == 1
        assert (place / "keys.pem").read_text().count("BEGIN PUBLIC KEY") == 1

    def test_goes_on_with_a_new_key_and_still_knows_the_old_one(
        self, clerk: Actor, place: Path
    ) -> None:
        tick()
        (place / "key.pem").write_text(new_private_pem())
        tick(1.1)
        assert len({each.checkpoint.key for each in signed(clerk.workspace_id)}) == 2
        assert verify()[0] == 0

    def test_refuses_to_vouch_for_what_does_not_hold(self, clerk: Actor) -> None:
        write(clerk, 3)
        with hand_of_the_owner():
            Entry.objects.filter(workspace=clerk.workspace_id, seq=4).update(verb="x")
        tick()
        assert ends(clerk.workspace_id) == []
        event = Event.objects.get(name="ledger.checkpoint_failed")
        assert "entry 4 was altered" in event.title
        assert Notice.objects.filter(event=event).count() == 1

    def test_refuses_to_go_on_from_an_entry_that_was_written_anew(self, clerk: Actor) -> None:
        write(clerk, 3)
        tick()
        with hand_of_the_owner():
            last = Entry.objects.get(workspace=clerk.workspace_id, seq=5)
            Entry.objects.filter(id=last.id).update(digest="f" * 64)
            connection.cursor().execute("UPDATE ledger_chain SET digest = repeat('f', 64)")
        write(clerk, 1)
        tick(1.1)
        assert ends(clerk.workspace_id) == [5]

    def test_nothing_changes_a_checkpoint(self, clerk: Actor) -> None:
        tick()
        for statement in ("UPDATE ledger_checkpoint SET seq = 1", "DELETE FROM ledger_checkpoint"):
            with (
                pytest.raises(DatabaseError, match="append-only"),
                transaction.atomic(),
                connection.cursor() as cursor,
            ):
                cursor.execute(f"SET CONSTRAINTS ALL IMMEDIATE; {statement}")


class TestKeeping:
    """The second place may fail, and is caught up with; it is never written over."""

    def test_catches_up_when_it_is_there_again(self, clerk: Actor, place: Path) -> None:
        (place / "elsewhere").write_text("a file where the folder should be")
        for hours in (0, 1.1):
            write(clerk, 1)
            tick(hours)
        assert ends(clerk.workspace_id) == [3, 4]
        assert Event.objects.filter(name="ledger.checkpoint_failed").count() == 2
        (place / "elsewhere").unlink()
        tick(1.2)
        assert len(file_of(place, clerk.workspace_id).read_bytes().splitlines()) == 2
        assert verify()[0] == 0

    def test_tells_once_an_hour(self, clerk: Actor, place: Path) -> None:
        (place / "elsewhere").write_text("")
        moment = datetime(2026, 11, 21, 9, 1, tzinfo=UTC)
        for minutes in (0, 1, 2):
            list(checkpoint_due(moment + timedelta(minutes=minutes)))
        assert Event.objects.filter(name="ledger.checkpoint_failed").count() == 1

    @pytest.mark.parametrize("cut", [1, 100, 10_000])
    def test_writes_a_torn_line_again(self, clerk: Actor, place: Path, cut: int) -> None:
        tick()
        tick(1.1)
        path = file_of(place, clerk.workspace_id)
        first, second = path.read_bytes().splitlines(keepends=True)
        torn = first + second[: max(1, len(second) - cut)]
        path.write_bytes(torn)
        tick(1.2)
        assert path.read_bytes() == torn + b"\n" + second
        tick(2.3)
        assert verify()[0] == 0

    def test_does_not_fork_it_from_an_older_database(self, clerk: Actor, place: Path) -> None:
        for hours in (0, 1.1, 2.2):
            write(clerk, 1)
            tick(hours)
        with hand_of_the_owner("ledger_checkpoint"):
            Checkpoint.objects.filter(number__gt=1).delete()
        before = file_of(place, clerk.workspace_id).read_bytes()
        tick(3.3)
        assert file_of(place, clerk.workspace_id).read_bytes() == before
        assert ends(clerk.workspace_id) == [3]
        title = Event.objects.get(name="ledger.checkpoint_failed").title
        assert "the second place has checkpoint 3, the database 1" in title
        status, said = verify()
        assert status == 1
        assert "this database is older than checkpoint 3, which stands at entry 5" in said


class TestVerifying:
    """`manage.py verify` holds the ledger against its checkpoints, in the table and elsewhere."""

    def test_finds_a_ledger_that_was_written_anew(self, clerk: Actor) -> None:
        write(clerk, 3)
        tick()
        with hand_of_the_owner(), hand_of_the_owner("ledger_checkpoint"):
            Checkpoint.objects.filter(number=1).update(digest="f" * 64)
        status, said = verify()
        assert status == 1
        assert "checkpoint 1 is not what its key has signed" in said
        assert "checkpoint 1 says otherwise in the second place than in the table" in said

    def test_finds_a_cut_tail_that_the_table_knows_nothing_of(self, clerk: Actor) -> None:
        write(clerk, 3)
        tick()
        kept = Entry.objects.get(workspace=clerk.workspace_id, seq=3)
        with hand_of_the_owner(), hand_of_the_owner("ledger_checkpoint"):
            Entry.objects.filter(workspace=clerk.workspace_id, seq__gt=3).delete()
            Checkpoint.objects.all().delete()
            connection.cursor().execute(
                "UPDATE ledger_chain SET seq = 3, digest = %s", [kept.digest]
            )
        status, said = verify()
        assert status == 1
        assert "entries 4 to 5 are missing: checkpoint 1" in said

    def test_finds_checkpoints_that_were_taken_away(self, clerk: Actor, place: Path) -> None:
        for hours in (0, 1.1):
            tick(hours)
        shutil.rmtree(place / "elsewhere")
        assert "the second place 0: its file was cut short" in verify()[1]

    def test_finds_a_workspace_that_is_gone(self, clerk: Actor, place: Path) -> None:
        tick()
        path = file_of(place, clerk.workspace_id)
        path.with_name(f"{UUID(int=7)}.jsonl").write_bytes(path.read_bytes())
        assert "checkpoints of a workspace that is not there" in verify()[1]

    def test_says_that_the_keys_are_missing(self, clerk: Actor, place: Path) -> None:
        tick()
        (place / "keys.pem").unlink()
        assert "the list of public keys" in verify()[1]

    def test_asks_only_the_sentences(self, clerk: Actor) -> None:
        with hand_of_the_owner():
            Entry.objects.filter(workspace=clerk.workspace_id, seq=1).update(verb="x")
        status, said = verify("--invariants-only", "-v", "2")
        assert status == 0
        assert "ok: nobody decides on what they took part in" in said


class TestOffline:
    """A file, a folder and a key are enough, on a machine without a database."""

    @pytest.fixture
    def export(self, clerk: Actor, place: Path) -> Path:
        for hours in (0, 1.1):
            write(clerk, 5)
            tick(hours)
        path = place / "acme.jsonl"
        call_command("export_ledger", "--workspace", "acme", "--to", str(path), stdout=StringIO())
        return path

    def offline(self, place: Path, export: Path, **changed: str) -> tuple[int, str]:
        """Run the command in a process that can reach no database."""
        folder, key = str(place / "elsewhere"), str(place / "keys.pem")
        words = {"--offline": str(export), "--checkpoints": folder, "--public-key": key, **changed}
        done = subprocess.run(
            [sys.executable, "manage.py", "verify", *(w for pair in words.items() for w in pair)],
            cwd=TOP,
            env={
                **os.environ,
                "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
                "COUNTERSIGN_VAR": str(place / "var"),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def test_holds(self, place: Path, export: Path) -> None:
        status, said = self.offline(place, export)
        assert status == 0, said
        assert "12 entries and 2 checkpoints hold" in said

    def test_names_the_first_bad_entry(self, place: Path, export: Path) -> None:
        lines = export.read_bytes().splitlines(keepends=True)
        export.write_bytes(b"".join(lines[:9]))
        status, said = self.offline(place, export)
        assert status == 1
        assert "From entry 9 on not to be relied on: entries 9 to 12 are missing" in said

    def test_says_that_it_could_not_check(self, place: Path, export: Path) -> None:
        status, said = self.offline(place, export, **{"--public-key": str(place / "nothing")})
        assert status == 2
        assert "Nothing was checked" in said

    def test_answers_as_json(self, place: Path, export: Path) -> None:
        folder, key = str(place / "elsewhere"), str(place / "keys.pem")
        words = ("--offline", str(export), "--checkpoints", folder, "--public-key", key, "--json")
        answer: dict[str, Any] = json.loads(verify(*words)[1])
        assert (answer["entries"], answer["checkpoints"], answer["faults"]) == (12, 2, [])
        for missing in ("--checkpoints", "--public-key"):
            asked = list(words)
            asked[asked.index(missing) + 1] = str(place / "nothing")
            assert verify(*asked)[0] == 2

    def test_does_not_write_over_a_file(self, export: Path) -> None:
        with pytest.raises(CommandError, match="there already"):
            call_command("export_ledger", "--workspace", "acme", "--to", str(export))
        assert not export.with_name("acme.jsonl.part").exists()

    def test_keeps_the_last_line_of_the_second_place_readable(
        self, clerk: Actor, place: Path, export: Path
    ) -> None:
        last = file_of(place, clerk.workspace_id).read_bytes().splitlines()[-1]
        newest = queries.newest(clerk.workspace_id, now())
        assert newest is not None
        assert (newest.seq, newest.key) == (12, from_line(last).checkpoint.key)
