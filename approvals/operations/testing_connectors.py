"""Reach a provider without an order, because a person asked for it, and keep what was found.

Asked for from a page, done by the process that holds the settings; no secret comes back.
"""

import logging
from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from approvals.connectors.protocol import Connector as Reachable
from approvals.connectors.protocol import NotReached
from approvals.models import Connector
from approvals.operations.nudging import nudge
from console.access.rights import allows
from console.actors import Actor, system
from console.canonical import Json
from console.errors import Conflict, Forbidden, NotFound
from console.ledger.operations.appending import append
from console.live import ring
from console.steady import steady

logger = logging.getLogger(__name__)

SAYS_AT_MOST = 500
UNFORESEEN = "The test failed in a way nobody foresaw; the sender's log says more."


class NotOffered(Conflict):
    """The sender does not offer this connector at this moment, so nothing can be reached."""

    code = "connector_not_offered"


def ask_for_test(*, actor: Actor, name: str, now: datetime) -> None:
    """Let the sender reach a provider without an order; asked twice, it is done once.

    Locks: the connector. Raises: Forbidden (403), NotFound (404), NotOffered (409).
    """
    with transaction.atomic():
        row = find_offered(actor, name)
        if row.test_asked_at is not None:
            return
        row.test_asked_at = now
        row.save(update_fields=["test_asked_at"])
        nudge()
        append(actor, "connector.test_asked", f"connector:{row.id}", {"name": row.name})
        ring("outside", row.workspace_id)


def find_offered(actor: Actor, name: str) -> Connector:
    """Return a connector for somebody who looks after them.

    Locks: the connector. Raises: Forbidden (403), NotFound (404), NotOffered (409).
    """
    if actor.kind != "person" or not allows(actor.roles, "connect"):
        raise Forbidden("Only people who look after connectors may do this; no token can.")
    rows = Connector.objects.select_for_update(no_key=True)
    row = rows.filter(workspace=actor.workspace_id, name=name).first()
    if row is None:
        raise NotFound
    if not row.is_offered:
        raise NotOffered
    return row


def test_due(connectors: Mapping[str, Reachable], *, now: datetime) -> int:
    """Carry out the tests that people asked for and return how many. Locks: nothing meanwhile."""
    rows = Connector.objects.filter(test_asked_at__isnull=False, name__in=list(connectors))
    asked = list(rows.order_by("test_asked_at"))
    for row in asked:
        passed, says = _reach(connectors[row.name])
        _keep(row, passed, says, now)
    return len(asked)


def _reach(connector: Reachable) -> tuple[bool, str]:
    until = steady() + connector.public.deadline_seconds
    try:
        return True, connector.test(until)
    except NotReached as error:
        return False, str(error)
    except Exception:
        logger.exception("%s could not be tested", connector.public.name)
        return False, UNFORESEEN


def _keep(asked: Connector, passed: bool, says: str, now: datetime) -> None:  # noqa: FBT001
    with transaction.atomic():
        rows = Connector.objects.select_for_update(no_key=True)
        row = rows.get(id=asked.id)
        row.tested_at, row.test_passed = now, passed
        row.test_says = _printable(says)
        # Somebody who asked again meanwhile is answered by another test.
        if row.test_asked_at == asked.test_asked_at:
            row.test_asked_at = None
        row.save(update_fields=["tested_at", "test_passed", "test_says", "test_asked_at"])
        body: dict[str, Json] = {"name": row.name, "passed": passed}
        actor = system("reconciler", row.workspace_id)
        append(actor, "connector.tested", f"connector:{row.id}", body)
        ring("outside", row.workspace_id)


def _printable(says: str) -> str:
    return "".join(each if each.isprintable() else " " for each in says)[:SAYS_AT_MOST]
