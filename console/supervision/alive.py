"""Does a child still get anywhere? It says so in memory that its parent sees.

A pass is noted before anything that could hang, so that a child that hangs is silent, and its
parent ends it. Whoever has no parent that looks says it to nobody.
"""

import mmap
import struct
import time

_MOMENT = struct.Struct("d")


class Cell:
    """One moment, which two processes share."""

    def __init__(self) -> None:
        """Share it with whoever is forked from here on."""
        self._kept = mmap.mmap(-1, _MOMENT.size)

    def note(self) -> None:
        """Note this moment."""
        # While the machine sleeps nobody is silent, so this is the clock that stands still then.
        _MOMENT.pack_into(self._kept, 0, time.monotonic())

    def silent_for(self) -> float:
        """Return how many seconds have passed since the last moment that was noted."""
        found: float = _MOMENT.unpack_from(self._kept, 0)[0]
        return time.monotonic() - found


_mine: list[Cell] = []


def speak_through(cell: Cell) -> None:
    """Let this process say here, from now on, that it gets on."""
    _mine[:] = [cell]
    cell.note()


def get_on() -> None:
    """Say that this process gets on."""
    for cell in _mine:
        cell.note()
