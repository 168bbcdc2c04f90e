"""In a hand: lead queued runs to their ends, as a worker does."""

import time

from agents.operations.running import work


def work_off() -> float:
    """Work until nothing is queued and return when that was."""
    while work():
        pass
    return time.monotonic()
