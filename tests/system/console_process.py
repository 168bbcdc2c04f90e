"""A whole console in processes of its own, as `make run` starts it, on data that is thrown away."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from approvals.queries.invariants import invariants

TOP = Path(__file__).parents[2]
# The console under test brings its own servers, not those that the other tests share.
FOREIGN = {"DATABASE_URL", "BROKER_URL", "CHANNEL_URL", "COUNTERSIGN_VAR"}
# Quiet, it takes twenty; a busy machine is no reason to fail.
START_SECONDS = 180


class Console:
    """A console that can be started, asked, hurt and stopped."""

    def __init__(self, var: Path, *options: str) -> None:
        """Keep data under `var`, and start with these options."""
        self.var = var
        self.options = options
        self.environment = {k: v for k, v in os.environ.items() if k not in FOREIGN}
        self.environment["COUNTERSIGN_VAR"] = str(var)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Return where people reach it."""
        published = json.loads((self.var / "run" / "up.json").read_text())
        return str(published["address"])

    def start(self) -> None:
        """Start it as a person would, and wait for the welcome."""
        log = (self.var / "up.log").open("wb")
        command = [sys.executable, "manage.py", "up", *self.options]
        self._process = subprocess.Popen(
            command, cwd=TOP, env=self.environment, stdout=log, stderr=subprocess.STDOUT
        )
        log.close()
        deadline = time.monotonic() + START_SECONDS
        while "is running at" not in self.said():
            assert self._process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.1)

    def said(self) -> str:
        """Return what it has printed."""
        return (self.var / "up.log").read_text()

    def stop(self) -> int:
        """Press Ctrl-C and return the exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(timeout=60)

    def kill(self) -> None:
        """Kill the supervisor, and with it everything, without a word."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        deadline = time.monotonic() + 30
        while self.pids("."):
            assert time.monotonic() < deadline, self.pids(".")
            time.sleep(0.1)

    def throw_away(self) -> None:
        """Kill it, and do not wait until its own processes have finished what they do."""
        assert self._process is not None
        self._process.kill()
        # Not the servers: they leave memory behind unless they end by themselves.
        for pattern in ("-m console.serving", "-m celery", "manage.py"):
            for pid in self.pids(pattern):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.kill()

    def pids(self, pattern: str) -> list[int]:
        """Return this console's processes whose command line holds a pattern."""
        return [pid for pid, command in self._family() if pattern == "." or pattern in command]

    def _family(self) -> Iterator[tuple[int, str]]:
        mark = f"COUNTERSIGN_VAR={self.var}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                is_ours = str(self.var) in command or mark in (folder / "environ").read_bytes()
                if is_ours and command and int(folder.name) != os.getpid():
                    yield int(folder.name), command

    def has_nothing_that_must_never_be(self) -> None:
        """Run the file of invariants on its database, if that still answers."""
        place = {"host": str(self.var / "run"), "user": "countersign", "dbname": "countersign"}
        with (
            contextlib.suppress(psycopg.OperationalError),
            psycopg.connect(**place) as asking,  # type: ignore[arg-type]
        ):
            for each in invariants():
                if not each.is_liveness:
                    query = f"{each.query}\nLIMIT 1"
                    assert asking.execute(query.encode()).fetchall() == [], each.sentence

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a management command beside it."""
        return self.run("manage.py", *arguments)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python beside it, with its settings."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=TOP,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def sign_ins(self) -> list[dict[str, Any]]:
        """Return the demo's people."""
        people: list[dict[str, Any]] = json.loads((self.var / "run" / "demo.json").read_text())
        return people


@contextlib.contextmanager
def console(*options: str) -> Iterator[Console]:
    """Yield a running console on new data; nothing of it is left afterwards."""
    var = Path(tempfile.mkdtemp(prefix="countersign-system-", dir="/tmp"))
    one = Console(var, *options)
    try:
        one.start()
        yield one
        one.has_nothing_that_must_never_be()
    finally:
        with contextlib.suppress(ProcessLookupError, AssertionError):
            one.throw_away()
        shutil.rmtree(var, ignore_errors=True)
