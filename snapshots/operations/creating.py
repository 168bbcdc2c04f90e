"""Bring a document under version control."""

from datetime import datetime

from django.db import IntegrityError, transaction

from console.actors import Actor
from console.canonical import Json
from console.errors import Conflict
from console.ids import new_id
from console.ledger.operations.appending import append
from console.live import ring
from snapshots import content as contents
from snapshots.models import Snapshot, State
from snapshots.queries import Head, as_head


class KeyTaken(Conflict):
    """A State with this key exists already."""

    code = "state_exists"


def create_state(
    *,
    actor: Actor,
    key: str,
    document: Json,
    reason: str,
    now: datetime,
    list_keys: dict[str, str] | None = None,
) -> Head:
    """Make a State whose first snapshot is `document`.

    Raises: KeyTaken (409).
    """
    try:
        with transaction.atomic():
            state = _write(actor, key, document, reason, now, list_keys or {})
            body: dict[str, Json] = {"key": key, "digest": state.digest}
            append(actor, "state.created", f"state:{state.id}", body)
            ring("states", actor.workspace_id)
    except IntegrityError as error:
        raise KeyTaken(f"There is a State {key!r} in this workspace already.") from error
    return as_head(state)


def _write(
    actor: Actor,
    key: str,
    document: Json,
    reason: str,
    now: datetime,
    list_keys: dict[str, str],
) -> State:
    plain = contents.content_bytes(document)
    packed = contents.pack(plain)
    state = State.objects.create(
        id=new_id(),
        workspace_id=actor.workspace_id,
        key=key,
        list_keys=list_keys,
        number=1,
        digest=contents.content_digest(document),
        keyframe_number=1,
        keyframe_bytes=len(packed),
        created_at=now,
        changed_at=now,
    )
    Snapshot.objects.create(
        workspace_id=actor.workspace_id,
        state=state,
        number=1,
        parent_number=None,
        base_number=1,
        epoch=0,
        data=packed,
        digest=state.digest,
        document_bytes=len(plain),
        change_count=0,
        cause="import",
        actor=actor.to_json(),
        reason=reason,
        created_at=now,
    )
    return state
