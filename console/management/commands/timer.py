"""The timer: relays the outbox, and sweeps what nobody heard. Two of them do no harm."""

import logging
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import Error, OperationalError, close_old_connections, connection

from agents import queries as agents
from agents.operations.halting import hold_halted
from agents.operations.measuring import measure_some
from agents.operations.retaining import sweep_due
from agents.operations.stopping import end_left
from agents.operations.sweeping import sweep_some
from agents.operations.waking import wake_unheard
from agents.queries import restorations
from approvals import queries as approvals
from approvals.operations.announcing import tell_unseen
from approvals.operations.demoting import demote_drifting
from approvals.operations.doubting import tell_doubts_overdue
from approvals.operations.expiring import expire_due
from approvals.operations.lapsing import let_lapse
from approvals.operations.planting import let_go, plant_due
from approvals.operations.rebasing import rebase_all
from approvals.operations.reevaluating import reevaluate_all
from approvals.operations.telling import tell_due_soon
from approvals.operations.watching import watch
from console.actors import system
from console.celery import app
from console.doorbell.operations.relaying import relay
from console.doorbell.operations.ringing import CHANNEL
from console.gauging import gauges
from console.ledger.operations.checkpointing import checkpoint_due
from console.limiting.operations.charging import forget as forget_buckets
from console.notices import queries as notices
from console.notices.operations.forgetting import forget
from console.pulse.operations.beating import beat
from snapshots import queries as snapshots

logger = logging.getLogger(__name__)

# Any number will do as long as no other program uses it on this database.
LEADER = 0x436F756E
SWEEP_SECONDS = 5.0
LISTEN_SECONDS = 1.0
CHORE_SECONDS = 1.0
CHORE_PAUSE = timedelta(minutes=5)
# Whether one is due stands in the rows; what could not be kept is tried again as often.
CHECKPOINTS_EVERY = timedelta(minutes=1)
INVARIANTS_EVERY = timedelta(hours=1)
CANARIES_EVERY = timedelta(minutes=5)
DEMOTIONS_EVERY = timedelta(minutes=1)
UNSEEN_EVERY = timedelta(minutes=1)
FORGOTTEN_EVERY = timedelta(minutes=10)
BEATS_EVERY = timedelta(seconds=10)
CANARY_TASKS_EVERY = timedelta(seconds=15)
# Where nobody listens, canaries must not gather.
CANARY_TASK_SECONDS = 60.0
QUEUES = ("runs", "restorations", "deliveries")


class Walk:
    """A duty done to every State now and then: a few at each turn, so that none takes long."""

    def __init__(self, name: str, every: timedelta, step: Callable[..., UUID | None]) -> None:
        """Begin with the first State at once."""
        self.name, self._every, self._step = name, every, step
        self._after: UUID | None = None
        self._next_at = 0.0

    def go_on(self) -> None:
        """Do the next few, or nothing until it is time to begin anew."""
        if self._after is None:
            if time.monotonic() < self._next_at:
                return
            self._next_at = time.monotonic() + self._every.total_seconds()
        self._after = self._step(after=self._after, now=_now())


class Chore:
    """A long work in many small steps: a second of it at each turn, until there is no more."""

    def __init__(
        self,
        begin: Callable[[datetime], Iterator[None]],
        *,
        pause: timedelta = CHORE_PAUSE,
    ) -> None:
        """Ask at once whether there is something to do."""
        self._begin, self._pause = begin, pause.total_seconds()
        self._steps: Iterator[None] = iter(())
        self._next_at = 0.0

    def go_on(self) -> None:
        """Do the next steps; where they ended, ask again after a while."""
        until = time.monotonic() + CHORE_SECONDS
        for _ in self._steps:
            if time.monotonic() > until:
                return
        if until > self._next_at:
            self._next_at = until + self._pause
            self._steps = self._begin(_now())


class Duty:
    """A short work that is due now and then."""

    def __init__(self, every: timedelta, work: Callable[..., int]) -> None:
        """Begin at once."""
        self._every, self._work = every, work
        self._next_at = 0.0

    def go_on(self) -> None:
        """Do it if it is time."""
        if time.monotonic() >= self._next_at:
            self._next_at = time.monotonic() + self._every.total_seconds()
            self._work(now=_now())


_retention = Chore(sweep_due)
_checkpoints = Chore(checkpoint_due, pause=min(settings.CHECKPOINT, CHECKPOINTS_EVERY))
_invariants = Chore(watch, pause=INVARIANTS_EVERY)
_canaries = (Duty(CANARIES_EVERY, let_go), Duty(CANARIES_EVERY, plant_due))
_demotions = Duty(DEMOTIONS_EVERY, demote_drifting)
_unseen = Duty(UNSEEN_EVERY, tell_unseen)
_old_notices = Duty(FORGOTTEN_EVERY, forget)
_old_buckets = Duty(FORGOTTEN_EVERY, forget_buckets)
# Under which policies this process has last asked about what waits, by workspace.
_asked_under: dict[UUID, int] = {}
_walks = (
    Walk("drift", settings.DRIFT_MEASURE, measure_some),
    Walk("memory", settings.MEMORY_SWEEP, sweep_some),
)


def publish(task: str, key: str) -> None:
    """Send one bell to the broker, and fail soon if there is none."""
    app.send_task(task, args=[key], retry=False, ignore_result=True)


def beat_with_gauges(*, now: datetime) -> int:
    """Say that the timer works, and how much waits everywhere."""
    beat("timer", now=now)
    beat("gauges", now=now, says=gauges())
    return 1


def send_canaries(*, now: datetime) -> int:
    """Send a task through each queue that shows that somebody listens."""
    for queue in QUEUES:
        app.send_task(
            "pulse.canary",
            args=[queue],
            queue=queue,
            expires=CANARY_TASK_SECONDS,
            retry=False,
            ignore_result=True,
        )
    beat("canaries", now=now)
    return len(QUEUES)


_beats = Duty(BEATS_EVERY, beat_with_gauges)
_canary_tasks = Duty(CANARY_TASKS_EVERY, send_canaries)


class Command(BaseCommand):
    """Run until told to stop; only one timer works at a time, others stand by."""

    help = "Relay the outbox to the broker, wake what was not heard, expire what is due."

    def handle(self, *args: Any, **options: Any) -> None:
        """Loop; a lost database or broker is waited for."""
        self._stopped = False
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        while not self._stopped:
            try:
                self._lead()
            except (Error, psycopg.Error) as error:
                logger.warning("database not reachable: %s", type(error).__name__)
                time.sleep(1)
                close_old_connections()
                connection.close()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopped = True

    def _lead(self) -> None:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [LEADER])
            if not cursor.fetchone()[0]:
                time.sleep(2)
                return
            cursor.execute(f"LISTEN {CHANNEL}")
        swept = 0.0
        while not self._stopped:
            _calmly("relay", _relay)
            if time.monotonic() - swept > SWEEP_SECONDS:
                swept = time.monotonic()
                sweep()
            _listen()


def _relay() -> None:
    while relay(publish):
        pass


def _listen() -> None:
    # The generator ends at the first note or when the time is over.
    for _ in connection.connection.notifies(timeout=LISTEN_SECONDS, stop_after=1):
        pass


def sweep() -> None:
    """Look at the rows for everything that a lost bell would have said."""
    _calmly("questions", lambda: let_lapse(now=_now()))
    _calmly("expire", lambda: expire_due(now=_now()))
    _calmly("rebase", _rebase_outdated)
    _calmly("policies", _reevaluate_changed)
    _calmly("wake", wake_unheard)
    _calmly("halt", hold_halted)
    _calmly("stop", lambda: end_left(now=_now()))
    _calmly("restore", _ring_for_restorations)
    _calmly("work", _ring_for_work)
    _calmly("due soon", lambda: tell_due_soon(now=_now()))
    # Also where the sender, which says so itself, is what is missing.
    _calmly("doubts overdue", lambda: tell_doubts_overdue(now=_now()))
    _calmly("notices", _ring_for_notices)
    # Measured before it is swept, or nobody would ever see what gathers between two sweeps.
    for walk in _walks:
        _calmly(walk.name, walk.go_on)
    _calmly("connectors", _unseen.go_on)
    _calmly("retention", _retention.go_on)
    _calmly("checkpoints", _checkpoints.go_on)
    _calmly("invariants", _invariants.go_on)
    for duty in _canaries:
        _calmly("canaries", duty.go_on)
    _calmly("demotions", _demotions.go_on)
    _calmly("old notices", _old_notices.go_on)
    _calmly("old buckets", _old_buckets.go_on)
    _calmly("beat", _beats.go_on)
    _calmly("canary tasks", _canary_tasks.go_on)


def _rebase_outdated() -> None:
    for workspace_id, state_id in approvals.outdated_states():
        rebase_all(actor=system("rebase", workspace_id), state_id=state_id, now=_now())


def _reevaluate_changed() -> None:
    for workspace_id, number in snapshots.of_kind_everywhere("policies"):
        if _asked_under.get(workspace_id) != number:
            reevaluate_all(actor=system("policies", workspace_id), now=_now())
            _asked_under[workspace_id] = number


def _ring_for_work() -> None:
    if agents.has_work(unheard_for=timedelta(seconds=SWEEP_SECONDS)):
        publish("agents.work", "")


def _ring_for_restorations() -> None:
    confirmed_before = _now() - timedelta(seconds=SWEEP_SECONDS)
    for restoration_id in restorations.unfinished(confirmed_before=confirmed_before):
        publish("agents.restore", str(restoration_id))


def _ring_for_notices() -> None:
    if settings.EMAIL_URL and notices.has_mail(_now()):
        publish("notices.mail", "")
    if notices.has_deliveries(_now()):
        publish("notices.deliver", "")


def _calmly(what: str, work: Callable[[], object]) -> None:
    """Do one duty; a broker that is away must not keep the timer from the others."""
    try:
        work()
    except OperationalError:
        raise
    except Exception as error:  # noqa: BLE001  (it is tried again in a moment)
        logger.warning("%s: %s: %s", what, type(error).__name__, error)


def _now() -> datetime:
    return datetime.now(UTC)
