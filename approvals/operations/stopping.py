"""Stop a workspace's sending: from the commit of the switch on, not a byte leaves the house.

Whoever is about to send shares the switch until that is committed, and whoever flips it waits for
them; so what was sent was sent before, and nothing is sent after.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from approvals.models import SendSwitch
from approvals.operations.alarming import tell_stopped
from approvals.operations.nudging import nudge
from approvals.policy import says_something
from console.access.models import Workspace
from console.access.rights import allows
from console.actors import Actor
from console.errors import Conflict, Forbidden, Invalid
from console.ledger.operations.appending import append
from console.live import ring
from console.locking import patiently

REASON_AT_MOST = 250
_SHARE = "SELECT is_stopped FROM approvals_sendswitch WHERE workspace_id = %s FOR SHARE"


class SendingStopped(Conflict):
    """Nothing leaves this workspace at the moment; an admin has stopped its sending."""

    code = "sending_stopped"


class SwitchReasonUnusable(Invalid):
    """Say why in a sentence of at most 250 characters."""

    code = "reason_required"


class SlugNotTyped(Invalid):
    """What was to be typed is not what was typed."""

    code = "not_typed"


def stop_sending(*, actor: Actor, reason: str, typed: str, now: datetime) -> bool:
    """Let nothing leave the workspace any more; say whether this call did it.

    What is approved meanwhile waits; what was sent before is still answered and recorded.
    Locks: the switch, which waits for whoever is sending at this moment.
    Raises: Forbidden (403), SwitchReasonUnusable, SlugNotTyped (422), Busy (409).
    """
    why = _usable(actor, reason)
    slug = Workspace.objects.values_list("slug", flat=True).get(id=actor.workspace_id)
    if typed.strip() != slug:
        raise SlugNotTyped(f"Type {slug} to stop its sending.", field="typed")
    with transaction.atomic():
        stopped = switch_off(actor, why, now)
        if stopped:
            tell_of_stop(actor, why, now)
    return stopped


def resume_sending(*, actor: Actor, reason: str, now: datetime) -> bool:
    """Let effects leave the workspace again; say whether this call did it.

    Locks: the switch. Raises: Forbidden (403), SwitchReasonUnusable (422), Busy (409).
    """
    why = _usable(actor, reason)
    with transaction.atomic():
        resumed = switch_on(actor, why, now)
        if resumed:
            tell_of_resumption(actor, why)
    return resumed


def switch_off(actor: Actor, reason: str, now: datetime) -> bool:
    """Turn the switch off before anything else of the caller's transaction; say if it was on.

    Locks: the switch until the transaction ends. Raises: Busy (409).
    """
    switch = _kept(actor.workspace_id, now)
    if switch.is_stopped:
        return False
    _turn(switch, actor, reason, now, is_stopped=True)
    return True


def switch_on(
    actor: Actor, reason: str, now: datetime, *, stopped_at: datetime | None = None
) -> bool:
    """Turn the switch on before anything else of the caller's transaction; say if it was off.

    With `stopped_at`, only where it was turned off at that moment and not by somebody else since.
    Locks: the switch until the transaction ends. Raises: Busy (409).
    """
    switch = _kept(actor.workspace_id, now)
    if not switch.is_stopped or stopped_at not in {None, switch.at}:
        return False
    _turn(switch, actor, reason, now, is_stopped=False)
    nudge()
    return True


def tell_of_stop(actor: Actor, reason: str, now: datetime) -> None:
    """Tell people, and write it down; at the end of the transaction that turned the switch off."""
    switch = SendSwitch.objects.select_related("workspace").get(workspace=actor.workspace_id)
    tell_stopped(switch, now=now)
    append(actor, "sending.stopped", f"workspace:{actor.workspace_id}", {"reason": reason})
    ring("outside", actor.workspace_id)


def tell_of_resumption(actor: Actor, reason: str) -> None:
    """Write it down; at the end of the transaction that turned the switch on."""
    append(actor, "sending.resumed", f"workspace:{actor.workspace_id}", {"reason": reason})
    ring("outside", actor.workspace_id)


def refuse_if_stopped(workspace_id: UUID, now: datetime) -> None:
    """Let through what may leave now, and keep the switch as it is until the transaction ends.

    Locks: the switch, shared with everybody who sends. Raises: SendingStopped, Busy (409).
    """
    with patiently(), connection.cursor() as cursor:
        if (stands := _shared(cursor, workspace_id)) is None:
            # Without a row there would be nothing to share, and a first stop would not wait.
            _make(workspace_id, now)
            stands = _shared(cursor, workspace_id)
    if stands:
        raise SendingStopped


def _shared(cursor: Any, workspace_id: UUID) -> bool | None:
    cursor.execute(_SHARE, [workspace_id])
    row = cursor.fetchone()
    return bool(row[0]) if row else None


def _make(workspace_id: UUID, now: datetime) -> None:
    made = [SendSwitch(workspace_id=workspace_id, at=now)]
    SendSwitch.objects.bulk_create(made, ignore_conflicts=True)


def _kept(workspace_id: UUID, now: datetime) -> SendSwitch:
    with patiently():
        _make(workspace_id, now)
        return SendSwitch.objects.select_for_update().get(workspace=workspace_id)


def _turn(
    switch: SendSwitch, actor: Actor, reason: str, now: datetime, *, is_stopped: bool
) -> None:
    switch.is_stopped, switch.reason, switch.at = is_stopped, reason[:REASON_AT_MOST], now
    switch.actor = actor.to_json()
    switch.save(update_fields=["is_stopped", "reason", "at", "actor"])


def _usable(actor: Actor, reason: str) -> str:
    if actor.kind != "person" or not allows(actor.roles, "connect"):
        raise Forbidden("Only admins may stop the sending, or let it go on.")
    if not says_something(reason) or len(reason) > REASON_AT_MOST or "\x00" in reason:
        raise SwitchReasonUnusable(field="reason")
    return reason.strip()
