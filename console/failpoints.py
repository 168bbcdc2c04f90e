"""Where can a test make a process fail? Nowhere, unless the process was started for that.

`COUNTERSIGN_CHAOS` names a folder. A file in it with the name of a failpoint says what happens to
the process that comes by first: `kill`, `stop`, `raise`, or `sleep SECONDS`. Taking the file away
is what makes it the first, so each file counts once. Without the setting nothing is looked at.
"""

import os
import signal
import time
from pathlib import Path

_FOLDER = os.environ.get("COUNTERSIGN_CHAOS", "")


class Broken(Exception):
    """A failpoint was told to raise."""


def _come_by(name: str) -> None:
    order = Path(_FOLDER) / name
    taken = order.with_name(f".{name}.{os.getpid()}.{time.monotonic_ns()}")
    try:
        order.rename(taken)
    except FileNotFoundError:
        return
    word, _, rest = taken.read_text().strip().partition(" ")
    if word == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif word == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif word == "sleep":
        time.sleep(float(rest))
    else:
        raise Broken(name)


def _pass_by(_name: str) -> None:
    return None


fp = _come_by if _FOLDER else _pass_by
