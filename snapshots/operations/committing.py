"""Write the next version of a State."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from console.actors import Actor
from console.canonical import Json
from console.errors import Conflict, NotFound
from console.ledger.operations.appending import append
from console.live import ring
from console.locking import patiently
from snapshots import content as contents
from snapshots import keyframes
from snapshots.diff import Change, apply
from snapshots.models import Snapshot, State
from snapshots.queries import Head, as_head, content


class HeadMoved(Conflict):
    """The State has a newer snapshot than the one this change was made for."""

    code = "world_changed"
    status = 412


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a snapshot exists: a kind, and the id of what caused it."""

    kind: str
    id: str


def lock(workspace_id: UUID, state_id: UUID) -> Head:
    """Return where a State stands and keep others from moving it until the transaction ends.

    Locks: the state row. Raises: NotFound (404), Busy (409).
    """
    return as_head(_locked(workspace_id, state_id))


def commit(
    *,
    actor: Actor,
    base: Head,
    changes: list[Change],
    cause: Cause,
    reason: str,
    now: datetime,
) -> Snapshot:
    """Apply `changes` to the snapshot `base` stands at and make the result the newest.

    Locks: the state row until the transaction ends.
    Raises: HeadMoved (412), NotFound (404), DoesNotFit.
    """
    with transaction.atomic():
        state = _locked(base.workspace_id, base.state_id)
        if (state.number, state.epoch) != (base.number, base.epoch):
            raise HeadMoved(expected=base.number, found=state.number)
        row = _next(state, actor, changes, cause, reason, now)
        _advance(state, row)
        body: dict[str, Json] = {
            "number": row.number,
            "digest": row.digest,
            "cause": f"{cause.kind}:{cause.id}",
        }
        append(actor, "state.changed", f"state:{state.id}", body)
        ring("state", state.id)
        ring("states", state.workspace_id)
    return row


def _locked(workspace_id: UUID, state_id: UUID) -> State:
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("A lock outside a transaction holds nothing.")
    rows = State.objects.select_for_update(no_key=True).filter(workspace=workspace_id, id=state_id)
    with patiently():
        state = rows.first()
    if state is None:
        raise NotFound
    return state


def _next(
    state: State, actor: Actor, changes: list[Change], cause: Cause, reason: str, now: datetime
) -> Snapshot:
    document = apply(content(state.id, state.number), changes)
    plain = contents.content_bytes(document)
    number = state.number + 1
    whole = keyframes.is_due(
        document_bytes=len(plain),
        chain=state.number - state.keyframe_number,
        chain_bytes=state.chain_bytes,
        keyframe_bytes=state.keyframe_bytes,
    )
    stored = plain if whole else contents.content_bytes([c.to_json() for c in changes])
    return Snapshot.objects.create(
        workspace_id=state.workspace_id,
        state=state,
        number=number,
        parent_number=state.number,
        base_number=number if whole else state.keyframe_number,
        epoch=state.epoch,
        data=contents.pack(stored),
        digest=contents.content_digest(document),
        document_bytes=len(plain),
        change_count=len(changes),
        cause=cause.kind,
        cause_id=cause.id,
        actor=actor.to_json(),
        reason=reason[:500],
        created_at=now,
    )


def _advance(state: State, row: Snapshot) -> None:
    state.number, state.digest, state.changed_at = row.number, row.digest, row.created_at
    if row.is_keyframe:
        state.keyframe_number = row.number
        state.keyframe_bytes, state.chain_bytes = len(row.data), 0
    else:
        state.chain_bytes += len(row.data)
    state.save(
        update_fields=[
            "number",
            "digest",
            "changed_at",
            "keyframe_number",
            "keyframe_bytes",
            "chain_bytes",
        ]
    )
