"""How does an open page hear that something changed?

After a commit, `ring` sends a topic's name (never content) through the channel layer. A page's
consumer reads the rows again and pushes the region. Messages may be lost: every connect, and a
slow heartbeat, sends the whole region again.
"""

import asyncio
import logging
import os
import threading
from typing import Any

from channels.layers import get_channel_layer
from django.db import transaction

logger = logging.getLogger(__name__)
MERGE_SECONDS = 0.02


def topic(name: str, key: object) -> str:
    """Return the channel-layer group for a kind of thing and its id."""
    return f"{name}.{key}"


def ring(name: str, key: object) -> None:
    """Tell the open pages about this thing once the current transaction is committed."""
    group = topic(name, key)
    transaction.on_commit(lambda: _bell.ring(group), robust=True)


class _Bell:
    """Sends from a thread of its own, so that no request or step waits for the layer.

    Topics rung while one batch is being sent are merged into the next.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0
        self._waiting: set[str] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()

    def ring(self, group: str) -> None:
        with self._lock:
            self._waiting.add(group)
            # A forked worker inherits this object but not the thread.
            loop = self._loop
            if loop is None or self._owner != os.getpid():
                loop = self._start()
            loop.call_soon_threadsafe(self._wake.set)

    def _start(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()
        self._owner, self._loop, self._wake = os.getpid(), loop, asyncio.Event()
        self._sending = loop.create_task(self._send_forever())
        threading.Thread(target=loop.run_forever, name="live", daemon=True).start()
        return loop

    async def _send_forever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            with self._lock:
                groups, self._waiting = self._waiting, set()
            for group in groups:
                await _send(group)
            await asyncio.sleep(MERGE_SECONDS)


async def _send(group: str) -> None:
    layer: Any = get_channel_layer()
    try:
        await layer.group_send(group, {"type": "look", "topic": group})
    except Exception as error:  # noqa: BLE001  (a lost push costs a heartbeat, not the work)
        logger.warning("live push not sent: %s", type(error).__name__)


_bell = _Bell()
