"""Is this console already running, and where?

The lock is inherited by every process of the console. It is free only when all of them have ended,
also those that a killed supervisor left behind, so whoever holds it may touch the data.
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from console.supervision import addresses

POLL_SECONDS = 0.1
PATIENCE_SECONDS = 60.0


class Busy(Exception):
    """Processes of an earlier start neither serve nor end; see var/log, and end them by hand."""


class Lock:
    """The right to run the console over one data folder."""

    def __init__(self, descriptor: int) -> None:
        """Hold what `claim` took."""
        self.descriptor = descriptor

    @contextlib.contextmanager
    def published(self, address: str) -> Iterator[None]:
        """Tell everybody where the console answers, until the block ends."""
        draft = _note().with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps({"address": address, "pid": os.getpid()}))
        draft.replace(_note())
        try:
            yield
        finally:
            _note().unlink(missing_ok=True)

    def close(self) -> None:
        """Let somebody else run the console."""
        os.close(self.descriptor)


def claim(say: Callable[[str], None]) -> Lock | str:
    """Return the lock, or the address of the console that runs already.

    Time: waits while another one is starting or ending.
    Raises: Busy after a minute of neither.
    """
    addresses.private_dir(addresses.run_dir())
    deadline, told = time.monotonic() + PATIENCE_SECONDS, False
    while time.monotonic() < deadline:
        if lock := _try_lock():
            return lock
        if address := _published():
            return address
        if not told:
            say("Waiting for another start or stop of this console to finish.")
            told = True
        time.sleep(POLL_SECONDS)
    raise Busy(Busy.__doc__)


def _try_lock() -> Lock | None:
    path = addresses.var_dir() / "up.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    _note().unlink(missing_ok=True)
    return Lock(descriptor)


def _published() -> str | None:
    """Return the address of a supervisor that still lives."""
    try:
        note = json.loads(_note().read_text())
    except FileNotFoundError:
        return None
    return str(note["address"]) if _lives(note["pid"]) else None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _note() -> Path:
    return addresses.run_dir() / "up.json"
