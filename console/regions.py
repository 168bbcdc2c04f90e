"""How is an open page kept true? One socket, one region, always rendered from the rows.

The consumer accepts no commands. It joins the topics of its page and that of its person, renders
the region on connect, whenever a topic rings (at most four times a second), and every half minute
or sooner in case a ring was lost. Rights are read again before every push, and within seconds of
any change to them (console/attendance.py), so a socket ends with the right to see.
"""

import asyncio
import contextlib
from abc import abstractmethod
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, ClassVar, cast
from uuid import UUID

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.template.loader import render_to_string

from console import attendance, tenancy
from console.access import queries
from console.access.models import User, Workspace
from console.actors import Actor
from console.errors import NotFound
from console.live import topic

SIGNED_OUT, NOT_HERE = 4401, 4404
PAUSE_SECONDS = 0.25
HEARTBEAT_SECONDS = 30.0


class Region(AsyncWebsocketConsumer):
    """One live region of a page. Subclasses say which topics, which fragment, which answers.

    `also` are other places of the page that the same answers fill, by their ids and fragments;
    what a page does not show is passed over.
    """

    fragment: ClassVar[str]
    region_id: ClassVar[str]
    also: ClassVar[Mapping[str, str]] = {}
    pause_seconds: ClassVar[float] = PAUSE_SECONDS
    heartbeat_seconds: ClassVar[float] = HEARTBEAT_SECONDS
    workspace: Workspace
    actor: Actor

    @abstractmethod
    def topics(self) -> list[tuple[str, object]]:
        """Return (kind, id) of everything that changes this region."""

    @abstractmethod
    def context(self) -> dict[str, Any]:
        """Return what the fragment shows, read from the rows. Raises: NotFound."""

    @property
    def ids(self) -> dict[str, Any]:
        """Return the ids in the socket's address."""
        kwargs: dict[str, Any] = self.scope["url_route"]["kwargs"]
        return kwargs

    async def connect(self) -> None:
        """Accept, join, and begin to push; strangers are told why they are let go."""
        await self.accept()
        self._look = asyncio.Event()
        self._joined: list[str] = []
        self._pushed = b""
        if await self._may_see() and await self._push():
            await self._join()
            self._look.set()
            self._loop = asyncio.create_task(self._push_forever())
            attendance.join(self)

    async def disconnect(self, code: int) -> None:
        """Leave quietly; nothing is written here."""
        attendance.leave(self)
        loop = getattr(self, "_loop", None)
        if loop is not None:
            loop.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await loop
        for group in getattr(self, "_joined", []):
            await self.channel_layer.group_discard(group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Ignore whatever a page says: decisions come by POST."""

    async def look(self, event: dict[str, Any]) -> None:
        """Hear the bell."""
        self.look_again()

    def look_again(self) -> None:
        """Read rights and rows again before long."""
        self._look.set()

    def held_by(self) -> tuple[UUID, str]:
        """Return the person and the session that keep this socket open."""
        person = cast("User", self.scope["user"])
        return person.id, str(self.scope["session"].session_key)

    async def _join(self) -> None:
        for name, key in (("person", cast("User", self.scope["user"]).pk), *self.topics()):
            group = topic(name, key)
            await self.channel_layer.group_add(group, self.channel_name)
            self._joined.append(group)

    async def _push_forever(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._look.wait(), self.heartbeat_seconds)
            self._look.clear()
            if not (await self._may_see() and await self._push()):
                return
            await asyncio.sleep(self.pause_seconds)

    async def _may_see(self) -> bool:
        refusal = await database_sync_to_async(self._enter)()
        if refusal is not None:
            await self.close(code=refusal)
        return refusal is None

    def _enter(self) -> int | None:
        """Read person and rights again; return the close code for whoever may not stay."""
        person: object = self.scope["user"]
        session = self.scope["session"]
        if not isinstance(person, User):
            return SIGNED_OUT
        if not queries.is_signed_in(person, str(session.session_key)):
            return SIGNED_OUT
        found = queries.person_in(person, self.ids["workspace"])
        if found is None:
            return NOT_HERE
        self.workspace, self.actor = found
        tenancy.enter(self.workspace.id)
        return None

    async def _push(self) -> bool:
        try:
            html = await database_sync_to_async(self._render)()
        except NotFound:
            await self.close(code=NOT_HERE)
            return False
        digest = sha256(html.encode()).digest()
        if digest != self._pushed:
            self._pushed = digest
            await self.send(text_data=html)
        return True

    def _render(self) -> str:
        context = {"workspace": self.workspace, "actor": self.actor, **self.context()}
        places = {self.region_id: self.fragment, **self.also}
        return "".join(
            f'<hx-partial hx-target="#{place}" hx-swap="outerMorph">'
            f"{render_to_string(fragment, context).strip()}</hx-partial>"
            for place, fragment in places.items()
        )


class Nothing(AsyncWebsocketConsumer):
    """What a socket meets at an address where no page has one."""

    async def connect(self) -> None:
        """Say that there is nothing here, in a way that is not tried again."""
        await self.accept()
        await self.close(code=NOT_HERE)
