"""The sender: carries out what is due here, sends what is due outside, and asks about the rest.

A small parent with two children: `sender` claims and sends, one thing after the other;
`reconciler` says what came into doubt, asks providers, and compares their lists with ours. Both
hear of new work from PostgreSQL and look by themselves every second, so no broker has a part in it.
"""

import gc
import logging
import os
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import Error, InterfaceError, OperationalError, connection
from django.urls import get_resolver

from approvals.connectors.protocol import Connector
from approvals.connectors.settings import BadSettings, load
from approvals.operations.announcing import announce_connectors
from approvals.operations.doubting import doubt_overdue, tell_doubts_overdue
from approvals.operations.executing import carry_out_due
from approvals.operations.inquiring import ask_due
from approvals.operations.nudging import CHANNEL
from approvals.operations.reconciling import reconcile_due
from approvals.operations.sending import resend_due, send_due
from approvals.operations.testing_connectors import test_due
from console.pulse.operations.beating import beat
from console.supervision.alive import get_on
from console.supervision.crew import Crew, Stopping

logger = logging.getLogger(__name__)

LISTEN_SECONDS = 1.0
ANNOUNCED_EVERY_SECONDS = 30.0
BEATS_EVERY_SECONDS = 10.0
RECONNECT_SECONDS = 0.2
# How long each child may get nowhere, in leases; comparing long lists takes its time.
SILENT_LEASES = {"sender": 4, "reconciler": 20}

Connectors = dict[str, Connector]
Duty = Callable[..., int]


class Regularly:
    """A duty that is done every so many seconds, at first at once."""

    def __init__(self, seconds: float, duty: Callable[..., object]) -> None:
        """Begin with it due."""
        self._seconds, self._duty = seconds, duty
        self._next_at = 0.0

    def __call__(self, *, now: datetime) -> int:
        """Do it if it is due; it is never a reason to look again at once."""
        if time.monotonic() >= self._next_at:
            self._next_at = time.monotonic() + self._seconds
            self._duty(now=now)
        return 0


class Command(BaseCommand):
    """Run until told to stop."""

    help = "Carry out what is due, send what leaves the house, and find out what became of it."
    # A check may look into the database, and what is forked here has no connection.
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        """Keep both children at work."""
        connectors = _connectors()
        # Loaded before the fork, so that a child that is brought back has nothing left to load.
        _ = get_resolver().url_patterns
        gc.freeze()
        crew = {
            "sender": partial(send, connectors),
            "reconciler": partial(find_out, connectors),
        }
        lease = settings.SEND_LEASE.total_seconds()
        limits = {name: count * lease for name, count in SILENT_LEASES.items()}
        Crew(crew, self.stdout.write, limits).keep()


def _connectors() -> Connectors:
    """Return the connectors of the operator's file; with a bad one nothing leaves the house."""
    path = os.environ.get("CONNECTOR_SETTINGS", "")
    try:
        found = load(path, os.environ) if path else {}
        _refuse_unless_within_lease(found)
    except BadSettings as error:
        logger.error("nothing leaves the house: %s", error)  # noqa: TRY400  (no trace: it may show more)
        return {}
    return found


def _refuse_unless_within_lease(connectors: Connectors) -> None:
    """Refuse connectors that may still be waiting when others take up what they were to send.

    Raises: BadSettings.
    """
    lease = settings.SEND_LEASE.total_seconds()
    for name, each in sorted(connectors.items()):
        if each.public.deadline_seconds >= lease:
            sentence = f"is {each.public.deadline_seconds:g}; SEND_LEASE_SECONDS, {lease:g}, has"
            raise BadSettings(f"[{name}] deadline_seconds: {sentence} to be longer.")


def send(connectors: Connectors, stopping: Stopping) -> None:
    """Carry out and send what is due, one after the other."""
    work = (
        Regularly(ANNOUNCED_EVERY_SECONDS, partial(announce_connectors, connectors)),
        Regularly(BEATS_EVERY_SECONDS, partial(beat, "sender")),
        carry_out_due,
        partial(send_due, connectors),
        partial(resend_due, connectors),
    )
    _serve(work, stopping)


def find_out(connectors: Connectors, stopping: Stopping) -> None:
    """Say what came into doubt, and ask and compare until it is known."""
    work = (
        Regularly(BEATS_EVERY_SECONDS, partial(beat, "reconciler")),
        # What came into doubt is said first in each pass, and a pass asks and compares a little.
        doubt_overdue,
        tell_doubts_overdue,
        partial(ask_due, connectors),
        partial(test_due, connectors),
        partial(reconcile_due, connectors),
    )
    _serve(work, stopping)


def _serve(work: Iterable[Duty], stopping: Stopping) -> None:
    """Do this work whenever there is some; a lost database is waited for."""
    work = tuple(work)
    while not stopping:
        get_on()
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")
            while not stopping:
                if not sum(_done(duty) for duty in work):
                    _wait()
        except (Error, psycopg.Error) as error:
            logger.warning("database not reachable: %s", type(error).__name__)
            connection.close()
            time.sleep(RECONNECT_SECONDS)


def _done(duty: Duty) -> int:
    """Do one duty and return how much there was; what nobody foresaw keeps nothing else up."""
    get_on()
    try:
        return duty(now=_now())
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("a duty of the sender failed")
        return 0


def _now() -> datetime:
    """Return the time of the database, which is the same for every process."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        found: datetime = cursor.fetchone()[0]
    return found


def _wait() -> None:
    # The generator ends at the first note or when the time is over.
    for _ in connection.connection.notifies(timeout=LISTEN_SECONDS, stop_after=1):
        pass
