"""Hold claimed runs: prolong their leases while a step takes long, hand back what must wait."""

import logging
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from django.conf import settings
from django.db import Error, connection

from agents import store
from agents.store import Claim
from console.doorbell.operations.ringing import ring_task

logger = logging.getLogger(__name__)

# A claimed run that had to wait this long goes back, so that an idle worker can take it.
PATIENCE_SECONDS = 1.0


class Holding:
    """Some claims in the hands of this worker, watched by a thread of its own."""

    def __init__(self, claims: Sequence[Claim]) -> None:
        """Take over the claims, in order."""
        self._waiting = deque(claims)
        self._current: Claim | None = None
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._prolong, name="leases", daemon=True)

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._watch.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop watching; put back what was not begun."""
        self._over.set()
        self._watch.join()
        self._hand_back()

    def each(self) -> Iterator[Claim]:
        """Yield the claims one after the other, except those handed back meanwhile."""
        while True:
            with self._lock:
                self._current = self._waiting.popleft() if self._waiting else None
            if self._current is None:
                return
            yield self._current

    def _take_all(self) -> list[Claim]:
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
        return taken

    def _prolong(self) -> None:
        if self._over.wait(PATIENCE_SECONDS):
            return
        try:
            self._hand_back()
            while not self._over.wait(settings.RUN_LEASE.total_seconds() / 3):
                self._prolong_current()
        finally:
            connection.close()

    def _hand_back(self) -> None:
        handed = [claimed for claimed in self._take_all() if store.release(claimed)]
        if handed:
            ring_task("agents.work")

    def _prolong_current(self) -> None:
        current = self._current
        try:
            if current is not None:
                store.prolong([current])
        except Error as error:
            # The next try comes well before the lease ends.
            logger.warning("lease not prolonged: %s", error)
            connection.close()
