"""What is one process of the console, and how is it started, heard and ended?"""

import contextlib
import ctypes
import io
import logging
import os
import pwd
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from typing import TypedDict

from console.supervision import addresses

LOG_BYTES = 5_000_000
PR_SET_PDEATHSIG = 1

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A program to keep running; without `env` it inherits ours.

    Higher stages stop first, and the members of a stage stop together.
    """

    name: str
    stage: int = 0
    argv: tuple[str, ...]
    env: Mapping[str, str] | None = None
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout: float = 10.0
    ready_timeout: float = 90.0
    is_ready: Callable[[], bool] = lambda: True
    alarms: tuple[str, ...] = ("ERROR", "CRITICAL")
    inherits: tuple[int, ...] = ()


class Child:
    """One life of a process, in a process group of its own."""

    def __init__(self, process: Process, say: Say, inherited: tuple[int, ...] = ()) -> None:
        """Start the program; the `inherited` descriptors stay open as long as anything lives."""
        self.process = process
        self.started_at = time.monotonic()
        self.last_lines: deque[str] = deque(maxlen=12)
        self._say = say
        self._popen = subprocess.Popen(
            process.argv,
            cwd=addresses.REPOSITORY,
            env=process.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # Ctrl-C in the terminal then reaches the supervisor alone, which stops things in order.
            process_group=0,
            pass_fds=(*inherited, *process.inherits),
            preexec_fn=die_with_parent(process.stop_signal),  # noqa: PLW1509 (libc is loaded before)
            **identity(process.user),
        )
        self._listener = threading.Thread(target=self._listen, name=process.name, daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """Return the process id, which is also the number of its group."""
        return self._popen.pid

    def exit_status(self) -> int | None:
        """Return the exit status, or nothing while the process lives."""
        return self._popen.poll()

    def age(self) -> float:
        """Return the seconds since it was started."""
        return time.monotonic() - self.started_at

    def ask_to_stop(self) -> None:
        """Send the stop signal."""
        if self.exit_status() is None:
            self._popen.send_signal(self.process.stop_signal)

    def end(self, patience: float) -> None:
        """Wait for the end, insist on it after `patience` seconds, and bury the child."""
        try:
            self._popen.wait(patience)
        except subprocess.TimeoutExpired:
            self._say(f"{self.process.name} did not stop in {patience:g} s and is killed.")
        self.bury()

    def bury(self) -> None:
        """Kill what is left of the group: a worker that was killed leaves its own children."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()
        self._listener.join(timeout=5)

    def _listen(self) -> None:
        folder = addresses.private_dir(addresses.var_dir() / "log")
        log = RotatingFileHandler(
            folder / f"{self.process.name}.log", maxBytes=LOG_BYTES, backupCount=1
        )
        said = self._popen.stdout or io.StringIO()
        with contextlib.closing(log), said:
            for line in said:
                text = line.rstrip()
                self.last_lines.append(text)
                log.emit(logging.makeLogRecord({"msg": text}))
                if any(alarm in text for alarm in self.process.alarms):
                    self._say(f"{self.process.name} | {text}")


class Identity(TypedDict):
    """The arguments with which `subprocess` becomes another user."""

    user: int | None
    group: int | None
    extra_groups: list[int] | None


def identity(user: str | None) -> Identity:
    """Return what makes a new process run as this user, without any of our groups."""
    if user is None:
        return {"user": None, "group": None, "extra_groups": None}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def die_with_parent(stop_signal: signal.Signals) -> Callable[[], None] | None:
    """Return what a new process does first on Linux: ask the kernel to end it with its parent."""
    if sys.platform != "linux":
        return None
    libc, parent = ctypes.CDLL(None), os.getpid()

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(stop_signal))
        if os.getppid() != parent:
            os._exit(1)

    return ask
