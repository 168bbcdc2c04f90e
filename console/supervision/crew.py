"""How does one process keep a few children at work, and bring a dead one back in milliseconds?

It loads everything once and forks; a child that dies is forked again, with nothing to load. It has
no connection of its own to anything, because a connection that is shared by a fork belongs to
nobody. When it is told to end it tells its children, and when it is killed they end with it. A
child that has not got on for too long, because a folder or a provider hangs, is killed.
"""

import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FrameType

from console.supervision.alive import Cell, speak_through
from console.supervision.processes import die_with_parent

logger = logging.getLogger(__name__)

SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 5.0
HEALTHY_AGE_SECONDS = 20.0
POLL_SECONDS = 0.01
LOOK_SECONDS = 1.0
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopping:
    """Whether this process was asked to end."""

    def __init__(self) -> None:
        """Begin unasked."""
        self._asked = False

    def __bool__(self) -> bool:
        """Return whether it was."""
        return self._asked

    def ask(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """Ask it; a signal handler."""
        self._asked = True


Work = Callable[[Stopping], None]
Say = Callable[[str], None]


@dataclass(slots=True)
class Place:
    """One child's place: who is in it now, since when, and when somebody is put there again."""

    name: str
    work: Work
    silent_at_most: float | None = None
    cell: Cell = field(default_factory=Cell)
    pid: int = 0
    began: float = 0.0
    due: float = 0.0
    pause: float = 0.0


class Crew:
    """A parent's children, by their names; `silent_at_most` is how long each may get nowhere."""

    def __init__(
        self, works: Mapping[str, Work], say: Say, silent_at_most: Mapping[str, float] | None = None
    ) -> None:
        """Begin with nobody at work."""
        limits = silent_at_most or {}
        self._places = [Place(name, work, limits.get(name)) for name, work in works.items()]
        self._say = say
        self._stopping = Stopping()
        self._alive, self._told = os.pipe()
        self._heard, self._bell = os.pipe()

    def keep(self) -> None:
        """Keep everybody at work until this process is asked to end, then wait for them."""
        for number in SIGNALS:
            signal.signal(number, self._pass_on)
        # Any signal, also that of a death, is heard as a byte, however long we meant to wait.
        os.set_blocking(self._heard, False)
        os.set_blocking(self._bell, False)
        signal.set_wakeup_fd(self._bell, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _do_nothing)
        while not self._stopping or any(place.pid for place in self._places):
            self._fill()
            self._kill_silent()
            self._bury()

    def _pass_on(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping.ask()
        for place in self._places:
            self._end(place)

    def _end(self, place: Place) -> None:
        if place.pid:
            os.kill(place.pid, signal.SIGTERM)

    def _fill(self) -> None:
        for place in self._places:
            if not place.pid and not self._stopping and time.monotonic() >= place.due:
                self._fork(place)

    def _fork(self, place: Place) -> None:
        ask_to_die = die_with_parent(signal.SIGTERM)
        # A signal between the fork and the child's own handlers would be taken for the parent's.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        # One that came before they were blocked found nobody here to be told.
        if self._stopping:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            return
        place.cell.note()
        pid = os.fork()
        if not pid:
            self._become(place, ask_to_die)
        place.pid, place.began = pid, time.monotonic()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def _become(self, place: Place, ask_to_die: Callable[[], None] | None) -> None:
        """Do a child's work and end; nothing of the parent's is cleaned up here."""
        status = 1
        try:
            stopping = Stopping()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for number in SIGNALS:
                signal.signal(number, stopping.ask)
            for end in (self._told, self._heard, self._bell):
                os.close(end)
            speak_through(place.cell)
            if ask_to_die:
                ask_to_die()
            else:
                threading.Thread(target=_end_with, args=(self._alive,), daemon=True).start()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            place.work(stopping)
            status = 0
        # A child never returns into its parent's code.
        except BaseException:
            logger.exception("%s ended in a way nobody foresaw", place.name)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _kill_silent(self) -> None:
        for place in self._places:
            limit = place.silent_at_most
            if place.pid and limit is not None and place.cell.silent_for() > limit:
                self._say(f"{place.name} got nowhere for {limit:g} s and is killed.")
                os.kill(place.pid, signal.SIGKILL)
                # It is told once; how long a kernel takes to end it is not up to us.
                place.cell.note()

    def _bury(self) -> None:
        """Take leave of who died; if nobody did, wait for the next signal, or for a moment."""
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            pid, status = 0, 0
        if not pid:
            self._listen()
            return
        for place in self._places:
            if place.pid == pid:
                self._plan(place, status)

    def _listen(self) -> None:
        is_waiting = any(not place.pid for place in self._places) and not self._stopping
        wait = POLL_SECONDS if is_waiting else LOOK_SECONDS
        if select.select([self._heard], [], [], wait)[0]:
            os.read(self._heard, 4096)

    def _plan(self, place: Place, status: int) -> None:
        """Set when somebody takes a dead child's place: at once, unless it gives up by itself."""
        now, place.pid = time.monotonic(), 0
        was_killed, lived = os.WIFSIGNALED(status), now - place.began
        longer = 0.0 if was_killed or lived > HEALTHY_AGE_SECONDS else place.pause * 2
        shortest = 0.0 if was_killed else SHORTEST_PAUSE_SECONDS
        place.pause = min(max(longer, shortest), LONGEST_PAUSE_SECONDS)
        place.due = now + place.pause
        if not self._stopping:
            end = f"signal {os.WTERMSIG(status)}" if was_killed else f"status {status >> 8}"
            self._say(f"{place.name} ended with {end}; again in {place.pause:g} s.")


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    """Hear a signal for the byte that it writes."""


def _end_with(alive: int) -> None:
    """End this process as soon as its parent, which alone holds the other end, is gone."""
    while os.read(alive, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
