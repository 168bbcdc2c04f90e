"""Take what is in doubt and may go out once more with the same bytes.

When its turn comes stands in `lease_until`. Whoever takes it moves that, and the longest due comes
first, so nothing waits behind what cannot go. Without a turn it is left to people.
"""

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from approvals import lifecycle
from approvals.doubt import ASKED_AT_LATEST, may_resend
from approvals.models import Attempt, Execution, SendSwitch
from approvals.operations.dispatching import Taken, taken_of
from approvals.queries.promises import sending_of
from console.live import ring

LEFT_TO_PEOPLE = "It was sent again and again and never ended; people say what became of it."


def take_again(*, now: datetime) -> Taken | None:
    """Claim what is in doubt and waits longest for its turn, or return nothing.

    A turn counts as a try before anything of it runs: what kills its sender again and again is
    left to people, in doubt as it is. Locks: the execution, skipping those that others hold.
    """
    with transaction.atomic(durable=True):
        rows = _due(now).select_for_update(no_key=True, skip_locked=True, of=("self",))
        execution = rows.order_by("lease_until").first()
        if execution is None or not _may_go(execution, now):
            return None
        execution.fence += 1
        execution.tries += 1
        execution.lease_until = now + settings.SEND_LEASE
        execution.save(update_fields=["fence", "tries", "lease_until"])
        return taken_of(execution)


def _due(now: datetime) -> QuerySet[Execution]:
    stopped = SendSwitch.objects.filter(workspace=OuterRef("workspace"), is_stopped=True)
    rows = Execution.objects.filter(~Exists(stopped), status="in_doubt", retry_class="keyed")
    return rows.filter(lease_until__lte=now)


def _may_go(execution: Execution, now: datetime) -> bool:
    """Say whether it may go out now; otherwise it gives up its turn, for a while or for good."""
    if execution.tries >= lifecycle.TRIES_AT_MOST:
        execution.lease_until, execution.problem = None, LEFT_TO_PEOPLE
        execution.save(update_fields=["lease_until", "problem"])
        ring("outside", execution.workspace_id)
        return False
    sending = sending_of(execution, Attempt.objects.filter(execution=execution).latest("number"))
    if may_resend(sending, now):
        return True
    # Its connector may be again what it was; a key that is too old is never young again.
    execution.lease_until = None if sending.is_trusted else now + ASKED_AT_LATEST
    execution.save(update_fields=["lease_until"])
    return False
