"""Take what is due to leave the house, and cross the line after which it counts as sent.

Taking is committed before anything runs, with a fence that whoever took it earlier no longer
holds. Dispatching verifies everything in one transaction and writes down the bytes; only when that
is committed may the first of them leave.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet

from approvals import lifecycle, retrying
from approvals.doubt import ASKED_AT_LATEST
from approvals.models import Attempt, Connector, Execution, Resolution, SendSwitch
from approvals.operations.doubting import doubt_again
from approvals.operations.executing import (
    DROPPED,
    GIVEN_BACK,
    TooLateToExecute,
    refuse_if_too_late,
    verify_approved,
)
from approvals.operations.exposing import finish
from approvals.operations.finding import find_execution
from approvals.operations.giving_up import PROBLEM_AT_MOST, drop, give_back
from approvals.operations.quarantining import set_aside
from approvals.operations.settling import announce
from approvals.operations.stopping import refuse_if_stopped
from approvals.operations.verifying import Altered, Ground
from console.actors import Actor, system
from console.canonical import Json, sha256
from console.errors import Refused
from console.failpoints import fp
from console.ledger.operations.appending import append
from console.live import ring
from console.locking import Busy


class NotMine(Exception):
    """Somebody else has this execution by now, or nobody: nothing was sent."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One execution that this process leads until its lease is over.

    `is_resend` says that it is in doubt, and that the same bytes go out once more.
    """

    execution_id: UUID
    workspace_id: UUID
    connector: str
    fence: int
    waiting_since: datetime
    tries: int = 1
    is_resend: bool = False

    @property
    def actor(self) -> Actor:
        """Return who sends it."""
        return system("sender", self.workspace_id)


def take(*, now: datetime) -> Taken | None:
    """Claim the execution that is due first, or return nothing; committed before anything runs.

    What was begun too often is set aside, and what a dead sender had claimed is taken up again.
    Locks: the execution, skipping those that others hold.
    """
    _make_ready(now)
    while True:
        with transaction.atomic(durable=True):
            rows = _due(now).select_for_update(no_key=True, skip_locked=True, of=("self",))
            execution = rows.order_by("next_at").select_related("proposal__workspace").first()
            if execution is None:
                return None
            if execution.tries < lifecycle.TRIES_AT_MOST:
                return _claim(execution, now)
            set_aside(execution, now)


def _make_ready(now: datetime) -> None:
    """Let go of what was held until now, and of what was claimed by somebody who is gone."""
    held = Execution.objects.filter(status="held", due_at__lte=now).exclude(retry_class="local")
    lapsed = Execution.objects.filter(status="claimed", lease_until__lte=now)
    for rows in (held, lapsed):
        free = rows.select_for_update(no_key=True, skip_locked=True).values("id")
        with transaction.atomic(durable=True):
            Execution.objects.filter(id__in=list(free.values_list("id", flat=True))).update(
                status="ready", next_at=now, lease_until=None
            )


def _due(now: datetime) -> QuerySet[Execution]:
    stopped = SendSwitch.objects.filter(workspace=OuterRef("workspace"), is_stopped=True)
    return Execution.objects.filter(~Exists(stopped), status="ready", next_at__lte=now)


def _claim(execution: Execution, now: datetime) -> Taken:
    execution.status, execution.lease_until = "claimed", now + settings.SEND_LEASE
    execution.fence += 1
    execution.tries += 1
    execution.save(update_fields=["status", "lease_until", "fence", "tries"])
    ring("outside", execution.workspace_id)
    return taken_of(execution)


def taken_of(execution: Execution) -> Taken:
    """Return what a process needs of what it has claimed to lead it."""
    return Taken(
        execution_id=execution.id,
        workspace_id=execution.workspace_id,
        connector=execution.connector,
        fence=execution.fence,
        waiting_since=execution.doubted_at or execution.due_at,
        tries=execution.tries,
        is_resend=execution.status == "in_doubt",
    )


def dispatch(taken: Taken, request: bytes, *, now: datetime) -> Attempt | None:
    """Verify everything once more and write the attempt whose bytes may then leave.

    Without an attempt nothing is sent, and the execution says why: people agree anew, or it failed.
    Locks: the switch (shared), the State, the proposal, the execution, the buckets of its limits.
    Raises: SendingStopped, NotMine, Busy (409).
    """
    with transaction.atomic(durable=True):
        refuse_if_stopped(taken.workspace_id, now)
        execution, ground = find_execution(taken.actor, taken.execution_id, now)
        _refuse_unless_mine(execution, taken, now)
        attempt = _verified(execution, ground, taken, request)
        fp("send.before_commit")
    if attempt is not None:
        fp("send.after_commit")
    return attempt


def _verified(execution: Execution, ground: Ground, taken: Taken, request: bytes) -> Attempt | None:
    try:
        # What may have happened in time is asked about with its own key, however late it is.
        if not execution.was_sent:
            refuse_if_too_late(execution, ground)
        verify_approved(execution, ground)
        _refuse_other_bytes(execution, request)
    except (*GIVEN_BACK, *DROPPED) as refused:
        _let_go(execution, ground, taken, refused)
        return None
    return _write(execution, ground, taken, request)


def _refuse_other_bytes(execution: Execution, request: bytes) -> None:
    """Refuse bytes other than those that went out before; nothing else is ever sent for it."""
    if execution.request_digest not in {"", sha256(request)}:
        raise Altered


def _refuse_unless_mine(execution: Execution, taken: Taken, now: datetime) -> None:
    wanted = "in_doubt" if taken.is_resend else "claimed"
    lease = execution.lease_until
    if (
        (execution.status, execution.fence) != (wanted, taken.fence)
        or lease is None
        or now >= lease
    ):
        raise NotMine


def _let_go(execution: Execution, ground: Ground, taken: Taken, refused: Refused) -> None:
    if isinstance(refused, GIVEN_BACK) and not execution.was_sent:
        give_back(execution, ground, taken.actor, refused.sentence)
    else:
        _end(execution, ground, taken, refused.sentence)


def _end(execution: Execution, ground: Ground, taken: Taken, why: str) -> None:
    """Let it fail, unless it has gone out before: then nobody knows, and it is in doubt."""
    if taken.is_resend:
        _leave_in_doubt(execution, f"Not sent again: {why}", ground.now + ASKED_AT_LATEST)
    elif execution.was_sent:
        execution.proposal = ground.proposal
        why = f"Not sent again: {why}"
        doubt_again(execution, actor=taken.actor, why=why, now=ground.now)
    else:
        drop(execution, ground, taken.actor, why)


def _leave_in_doubt(execution: Execution, why: str, until: datetime) -> None:
    execution.lease_until, execution.problem = until, why[:PROBLEM_AT_MOST]
    # It did not kill whoever took it.
    execution.tries = max(execution.tries - 1, 0)
    execution.save(update_fields=["lease_until", "problem", "tries"])
    _announce(execution)


def _write(execution: Execution, ground: Ground, taken: Taken, request: bytes) -> Attempt:
    now, lease = ground.now, settings.SEND_LEASE
    rows = Connector.objects.filter(workspace=execution.workspace_id, name=execution.connector)
    promised = timedelta(seconds=rows.get().deadline_seconds)
    # It counts against its limits from now on, whatever becomes of it.
    finish(ground.proposal, now)
    attempt = Attempt.objects.create(
        workspace_id=execution.workspace_id,
        execution=execution,
        number=Attempt.objects.filter(execution=execution).count() + 1,
        fence=taken.fence,
        connector=execution.connector,
        retry_class=execution.retry_class,
        request=request,
        request_digest=sha256(request),
        sent_at=now,
        deadline_at=now + retrying.time_to_send(promised, lease),
    )
    execution.status, execution.sent_at, execution.problem = "sent", now, ""
    execution.request_digest = attempt.request_digest
    execution.lease_until, execution.next_at = now + lease, None
    if not taken.is_resend:
        # Of what was absent and is sent anew, a doubt is a new one.
        execution.doubted_at = execution.doubt_due_at = None
    execution.save(
        update_fields=[
            *("status", "sent_at", "problem", "request_digest", "lease_until", "next_at"),
            *("doubted_at", "doubt_due_at"),
        ]
    )
    body: dict[str, Json] = {
        "revision": execution.revision,
        "connector": execution.connector,
        "attempt": attempt.number,
        "fence": attempt.fence,
        "request": attempt.request_digest,
    }
    append(taken.actor, "execution.sent", f"proposal:{ground.proposal.id}", body)
    _announce(execution)
    return attempt


def put_back(taken: Taken, why: str, *, now: datetime, is_counted: bool = False) -> None:
    """Let what was taken and not sent wait for a while; what has waited too long is let go.

    `is_counted` says that the try counts: nobody foresaw how it ended.
    Locks: nothing but the execution where it waits; else the State, the proposal, the execution.
    """
    rows = Execution.objects.select_related("proposal").filter(workspace=taken.workspace_id)
    execution = rows.get(id=taken.execution_id)
    if not taken.is_resend and _has_waited_too_long(execution, now):
        with suppress(Busy):
            _let_go_late(taken, why, now)
            return
    later = retrying.after_silence(taken.waiting_since, now)
    if is_counted:
        later = retrying.after_try(taken.tries, now)
    _wait(taken, why, later, now=now, is_counted=is_counted)
    _announce(execution)


def _wait(taken: Taken, why: str, later: datetime, *, now: datetime, is_counted: bool) -> None:
    """Give back what is still ours, without its State: whoever works on that is not in our way."""
    wanted = "in_doubt" if taken.is_resend else "claimed"
    rows = Execution.objects.filter(
        workspace=taken.workspace_id,
        id=taken.execution_id,
        fence=taken.fence,
        status=wanted,
        lease_until__gt=now,
    )
    again: dict[str, Any] = {"status": "ready", "lease_until": None, "next_at": later}
    rows.update(
        problem=why[:PROBLEM_AT_MOST],
        tries=F("tries") - int(not is_counted),
        **({"lease_until": later} if taken.is_resend else again),
    )


def _has_waited_too_long(execution: Execution, now: datetime) -> bool:
    if not execution.was_sent:
        return retrying.is_too_late(execution.proposal.due_at, execution.due_at, now)
    words = Resolution.objects.filter(execution=execution, verdict="send_again")
    since = words.order_by("-at").values_list("at", flat=True).first()
    return now >= (since or execution.created_at) + settings.DOUBT_SLA


def _let_go_late(taken: Taken, why: str, now: datetime) -> None:
    with transaction.atomic(durable=True):
        execution, ground = find_execution(taken.actor, taken.execution_id, now)
        with suppress(NotMine):
            _refuse_unless_mine(execution, taken, now)
            late = "" if execution.was_sent else f"{TooLateToExecute().sentence} "
            _end(execution, ground, taken, f"{late}{why}")


def give_up(taken: Taken, why: str, *, now: datetime) -> None:
    """Let what can never be sent fail. Locks: the State, the proposal, the execution."""
    with transaction.atomic(durable=True):
        execution, ground = find_execution(taken.actor, taken.execution_id, now)
        with suppress(NotMine):
            _refuse_unless_mine(execution, taken, now)
            _end(execution, ground, taken, why)


def _announce(execution: Execution) -> None:
    announce(execution.proposal_id, execution.workspace_id)
    ring("outside", execution.workspace_id)
