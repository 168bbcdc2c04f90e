"""A crew keeps its children at work: a dead one is back at once, and they end with their parent."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from console.supervision import addresses, crew
from console.supervision.crew import Stopping

NAMES = ("one", "other")


class Ship:
    """A parent in a process of its own, and what its children write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parent = subprocess.Popen(
            [sys.executable, "-m", "tests.console.crew_at_work", str(folder)],
            cwd=addresses.REPOSITORY,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def pid(self, name: str) -> int:
        return int((self.folder / name).read_text())

    def has_another(self, name: str, than: int) -> bool:
        return self.pid(name) != than

    def is_at_work(self) -> bool:
        return all((self.folder / name).exists() and lives(self.pid(name)) for name in NAMES)


@pytest.fixture
def ship(tmp_path: Path) -> Iterator[Ship]:
    ship = Ship(tmp_path)
    try:
        eventually(ship.is_at_work)
        yield ship
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(ship.parent.pid, signal.SIGKILL)
        ship.parent.wait()


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A child whose parent was killed stays as a zombie until somebody buries it.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def eventually(is_so: Callable[[], bool], seconds: float = 20) -> float:
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        with contextlib.suppress(OSError, ValueError):
            if is_so():
                return time.monotonic() - began
        time.sleep(0.002)
    pytest.fail("It did not happen.")


def test_brings_a_killed_child_back_in_milliseconds(ship: Ship) -> None:
    took = []
    other = ship.pid("other")
    for _ in range(10):
        killed = ship.pid("one")
        os.kill(killed, signal.SIGKILL)
        took.append(eventually(partial(ship.has_another, "one", killed)))
    assert sorted(took)[5] < 0.2
    assert ship.pid("other") == other


def test_ends_its_children_when_it_is_killed_itself(ship: Ship) -> None:
    pids = [ship.pid(name) for name in NAMES]
    ship.parent.kill()
    ship.parent.wait()
    eventually(lambda: not any(lives(pid) for pid in pids))
    assert all((ship.folder / f"{name}.ended").exists() for name in NAMES)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_passes_on_that_it_shall_end(ship: Ship, number: signal.Signals) -> None:
    ship.parent.send_signal(number)
    assert ship.parent.wait(timeout=10) == 0
    assert all((ship.folder / f"{name}.ended").exists() for name in NAMES)


def test_leaves_longer_and_longer_pauses_to_what_gives_up(ship: Ship) -> None:
    began = time.monotonic()
    eventually(lambda: len((ship.folder / "tries").read_text()) > 4)
    assert time.monotonic() - began < 5
    time.sleep(1)
    assert len((ship.folder / "tries").read_text()) < 10


def test_kills_a_child_that_gets_nowhere_and_no_other(ship: Ship) -> None:
    pids = [ship.pid(name) for name in NAMES]
    eventually(lambda: len((ship.folder / "hung").read_text()) > 2)
    assert [ship.pid(name) for name in NAMES] == pids


def test_ends_a_child_that_does_not_hear_that_it_shall_end(ship: Ship) -> None:
    eventually((ship.folder / "hung").exists)
    ship.parent.terminate()
    assert ship.parent.wait(timeout=10) == 0


def test_writes_why_a_child_ended_where_logs_go(ship: Ship) -> None:
    eventually(lambda: "broken ended" in (ship.folder / "log").read_text())
    assert "ZeroDivisionError" in (ship.folder / "log").read_text()


def test_puts_nobody_to_work_once_it_was_told_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = crew.Crew({"one": lambda _stopping: None}, lambda _line: None)
    masked: list[int] = []

    def mask(how: int, _numbers: object) -> None:
        # The signal comes after everybody looked, and before it is held back.
        kept._pass_on(signal.SIGTERM, None)
        masked.append(how)

    monkeypatch.setattr(signal, "pthread_sigmask", mask)
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("somebody was put to work"))
    kept._fill()
    assert masked == [signal.SIG_BLOCK, signal.SIG_UNBLOCK]


def test_ends_with_its_parent_where_the_kernel_does_not_see_to_it() -> None:
    alive, told = os.pipe()
    stopping = Stopping()
    before = signal.signal(signal.SIGTERM, stopping.ask)
    try:
        os.close(told)
        crew._end_with(alive)
    finally:
        signal.signal(signal.SIGTERM, before)
        os.close(alive)
    assert stopping
