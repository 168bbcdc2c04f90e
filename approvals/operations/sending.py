"""Send: lead one execution from being due to being answered, and say what is known of it.

Until its line sends, nothing has left. From then on there is an answer, or it is in doubt.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections

from approvals import retrying
from approvals.connectors.protocol import (
    CannotBuild,
    Connector,
    Line,
    NotReached,
    Order,
    Receipt,
)
from approvals.models import Attempt
from approvals.operations.dispatching import (
    NotMine,
    Taken,
    dispatch,
    give_up,
    put_back,
    take,
)
from approvals.operations.ordering import order_of, sent_before
from approvals.operations.recording import NOT_SENT, keep_answer, record
from approvals.operations.resending import take_again
from approvals.operations.stopping import SendingStopped
from console.breakers.operations.guarding import allow, note
from console.failpoints import fp
from console.locking import Busy
from console.spans import span
from console.steady import steady
from console.supervision.alive import get_on

logger = logging.getLogger(__name__)

Connectors = Mapping[str, Connector]
RECORD_PAUSE_SECONDS = 0.5
UNKNOWN_HERE = "The sender has no settings for this connector at the moment."
LEFT_ALONE = "Its provider failed again and again, and is left alone for a moment."


@dataclass(frozen=True, slots=True)
class Clock:
    """The time since something began: steady, even where the machine's clock is set meanwhile."""

    began_at: datetime
    began: float = field(default_factory=steady)

    def now(self) -> datetime:
        """Return the time."""
        return self.began_at + timedelta(seconds=steady() - self.began)


def send_due(connectors: Connectors, *, now: datetime) -> int:
    """Send the one execution that is due first, and return how many were taken: one or none.

    Raises: OperationalError when the database is gone before anything was sent.
    """
    clock = Clock(now)
    fp("send.before_claim")
    taken = take(now=now)
    if taken is None:
        return 0
    fp("send.after_claim")
    _lead(taken, connectors, clock)
    return 1


def resend_due(connectors: Connectors, *, now: datetime) -> int:
    """Send one execution in doubt again, where its provider takes one key once; say how many.

    Raises: OperationalError when the database is gone before anything was sent.
    """
    clock = Clock(now)
    taken = take_again(now=now)
    if taken is None:
        return 0
    _lead(taken, connectors, clock)
    return 1


def _lead(taken: Taken, connectors: Connectors, clock: Clock) -> None:
    """Send what was taken, so that none that fails in a new way holds up the others."""
    try:
        with span("send", execution=str(taken.execution_id)):
            _go_out(taken, connectors, clock)
    except (SendingStopped, Busy) as refused:
        put_back(taken, refused.sentence, now=clock.now())
    except NotMine:
        logger.info("execution %s was taken by somebody else", taken.execution_id)
    except OperationalError:
        raise
    except Exception as error:
        logger.exception("execution %s could not be sent", taken.execution_id)
        put_back(taken, f"It failed: {type(error).__name__}.", now=clock.now(), is_counted=True)


def _go_out(taken: Taken, connectors: Connectors, clock: Clock) -> None:
    connector = connectors.get(taken.connector)
    if connector is None:
        put_back(taken, UNKNOWN_HERE, now=clock.now())
        return
    order = order_of(taken)
    try:
        request = sent_before(taken) or connector.build(order)
    except CannotBuild as refused:
        give_up(taken, f"No request can be made of it: {refused}", now=clock.now())
        return
    if not allow(_name(taken), now=clock.now()):
        put_back(taken, LEFT_ALONE, now=clock.now())
        return
    try:
        line = _reached(connector, order)
    except NotReached as refused:
        note(_name(taken), ok=False, now=clock.now(), problem=str(refused))
        put_back(taken, f"Its provider could not be reached: {refused}", now=clock.now())
        return
    try:
        _send(taken, line, request, clock)
    finally:
        line.close()


def _name(taken: Taken) -> str:
    return f"connector:{taken.connector}"


def _reached(connector: Connector, order: Order) -> Line:
    fp("send.before_reach")
    promised = timedelta(seconds=connector.public.deadline_seconds)
    within = retrying.time_to_send(promised, settings.SEND_LEASE)
    return connector.reach(order, steady() + within.total_seconds())


def _send(taken: Taken, line: Line, request: bytes, clock: Clock) -> None:
    attempt = dispatch(taken, request, now=clock.now())
    if attempt is None:
        # Reached and not asked: that says nothing against the provider.
        note(_name(taken), ok=True, now=clock.now())
        return
    receipt = _answered(line, attempt, request, clock)
    fp("send.after_send")
    _record(attempt, receipt, clock)
    is_answered = receipt.outcome != "unknown"
    note(_name(taken), ok=is_answered, now=clock.now(), problem=receipt.says)


def _answered(line: Line, attempt: Attempt, request: bytes, clock: Clock) -> Receipt:
    # Whoever slept until now, or was stopped, must not send what others hold for lost.
    if clock.now() >= attempt.deadline_at:
        return Receipt("refused", says=NOT_SENT)
    try:
        return line.send(request)
    except Exception as error:
        logger.exception("the line of attempt %s broke", attempt.id)
        return Receipt("unknown", says=f"The line broke: {type(error).__name__}.")


def _record(attempt: Attempt, receipt: Receipt, clock: Clock) -> None:
    """Record an answer, however often the database has to be asked: what is true is kept."""
    fp("send.before_outcome")
    while True:
        # It waits for the database only, and nothing is gained by forgetting what was answered.
        get_on()
        try:
            record(attempt, receipt, now=clock.now())
        except Busy:
            time.sleep(RECORD_PAUSE_SECONDS)
        except (OperationalError, InterfaceError) as error:
            logger.warning("attempt %s is not recorded yet: %s", attempt.id, type(error).__name__)
            time.sleep(RECORD_PAUSE_SECONDS)
            close_old_connections()
        except Exception:
            logger.exception("attempt %s could not be recorded", attempt.id)
            keep_answer(attempt, receipt, now=clock.now())
            break
        else:
            break
    fp("send.after_outcome")
