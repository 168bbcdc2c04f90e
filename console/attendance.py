"""Who may no longer keep a page open? Asked every few seconds for all sockets of a process.

Nothing rings when somebody is deactivated in a shell or a session runs out. So one question about
everybody who is here tells which sockets have to look at their own rights again; they end by
themselves.
"""

import asyncio
import logging
from typing import Protocol
from uuid import UUID
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async
from django.db import Error

from console.access import queries

EVERY_SECONDS = 3.0
logger = logging.getLogger(__name__)


class Attendee(Protocol):
    """An open socket of somebody."""

    def held_by(self) -> tuple[UUID, str]:
        """Return the person and the session that keep it open."""

    def look_again(self) -> None:
        """Read rights and rows again before long."""


class _Rounds:
    """The rounds of one event loop; they end with the last socket."""

    def __init__(self) -> None:
        self._stood: dict[Attendee, tuple[str | None, bool] | None] = {}
        self._walk: asyncio.Task[None] | None = None

    def join(self, attendee: Attendee) -> None:
        self._stood[attendee] = None
        if self._walk is None or self._walk.done():
            self._walk = asyncio.create_task(self._go_round())

    def leave(self, attendee: Attendee) -> None:
        self._stood.pop(attendee, None)
        if not self._stood and self._walk is not None:
            self._walk.cancel()
            self._walk = None

    async def _go_round(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self._look()
            except Error as error:
                # Nothing can be pushed either while the database is away.
                logger.warning("attendance not taken: %s", type(error).__name__)

    async def _look(self) -> None:
        held = {attendee: attendee.held_by() for attendee in self._stood}
        people = {person for person, _ in held.values()}
        sessions = {session for _, session in held.values()}
        found = await database_sync_to_async(queries.standings)(people, sessions)
        for attendee, (person, session) in held.items():
            stands = (found.get(str(person)), session in found)
            if attendee in self._stood and self._stood[attendee] != stands:
                self._stood[attendee] = stands
                attendee.look_again()


_rounds: WeakKeyDictionary[asyncio.AbstractEventLoop, _Rounds] = WeakKeyDictionary()


def join(attendee: Attendee) -> None:
    """Take this socket along on the rounds."""
    _rounds.setdefault(asyncio.get_running_loop(), _Rounds()).join(attendee)


def leave(attendee: Attendee) -> None:
    """Take it along no more; twice is once."""
    rounds = _rounds.get(asyncio.get_running_loop())
    if rounds is not None:
        rounds.leave(attendee)
