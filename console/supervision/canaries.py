"""Which worker is up and no longer takes anything from its queue?

The timer sends a task through each queue every few seconds that does nothing but write a heartbeat
(console/pulse). Where tasks are sent and none was carried out for longer than the longest task may
take, the process that should have done it is ended, and started again like any other that ends.
"""

import logging
import os
import threading
from collections.abc import Mapping
from typing import Protocol

import psycopg

from console.supervision import addresses

LOOK_SECONDS = 15.0
# Tasks are sent: the timer works and the broker takes them.
SENT_WITHIN_SECONDS = 60.0
# Longer than a task may run (task_time_limit), or a busy worker would be taken for a deaf one.
SILENT_SECONDS = 420.0
_AGES = """
    SELECT name, extract(epoch FROM now() - at)::float8 FROM pulse_beat
    WHERE name = 'canaries' OR name LIKE 'queue:%'
"""
logger = logging.getLogger(__name__)


class Crew(Protocol):
    """Whoever keeps the processes alive."""

    def listeners(self) -> dict[str, tuple[frozenset[str], float]]:
        """Return for each worker the queues it listens to, and for how many seconds it has run."""

    def end(self, name: str, why: str) -> None:
        """End a process, so that it is started again."""


def queues_in(argv: tuple[str, ...]) -> frozenset[str]:
    """Return the queues that a command line listens to."""
    if "-Q" not in argv:
        return frozenset()
    return frozenset(argv[argv.index("-Q") + 1].split(","))


def deaf(
    listeners: Mapping[str, tuple[frozenset[str], float]], ages: Mapping[str, float]
) -> list[str]:
    """Return the workers that should have been heard of, given each beat's age in seconds."""
    if ages.get("canaries", SENT_WITHIN_SECONDS) >= SENT_WITHIN_SECONDS:
        return []
    return [
        name
        for name, (queues, lived) in listeners.items()
        if lived > SILENT_SECONDS
        # A queue without any beat belongs to no canary, and nothing is known about it.
        and any(ages.get(f"queue:{queue}", 0.0) > SILENT_SECONDS for queue in queues)
    ]


def listen_to(crew: Crew, until: threading.Event) -> None:
    """Look every few seconds, until told to stop."""
    while not until.wait(LOOK_SECONDS):
        try:
            silent = deaf(crew.listeners(), _ages())
        except psycopg.Error as error:
            logger.debug("heartbeats not read: %s", type(error).__name__)
            continue
        for name in silent:
            crew.end(name, "takes nothing from its queue")


def _ages() -> dict[str, float]:
    url = os.environ.get("DATABASE_URL") or addresses.default_database_url()
    with psycopg.connect(url, connect_timeout=3, options="-c statement_timeout=3s") as connection:
        return dict(connection.execute(_AGES).fetchall())
