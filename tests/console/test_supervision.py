"""The supervisor starts children in order, keeps them alive, and leaves nobody behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from console import settings
from console.supervision import addresses, embedded, lock, parts
from console.supervision.guardian import Guardian
from console.supervision.parts import Options, PortTaken
from console.supervision.processes import Child, Process
from console.supervision.supervisor import Restart, StartFailed, Supervisor

SLEEPER = "import time; time.sleep(60)"
STUBBORN = f"import signal; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); {SLEEPER}"


@pytest.fixture(autouse=True)
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COUNTERSIGN_VAR", str(tmp_path))
    return tmp_path


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(said: list[str]) -> Iterator[Supervisor]:
    with Supervisor(said.append) as supervisor:
        yield supervisor


def program(name: str, code: str, **more: object) -> Process:
    return Process(name=name, argv=(sys.executable, "-c", code), **more)  # type: ignore[arg-type]


def eventually(question: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.02)


def lives(pid: int) -> bool:
    """Zombies do not count: their parent has yet to hear of their end."""
    status = Path(f"/proc/{pid}/stat")
    if Path("/proc/self").exists():
        return status.exists() and status.read_text().rsplit(")")[-1].split()[0] != "Z"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_waits_until_a_process_is_ready(supervisor: Supervisor, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    late = f"import time, pathlib; time.sleep(0.3); pathlib.Path({str(mark)!r}).touch(); {SLEEPER}"
    supervisor.start(program("late", late, is_ready=mark.exists))
    assert mark.exists()


def test_says_why_a_process_did_not_start(supervisor: Supervisor) -> None:
    broken = program("broken", "print('no disk left'); raise SystemExit(3)", is_ready=lambda: False)
    with pytest.raises(StartFailed, match=r"(?s)broken ended with status 3.*no disk left"):
        supervisor.start(broken)


def test_gives_up_on_a_silent_process(supervisor: Supervisor) -> None:
    silent = program("silent", SLEEPER, is_ready=lambda: False, ready_timeout=0.2)
    with pytest.raises(StartFailed, match="silent is silent before it was ready"):
        supervisor.start(silent)


def test_restarts_a_killed_process_and_says_so(supervisor: Supervisor, said: list[str]) -> None:
    supervisor.start(program("web", SLEEPER), program("worker", SLEEPER))
    before = supervisor.pids()
    supervisor.watch()
    os.kill(before["worker"], signal.SIGKILL)
    eventually(lambda: supervisor.pids()["worker"] != before["worker"])
    assert supervisor.pids()["web"] == before["web"]
    assert said == ["worker ended with status -9; again in 0.4 s."]


def test_kills_what_a_killed_process_left(supervisor: Supervisor, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    forking = f"""
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {SLEEPER!r}])
pathlib.Path({str(note)!r}).write_text(str(child.pid))
{SLEEPER}"""
    supervisor.start(
        program("worker", forking, is_ready=lambda: note.exists() and note.read_text())
    )
    orphan = int(note.read_text())
    supervisor.watch()
    os.kill(supervisor.pids()["worker"], signal.SIGKILL)
    eventually(lambda: not lives(orphan))


def test_every_queue_has_a_process_that_listens() -> None:
    celery: dict[str, Any] = settings.CELERY
    queues = {route["queue"] for route in celery["task_routes"].values()}
    with parts.listen(Options()) as listener:
        processes = parts.console(listener)
    heard = {
        queue
        for process in processes
        if "-Q" in process.argv
        for queue in process.argv[process.argv.index("-Q") + 1].split(",")
    }
    assert heard == {*queues, celery["task_default_queue"]}


def test_stops_stage_by_stage(tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    polite = """
import pathlib, signal, sys, time
def leave(*_):
    with open({diary!r}, "a") as file: file.write("{name} ")
    sys.exit()
signal.signal(signal.SIG{signal}, leave)
pathlib.Path({mark!r}).touch()
time.sleep(60)"""
    with Supervisor(lambda _line: None) as supervisor:
        for stage, name, number in (
            (0, "postgres", "INT"),
            (4, "timer", "TERM"),
            (2, "web", "TERM"),
        ):
            mark = tmp_path / name
            code = polite.format(diary=str(diary), name=name, signal=number, mark=str(mark))
            stops = {"stage": stage, "stop_signal": signal.Signals[f"SIG{number}"]}
            supervisor.start(program(name, code, is_ready=mark.exists, **stops))
    assert diary.read_text() == "timer web postgres "


def test_kills_a_process_that_does_not_listen(said: list[str]) -> None:
    child = Child(program("deaf", STUBBORN), said.append)
    eventually(lambda: "deaf" in child.last_lines)
    child.ask_to_stop()
    child.end(patience=0.1)
    assert child.exit_status() == -signal.SIGKILL
    assert said == ["deaf did not stop in 0.1 s and is killed."]


def test_keeps_what_children_say_and_repeats_alarms(said: list[str], var: Path) -> None:
    child = Child(program("web", "print('hello'); print('ERROR disk')"), said.append)
    eventually(lambda: child.exit_status() is not None)
    child.bury()
    assert (var / "log" / "web.log").read_text() == "hello\nERROR disk\n"
    assert said == ["web | ERROR disk"]


def test_nobody_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    code = f"""
import json, pathlib, sys, time
from console.supervision.processes import Process
from console.supervision.supervisor import Supervisor
with Supervisor(print) as supervisor:
    sleeper = (sys.executable, "-c", {SLEEPER!r})
    supervisor.start(Process(name="a", argv=sleeper), Process(name="b", argv=sleeper))
    pathlib.Path({str(note)!r}).write_text(json.dumps(supervisor.pids()))
    time.sleep(60)"""
    killed = subprocess.Popen([sys.executable, "-c", code], cwd=addresses.REPOSITORY)
    eventually(lambda: note.exists() and note.read_text())
    killed.kill()
    killed.wait()
    left = json.loads(note.read_text()).values()
    eventually(lambda: not any(map(lives, left)))


def test_guardian_ends_what_it_was_told_to_watch() -> None:
    watched, forgotten = (
        subprocess.Popen([sys.executable, "-c", SLEEPER], process_group=0) for _ in range(2)
    )
    reaper = threading.Thread(target=watched.wait)
    reaper.start()
    guardian = Guardian()
    guardian.watch(watched.pid, signal.SIGTERM)
    guardian.watch(forgotten.pid, signal.SIGTERM)
    guardian.forget(forgotten.pid)
    guardian.dismiss()
    reaper.join(timeout=5)
    assert watched.returncode == -signal.SIGTERM
    assert forgotten.poll() is None
    forgotten.kill()
    forgotten.wait()


@pytest.mark.parametrize(
    ("lives", "pauses"),
    [
        ([1, 1, 1], [0.4, 0.8, 1.6]),
        ([1] * 7, [0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]),
        ([1, 1, 21, 1], [0.4, 0.8, 0.4, 0.8]),
    ],
)
def test_pauses_grow_until_a_long_life(lives: list[float], pauses: list[float]) -> None:
    restart = Restart()
    assert [restart.plan(lived_seconds=life) for life in lives] == pauses


def test_a_second_start_learns_where_the_first_runs(said: list[str]) -> None:
    first = lock.claim(said.append)
    assert isinstance(first, lock.Lock)
    with first.published("http://127.0.0.1:8123"):
        assert lock.claim(said.append) == "http://127.0.0.1:8123"
    first.close()
    again = lock.claim(said.append)
    assert isinstance(again, lock.Lock)
    again.close()
    assert said == []


def test_the_lock_stays_with_the_children_of_a_killed_start(
    said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "PATIENCE_SECONDS", 0.3)
    first = lock.claim(said.append)
    assert isinstance(first, lock.Lock)
    child = Child(program("leftover", SLEEPER), said.append, (first.descriptor,))
    first.close()
    with pytest.raises(lock.Busy):
        lock.claim(said.append)
    child.ask_to_stop()
    child.end(patience=5)
    free = lock.claim(said.append)
    assert isinstance(free, lock.Lock)
    free.close()


def test_takes_the_next_port_when_the_usual_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        monkeypatch.setattr(parts, "DEFAULT_PORT", taken)
        with parts.listen(Options()) as listener:
            port = listener.getsockname()[1]
            assert taken < port < taken + parts.PORTS_TRIED
            assert parts.address_of(listener) == f"http://127.0.0.1:{port}"
        with pytest.raises(PortTaken, match=f"Port {taken} of 127.0.0.1 is taken, or not ours"):
            parts.listen(Options(port=taken))


def test_only_the_sender_is_given_connector_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_BANK_KEY", "x")
    assert "CONNECTOR_BANK_KEY" in parts.environment("sender", "http://here")
    assert "CONNECTOR_BANK_KEY" not in parts.environment("worker", "http://here")


def test_the_sender_reads_the_connectors_beside_the_data_unless_others_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTERSIGN_VAR", str(tmp_path))
    monkeypatch.delenv("CONNECTOR_SETTINGS", raising=False)
    assert "CONNECTOR_SETTINGS" not in parts.environment("sender", "http://here")
    kept = tmp_path / "connectors.toml"
    kept.touch()
    assert parts.environment("sender", "http://here")["CONNECTOR_SETTINGS"] == str(kept)
    assert "CONNECTOR_SETTINGS" not in parts.environment("web", "http://here")
    monkeypatch.setenv("CONNECTOR_SETTINGS", "/mine.toml")
    assert parts.environment("sender", "http://here")["CONNECTOR_SETTINGS"] == "/mine.toml"


def test_only_the_courier_is_given_the_password_for_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMAIL_URL", "smtp://console:secret@mail.example:587?starttls=1")
    sent = parts.environment("courier", "http://here")["EMAIL_URL"]
    assert sent == "smtp://console:secret@mail.example:587?starttls=1"
    known = parts.environment("web", "http://here")["EMAIL_URL"]
    assert known == "smtp://mail.example:587?starttls=1"


@pytest.mark.parametrize(
    ("broker", "channel"),
    [
        ("redis://queue.example:6379/1", "redis://queue.example:6379/1"),
        ("redis+socket:///srv/v.sock?virtual_host=1", "unix:///srv/v.sock?db=1"),
        ("amqp://queue.example", None),
        ("", None),
    ],
)
def test_the_broker_also_carries_live_pages(
    broker: str, channel: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_URL", broker)
    monkeypatch.delenv("CHANNEL_URL", raising=False)
    assert addresses.default_channel_url() == (channel or addresses.own_channel_url())
    assert parts.runs_own_valkey() is (channel is None)


def test_sockets_stand_elsewhere_when_their_path_is_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTERSIGN_VAR", str(tmp_path / ("deep/" * 20)))
    assert len(os.fsencode(addresses.run_dir())) < addresses.LONGEST_RUN_DIR_BYTES
    assert addresses.run_dir() == addresses.run_dir()


def test_first_starts_agree_on_one_private_key(var: Path) -> None:
    keys = {addresses.secret_key() for _ in range(3)}
    assert len(keys) == 1
    assert len(keys.pop()) == 64
    assert (var / "secret_key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in var.iterdir()] == ["secret_key"]


def test_data_of_another_postgresql_is_not_touched(var: Path) -> None:
    (var / "pg11").mkdir()
    with pytest.raises(embedded.Unavailable, match="pg11 was written by another major version"):
        embedded.postgres(var, addresses.run_dir())


def test_the_machine_without_postgresql_is_told_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded.find_postgres.cache_clear()
    monkeypatch.setenv("CONSOLE_PG_BIN", str(tmp_path))
    with pytest.raises(embedded.Unavailable, match="Set DATABASE_URL"):
        embedded.find_postgres()
