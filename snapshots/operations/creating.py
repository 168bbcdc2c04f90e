"""Bring a document under version control."""

import hashlib
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
from snapshots.operations.writing import REASON_AT_MOST, whole
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
    kind: str = "record",
) -> Head:
    """Make a State whose first snapshot is `document`; an agent's is of the kind `memory`.

    Raises: KeyTaken (409).
    """
    try:
        with transaction.atomic():
            state = _write(actor, (key, kind), document, reason, now, list_keys or {})
            body: dict[str, Json] = {"key": key, "digest": state.digest}
            append(actor, "state.created", f"state:{state.id}", body)
            ring("states", actor.workspace_id)
    except IntegrityError as error:
        raise KeyTaken(f"There is a State {key!r} in this workspace already.") from error
    return as_head(state)


def _write(
    actor: Actor,
    named: tuple[str, str],
    document: Json,
    reason: str,
    now: datetime,
    list_keys: dict[str, str],
) -> State:
    key, kind = named
    state_id, plain = new_id(), contents.content_bytes(document)
    digest = hashlib.sha256(plain).hexdigest()
    form = whole(actor.workspace_id, state_id, document, plain, now)
    state = State.objects.create(
        id=state_id,
        workspace_id=actor.workspace_id,
        key=key,
        kind=kind,
        list_keys=list_keys,
        number=1,
        digest=digest,
        keyframe_number=1,
        keyframe_bytes=form.keyframe_bytes,
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
        codec=form.codec,
        data=form.data,
        digest=digest,
        document_bytes=len(plain),
        change_count=0,
        cause="import",
        actor=actor.to_json(),
        reason=reason[:REASON_AT_MOST],
        created_at=now,
    )
    return state
