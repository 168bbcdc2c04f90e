"""Ask providers what became of what is in doubt: soon at first, then less and less often.

No lock is held while a provider is asked. Which of two reconcilers asks is settled beforehand, by
whoever moves the time of the next question.
"""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q

from approvals import doubt
from approvals.connectors.protocol import Connector, Finding, NotReached
from approvals.doubt import Seen
from approvals.models import Attempt, Execution, Observation
from approvals.operations.ordering import order_for
from approvals.operations.recording import observe
from approvals.queries.promises import sending_of
from console.actors import system
from console.locking import Busy
from console.steady import steady
from console.supervision.alive import get_on

logger = logging.getLogger(__name__)

RESENT_FIRST = timedelta(seconds=30)


def ask_due(connectors: Mapping[str, Connector], *, now: datetime, at_most: int = 5) -> int:
    """Ask about what is in doubt and due, and return how often somebody was asked.

    What is new is kept as an observation; that it was executed, or refused, settles it. Only a few
    are asked about at once, so that what comes into doubt meanwhile does not wait for slow ones.
    Locks: nothing while it asks.
    """
    asking = [name for name, each in connectors.items() if each.public.can_ask]
    if not asking:
        return 0
    rows = Execution.objects.filter(_is_due(now), connector__in=asking).order_by("next_at")
    due = list(rows.values_list("id", "connector")[:at_most])
    return sum(_ask(connectors[name], execution_id, now) for execution_id, name in due)


def _is_due(now: datetime) -> Q:
    # What may be sent again by itself is, first: whoever asks moves the time of that, too.
    others = Q(next_at__lte=now) & ~Q(retry_class="keyed")
    left = Q(next_at=None) | Q(next_at__lte=now - RESENT_FIRST)
    return Q(status="in_doubt") & (others | left)


def _ask(connector: Connector, execution_id: UUID, now: datetime) -> bool:
    get_on()
    execution = Execution.objects.select_related("proposal").get(id=execution_id)
    if not _is_mine(execution, now):
        return False
    attempt = Attempt.objects.filter(execution=execution).latest("number")
    # Another connector under the same name knows nothing of what went out through this one.
    if not sending_of(execution, attempt).is_trusted:
        return False
    found = _answer(connector, execution, attempt)
    if found is not None and is_news(execution, attempt, found, now):
        _keep(execution, found, now)
    return True


def _keep(execution: Execution, found: Finding, now: datetime) -> None:
    """Keep what was found; where others hold the record it is asked about again later."""
    actor = system("reconciler", execution.workspace_id)
    try:
        observe(actor=actor, execution_id=execution.id, source="inquiry", finding=found, now=now)
    except Busy:
        logger.info("what was found of execution %s was not kept: it was busy", execution.id)


def _is_mine(execution: Execution, now: datetime) -> bool:
    """Move the time of the next question, unless somebody has just done so."""
    again = doubt.ask_again_at(execution.doubted_at or now, now)
    rows = Execution.objects.filter(_is_due(now), id=execution.id, fence=execution.fence)
    return bool(rows.update(next_at=again))


def _answer(connector: Connector, execution: Execution, attempt: Attempt) -> Finding | None:
    until = steady() + connector.public.deadline_seconds
    try:
        found = connector.ask(order_for(execution), bytes(attempt.request), until)
    except NotReached as error:
        logger.info("%s was not reached to be asked: %s", connector.public.name, error)
        return None
    except Exception:
        # A connector that fails in a new way must not keep the others from being asked.
        logger.exception("%s could not be asked", connector.public.name)
        return None
    return found


def is_news(execution: Execution, attempt: Attempt, found: Finding, now: datetime) -> bool:
    """Say whether this tells something about a sending that its provider has not said before."""
    rows = Observation.objects.filter(execution=execution, source__in=["inquiry", "statement"])
    row = rows.filter(at__gte=attempt.sent_at).order_by("-at").first()
    before = Seen(row.says, row.at, row.reference) if row else None
    seen = Seen(found.says, now, found.reference)
    return doubt.is_news(before, seen, sending_of(execution, attempt))
