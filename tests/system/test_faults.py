"""The whole console: whatever dies, a running replay ends with the right digests."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from os import kill
from pathlib import Path

import httpx
import pytest
import redis

from tests.system.console_process import TOP, Console, console

DATA = TOP.parent / "shared" / "data"
pytestmark = [
    pytest.mark.data,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not DATA.exists(), reason="the folder ../shared/data is not here"),
    pytest.mark.skipif(not Path("/proc").exists(), reason="finds processes through /proc"),
]
# What is replayed brings its own world; the demo would only make everything slower.
EMPTY = "--no-demo"
LONG_JOBS = ["task_040", "task_062", "task_080", "task_048", "task_034", "task_097"]


@pytest.fixture(scope="module")
def running() -> Iterator[Console]:
    with console(EMPTY) as one:
        yield one


def replay_during(one: Console, folder: str, hurt: Callable[[], None], *options: str) -> None:
    """Replay while something is hurt, and check that every line is right."""
    command = [sys.executable, "manage.py", "replay", str(DATA / folder), "--json", *options]
    with subprocess.Popen(
        command, cwd=TOP, env=one.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as playing:
        harm = threading.Thread(target=hurt)
        harm.start()
        out, err = playing.communicate(timeout=240)
        harm.join()
    lines = [json.loads(line) for line in out.decode().splitlines()]
    assert playing.returncode == 0, err.decode()
    assert lines
    assert all(line["final_sha256"] == line["expected_sha256"] for line in lines)
    assert {line["status"] for line in lines} == {"succeeded"}


def test_plays_a_folder_through_the_path_that_every_job_takes(running: Console) -> None:
    replay_during(running, "telehealth", lambda: None, "--decisions", "first:1")


def test_goes_on_when_the_broker_forgets_everything_again_and_again(running: Console) -> None:
    def flush() -> None:
        server = running.var / "run" / "valkey.sock"
        for _ in range(20):
            flush_all(server)
            time.sleep(0.3)

    replay_during(running, "bank", flush, "--decisions", "approve", "--jobs", *LONG_JOBS)


def test_goes_on_after_the_broker_was_silent(running: Console) -> None:
    def freeze() -> None:
        time.sleep(2.5)
        [server] = running.pids("valkey-server")
        kill(server, signal.SIGSTOP)
        time.sleep(12)
        kill(server, signal.SIGCONT)

    replay_during(running, "bank", freeze, "--decisions", "approve", "--jobs", *LONG_JOBS)


def test_goes_on_when_everything_but_the_truth_is_killed(running: Console) -> None:
    def massacre() -> None:
        for victim in ("-Q runs", "manage.py timer", "valkey-server", "-Q runs"):
            time.sleep(1.5)
            for pid in running.pids(victim):
                try_to_kill(pid)

    replay_during(running, "bank", massacre, "--decisions", "reject", "--jobs", *LONG_JOBS)


def test_serves_again_soon_after_the_database_was_killed(running: Console) -> None:
    for pid in running.pids("postgres -D"):
        try_to_kill(pid)
    deadline = time.monotonic() + 30
    while not answers(running):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    replay_during(running, "telehealth", lambda: None, "--decisions", "approve")


@pytest.mark.nightly
def test_loses_nothing_when_all_of_it_is_killed() -> None:
    with console(EMPTY) as one:
        waiting = one.manage("replay", str(DATA / "telehealth"), "--json")
        assert waiting.returncode == 3, waiting.stderr
        one.kill()
        one.start()
        assert one.manage("verify_ledger").returncode == 0
        answered = one.run("-m", "tests.system.answering", "replay-telehealth")
        assert answered.returncode == 0, answered.stderr
        ended = {line["job_id"]: line["final_sha256"] for line in lines_of(answered.stdout)}
        jobs = json.loads((DATA / "telehealth" / "jobs.json").read_text())
        assert ended == {job["job_id"]: job["final_sha256"] for job in jobs}
        assert one.stop() == 0
        assert one.pids(".") == []


def answers(one: Console) -> bool:
    """Say whether the console is ready to serve."""
    try:
        return httpx.get(f"{one.address}/readyz", timeout=5).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def lines_of(text: str) -> list[dict[str, str]]:
    """Read one JSON object per line."""
    return [json.loads(line) for line in text.splitlines()]


def flush_all(server: Path) -> None:
    """Empty the broker, as if its data had been lost."""
    with redis.Redis(unix_socket_path=str(server)) as client:
        client.flushall()


def try_to_kill(pid: int) -> None:
    """Kill a process that may just have ended."""
    try:
        kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
