"""Who ends the children when the supervisor itself is killed?

On Linux the kernel does, where each child asked for it. Elsewhere a small process waits at the end
of a pipe: when the supervisor dies the pipe closes, and the process groups still listed are ended.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable

PATIENCE_SECONDS = 10.0


class Guardian:
    """The supervisor's end of that pipe."""

    def __init__(self) -> None:
        """Start the small process."""
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, text=True, process_group=0
        )

    def watch(self, group: int, stop_signal: signal.Signals) -> None:
        """End this process group when we die."""
        self._tell(f"{group} {stop_signal}")

    def forget(self, group: int) -> None:
        """Leave this process group alone: it has ended, and its number may be given away."""
        self._tell(f"{group} 0")

    def dismiss(self) -> None:
        """Let the guardian end; it ends whatever it still watches."""
        self._process.communicate()

    def _tell(self, line: str) -> None:
        if pipe := self._process.stdin:
            pipe.write(f"{line}\n")
            pipe.flush()


def guard(lines: Iterable[str]) -> None:
    """Read process groups and their stop signals until the pipe closes, then end what is left."""
    groups: dict[int, int] = {}
    for line in lines:
        group, number = map(int, line.split())
        groups[group] = number
    groups = {group: number for group, number in groups.items() if number}
    for group, number in groups.items():
        _send(group, number)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(_send(group, 0) for group in groups) and time.monotonic() < deadline:
        time.sleep(0.1)
    for group in groups:
        _send(group, signal.SIGKILL)


def _send(group: int, number: int) -> bool:
    """Send a signal; return whether anybody was left to receive it."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    guard(sys.stdin)
