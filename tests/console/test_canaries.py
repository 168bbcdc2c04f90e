"""A worker that is up and deaf is told from one that is busy, and from a broker that is away."""

import threading
import time
from pathlib import Path

import pytest

from console.supervision import canaries
from console.supervision.canaries import SILENT_SECONDS, deaf, queues_in
from console.supervision.supervisor import Supervisor
from tests.console.test_supervision import SLEEPER, eventually, program

LONG = SILENT_SECONDS + 1
WORKER = {"worker": (frozenset({"runs"}), LONG), "courier": (frozenset({"deliveries"}), LONG)}


def test_queues_stand_in_the_command_line() -> None:
    assert queues_in(("-m", "celery", "-Q", "runs,deliveries", "-c", "1")) == {"runs", "deliveries"}
    assert queues_in(("manage.py", "timer")) == frozenset()


@pytest.mark.parametrize(
    ("ages", "silent"),
    [
        ({"canaries": 5, "queue:runs": LONG, "queue:deliveries": 5}, ["worker"]),
        ({"canaries": 5, "queue:runs": LONG, "queue:deliveries": LONG}, ["worker", "courier"]),
        # Busy with one long task, no longer than it may be.
        ({"canaries": 5, "queue:runs": 299, "queue:deliveries": 5}, []),
        # Nothing is sent: the broker or the timer is away, and nobody can be heard.
        ({"canaries": 61, "queue:runs": LONG, "queue:deliveries": LONG}, []),
        ({"queue:runs": LONG}, []),
        # Never heard of: an older timer sends no canaries.
        ({"canaries": 5}, []),
    ],
)
def test_only_a_worker_that_should_have_been_heard_of_is_deaf(
    ages: dict[str, float], silent: list[str]
) -> None:
    assert deaf(WORKER, ages) == silent


def test_a_worker_that_has_just_begun_is_given_time() -> None:
    young = {"worker": (frozenset({"runs"}), 5.0)}
    assert deaf(young, {"canaries": 5, "queue:runs": LONG}) == []


def test_a_deaf_worker_is_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(canaries, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(canaries, "SILENT_SECONDS", 0.0)
    ages = {"canaries": 1.0, "queue:runs": 60.0}
    monkeypatch.setattr(canaries, "_ages", lambda: ages)
    said: list[str] = []
    with Supervisor(said.append) as supervisor:
        worker = program("worker", f"{SLEEPER}; '-Q'")
        object.__setattr__(worker, "argv", (*worker.argv, "-Q", "runs"))
        supervisor.start(worker)
        before = supervisor.pids()["worker"]
        supervisor.watch()
        eventually(lambda: supervisor.pids()["worker"] != before)
        ages["queue:runs"] = -1.0
    assert "worker takes nothing from its queue; it is started again." in said


def test_without_a_database_nobody_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canaries, "LOOK_SECONDS", 0.01)
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@/none?host=/nowhere")

    class Crew:
        def listeners(self) -> dict[str, tuple[frozenset[str], float]]:
            return WORKER

        def end(self, name: str, why: str) -> None:
            pytest.fail(f"{name} {why}")

    until = threading.Event()
    looking = threading.Thread(target=canaries.listen_to, args=(Crew(), until))
    looking.start()
    time.sleep(0.2)
    until.set()
    looking.join(timeout=5)
    assert not looking.is_alive()
