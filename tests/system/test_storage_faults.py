"""Storage that fails: a turned bit, a full disk, a killed sweep; nothing is half done."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from console.ledger import queries as ledger
from console.supervision import embedded
from console.supervision.supervisor import Supervisor
from snapshots import queries
from snapshots.models import Part, Snapshot
from snapshots.operations import drafting
from snapshots.operations.restoring import restore
from snapshots.queries import Corrupt
from tests.house import House
from tests.snapshots.test_checking import hand_of_the_owner, noisy, one_bit, spoil
from tests.snapshots.test_thinning import NOW, Diary, last_of_days, page

TOP = Path(__file__).parents[2]
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
DISK_BYTES = 200_000_000


@pytest.mark.django_db
class TestATurnedBit:
    """One damaged byte: its State refuses by name, every other goes on."""

    @pytest.fixture
    def diary(self, house: House) -> Diary:
        """A document, changes on it, a rollback by reference and changes on that."""
        one = Diary(noisy(1))
        for number in range(2, 5):
            one.write(noisy(number))
        restore(actor=one.clerk, base=one.head, number=2, cause_id="r", reason="x", now=NOW)
        one.versions[5] = noisy(2)
        one.write(noisy(6))
        return one

    @pytest.mark.parametrize(
        ("place", "number", "blamed"),
        [("keyframe", 1, 1), ("operations", 3, 3), ("operations", 6, 6), ("reference", 5, 5)],
    )
    def test_in_a_row_is_named_and_refused(
        self, house: House, diary: Diary, place: str, number: int, blamed: int
    ) -> None:
        if place == "reference":
            spoil(5, "base_number", 3)(diary)
        else:
            one_bit(diary, number)
        browser = house.client("ana")
        address = house.url("states", diary.state_id, "snapshots", number)
        answer = browser.get(address)
        assert answer.status_code == 500
        assert f"Snapshot {blamed} does not match its digest" in answer.content.decode()
        assert "snapshot_corrupt" in answer.content.decode()
        assert diary.faults()[0].startswith(f"{blamed} ")
        self.others_go_on(house, browser)

    def test_on_the_way_to_the_newest_keeps_everybody_from_writing(
        self, house: House, diary: Diary, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one_bit(diary, 6)
        # As in a process that has not just written the newest itself.
        monkeypatch.setattr(drafting, "_kept", drafting._Kept())
        with pytest.raises(Corrupt) as told:
            diary.write({"n": 1})
        assert told.value.details["snapshot"] == 6
        assert diary.head.number == 6
        about = ledger.entries(house.workspace.id).filter(subject=f"state:{diary.state_id}")
        assert not about.filter(body__number=7).exists()
        # What is before it can still be read, and be gone back to.
        assert queries.content(diary.state_id, 4) == noisy(4)
        row = restore(
            actor=diary.clerk, base=diary.head, number=4, cause_id="r2", reason="", now=NOW
        )
        assert queries.content(diary.state_id, row.number) == noisy(4)

    def test_in_a_part_is_named_with_its_path(self, house: House) -> None:
        large = Diary(page(1, entries=6_000), key="large")
        part = Part.objects.order_by("digest")[2:3].get()
        with hand_of_the_owner("snapshots_part") as cursor:
            cursor.execute(
                "UPDATE snapshots_part SET data = set_byte(data, 30, get_byte(data, 30) # 1) "
                "WHERE digest = %s",
                [part.digest],
            )
        browser = house.client("ana")
        answer = browser.get(house.url("states", large.state_id, "snapshots", 1, "file"))
        assert answer.status_code == 500
        assert "Snapshot 1 does not match its digest (/lines/e" in answer.content.decode()
        self.others_go_on(house, browser)

    def others_go_on(self, house: House, browser: Any) -> None:
        """Read and write another State."""
        house.move_the_world()
        answer = browser.get(house.url("states", house.book.state_id, "snapshots", 2))
        assert answer.status_code == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.race
class TestAKilledSweep:
    """A sweep that is killed anywhere has done whole batches and nothing else."""

    @pytest.mark.parametrize("moment", ["_write", "_let_go", "ring"])
    def test_leaves_everything_as_it_was(self, moment: str) -> None:
        diary = Diary(page(1))
        for number in range(2, 31):
            diary.write(page(number))
        rows = list(Snapshot.objects.order_by("number").values())
        assert dying_sweep(diary, moment) == -9
        assert list(Snapshot.objects.order_by("number").values()) == rows
        assert diary.faults() == []
        diary.sweep()
        assert set(diary.readable()) == {1, 30} | last_of_days(range(1, 31))
        assert ledger.verify(diary.clerk.workspace_id).objection is None


def dying_sweep(diary: Diary, moment: str) -> int:
    """Run a sweep in a process of its own on this test's database."""
    settings = connection.settings_dict
    url = f"postgresql://{settings['USER']}@/{settings['NAME']}?host={settings['HOST']}"
    command = [sys.executable, "-m", "tests.system.dying_sweep", str(diary.state_id), moment]
    environment = {**os.environ, "DATABASE_URL": url}
    return subprocess.run(command, cwd=TOP, env=environment, timeout=60, check=False).returncode


class TestAFullDisk:
    """No room is left: what is refused was not done, what is there is read, and all goes on."""

    @pytest.mark.timeout(300)
    def test_refuses_and_goes_on_when_there_is_room_again(self) -> None:
        with small_disk() as disk, database(disk, is_shared=False) as url:
            ends = fill(url, disk)
        assert ends["commit"] == ends["rollback"] == ends["thinning"] == "refused"
        assert ends["page"] == "said so"
        assert ends["let_go"] > 0

    @pytest.mark.nightly
    @pytest.mark.timeout(600)
    def test_survives_a_server_that_falls_because_its_log_is_on_the_same_disk(self) -> None:
        with small_disk() as disk, database(disk, is_shared=True) as url:
            ends = fill(url, disk, "--shared")
        assert ends["commit"] == "refused"
        assert ends["let_go"] > 0


@contextlib.contextmanager
def small_disk() -> Iterator[Path]:
    """Mount a disk of a few megabytes; only root can."""
    folder = Path(tempfile.mkdtemp(prefix="countersign-disk-", dir="/tmp"))
    size = f"size={DISK_BYTES}"
    mounted = None
    if shutil.which("mount"):
        command = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)]
        mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted is None or mounted.returncode:
        folder.rmdir()
        pytest.skip("a small disk can only be mounted by root on Linux")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)  # noqa: S607
        folder.rmdir()


@contextlib.contextmanager
def database(disk: Path, *, is_shared: bool) -> Iterator[str]:
    """Run a PostgreSQL whose data lies on the small disk; its log does where it `is_shared`."""
    run = Path(tempfile.mkdtemp(prefix="countersign-run-", dir="/tmp"))
    server = embedded.postgres(disk, run, *FAST, "max_wal_size=64MB", "restart_after_crash=on")
    if server.user:
        pytest.skip("the small disk would belong to another user")
    if not is_shared:
        [log] = disk.glob("pg*/pg_wal")
        shutil.move(log, run / "wal")
        log.symlink_to(run / "wal")
    try:
        with Supervisor(lambda _line: None) as supervisor:
            supervisor.start(server)
            supervisor.watch()
            embedded.create_database(run)
            yield f"postgresql://{embedded.USER}@/countersign?host={run}"
    finally:
        shutil.rmtree(run, ignore_errors=True)


def fill(url: str, disk: Path, *more: str) -> dict[str, Any]:
    """Let a process of its own fill the disk and try everything."""
    command = [sys.executable, "-m", "tests.system.full_disk", str(disk), *more]
    done = subprocess.run(
        command,
        cwd=TOP,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    ends: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return ends
