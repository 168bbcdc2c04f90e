"""Make a State say again what it said before: a new version forward in time, a new epoch."""

from collections.abc import Callable
from datetime import datetime

from django.db import transaction

from console.actors import Actor
from console.canonical import Json
from console.errors import NotFound
from console.ledger.operations.appending import append
from console.live import ring
from snapshots import content as contents
from snapshots import keyframes, store, stored
from snapshots.diff import diff
from snapshots.models import Snapshot
from snapshots.operations.committing import (
    EpochPassed,
    HeadMoved,
    lock,
    refuse_unless_proposed,
)
from snapshots.operations.writing import Form, Outcome, Why, record, whole, write
from snapshots.queries import Gone, Head, content


def restore(
    *, actor: Actor, base: Head, number: int, cause_id: str, reason: str, now: datetime
) -> Snapshot:
    """Make the content of an older snapshot the newest, by reference, in a new epoch.

    The caller has locked the State: retention, which takes the same lock, could else let go of
    the older content between looking at it and referring to it.
    Locks: the state row until the transaction ends.
    Raises: NotFound (404), Gone (410), EpochPassed (409), HeadMoved (412).
    """
    why = Why(actor, "rollback", cause_id, reason, now)
    return _begin_epoch(base, why, lambda: _refer(base, number, why), {"to": number})


def replace(
    *, actor: Actor, base: Head, document: Json, cause_id: str, reason: str, now: datetime
) -> Snapshot:
    """Make `document` the newest content, in a new epoch.

    Locks: the state row until the transaction ends.
    Raises: NotFound (404), EpochPassed (409), HeadMoved (412), NotContent.
    """
    why = Why(actor, "rollback", cause_id, reason, now)

    def written() -> Snapshot | None:
        changes = diff(content(base.state_id, base.number), document, keys=base.list_keys)
        return write(base, changes, why, epoch=base.epoch + 1)

    return _begin_epoch(base, why, written, {})


def _begin_epoch(
    base: Head, why: Why, written: Callable[[], Snapshot | None], told: dict[str, Json]
) -> Snapshot:
    refuse_unless_proposed(base, why.cause)
    with transaction.atomic():
        row = written()
        if row is None:
            _refuse(base)
            raise HeadMoved(expected=base.number)
        body: dict[str, Json] = {
            "number": row.number,
            "digest": row.digest,
            "epoch": row.epoch,
            "cause": f"rollback:{why.cause_id}",
            **told,
        }
        append(why.actor, "state.restored", f"state:{base.state_id}", body)
        ring("state", base.state_id)
        ring("states", base.workspace_id)
    return row


def _refuse(base: Head) -> None:
    newest = lock(base.workspace_id, base.state_id)
    if newest.epoch != base.epoch:
        raise EpochPassed(base=base.epoch, epoch=newest.epoch)
    raise HeadMoved(expected=base.number, found=newest.number)


def _refer(base: Head, number: int, why: Why) -> Snapshot | None:
    target = store.target(base.workspace_id, base.state_id, number)
    if target is None or number > base.number:
        raise NotFound("This State has no such snapshot.")
    if target.is_gone:
        raise Gone(number)
    rows, size = target.rows, target.bytes
    if target.refers:
        rows, size = store.weight(base.state_id, target.number)
    if rows > keyframes.LONGEST_REFERRED:
        # Rollbacks to rollbacks: reading would follow too many of them.
        document = content(base.state_id, number)
        plain = contents.content_bytes(document)
        form = whole(base.workspace_id, base.state_id, document, plain, why.now)
    else:
        form = Form(
            stored.REFERENCE,
            b"",
            is_start=True,
            keyframe_bytes=target.keyframe_bytes,
            chain_bytes=size,
            content_of=target.number,
        )
    # What changed is not counted or marked: that would take both documents.
    outcome = Outcome(target.digest, target.document_bytes, 0, None)
    return record(base, form, outcome, why, epoch=base.epoch + 1)
