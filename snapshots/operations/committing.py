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
from snapshots import touching
from snapshots.diff import Change, DoesNotFit
from snapshots.models import Snapshot, State
from snapshots.operations.writing import Why, write
from snapshots.queries import Head, as_head, content
from snapshots.queries.conflicting import conflicts_with


class HeadMoved(Conflict):
    """The State has a newer snapshot than the one this change was made for."""

    code = "world_changed"
    status = 412


class EpochPassed(Conflict):
    """The State was rolled back after this change was made for it."""

    code = "epoch_passed"


class PathConflict(Conflict):
    """Somebody changed the same place since."""

    code = "path_conflict"


class PoliciesProtected(Conflict):
    """Policies are changed by a proposal, and in no other way."""

    code = "policies_protected"


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
    merge: bool = False,
) -> Snapshot:
    """Apply `changes` to the snapshot `base` stands at and make the result the newest.

    With `merge`, a base that is not the newest will do if nobody touched the same places since.
    Locks: the state row until the transaction ends.
    Raises: EpochPassed, PathConflict, PoliciesProtected (409), HeadMoved (412), NotFound (404),
    DoesNotFit.
    """
    refuse_unless_proposed(base, cause.kind)
    why = Why(actor, cause.kind, cause.id, reason, now)
    with transaction.atomic():
        row = write(base, changes, why)
        if row is None:
            newest = lock(base.workspace_id, base.state_id)
            row = write(newest, _merged(base, newest, changes, merge=merge), why)
        if row is None:
            raise HeadMoved(expected=base.number)
        body: dict[str, Json] = {
            "number": row.number,
            "digest": row.digest,
            "cause": f"{cause.kind}:{cause.id}",
        }
        append(actor, "state.changed", f"state:{base.state_id}", body)
        ring("state", base.state_id)
        ring("states", base.workspace_id)
    return row


def refuse_unless_proposed(base: Head, cause: str) -> None:
    """Keep policies from being changed by anything but a proposal. Raises: PoliciesProtected."""
    if base.kind == "policies" and cause not in {"import", "proposal"}:
        raise PoliciesProtected


def _merged(base: Head, newest: Head, changes: list[Change], *, merge: bool) -> list[Change]:
    """Return changes made for `base` as they are for `newest`, where nobody is in their way."""
    if newest.epoch != base.epoch:
        raise EpochPassed(base=base.epoch, epoch=newest.epoch)
    if not merge or newest.number < base.number:
        raise HeadMoved(expected=base.number, found=newest.number)
    found = conflicts_with(base.state_id, base.number, changes)
    if found:
        first = found[0]
        _refuse(first.path, first.by, first.number)
    before, now = content(base.state_id, base.number), content(base.state_id, newest.number)
    try:
        return touching.carried_over(changes, before, now, newest.list_keys)
    except DoesNotFit as error:
        raise PathConflict(path=error.path, by="", snapshot=newest.number) from error


def _refuse(path: str, by: str, number: int) -> None:
    place = path or "the whole record"
    sentence = f"{by or 'Somebody'} changed {place} in snapshot {number}, after you looked."
    raise PathConflict(sentence, path=path, by=by, snapshot=number)


def _locked(workspace_id: UUID, state_id: UUID) -> State:
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("A lock outside a transaction holds nothing.")
    rows = State.objects.select_for_update(no_key=True).filter(workspace=workspace_id, id=state_id)
    with patiently():
        state = rows.first()
    if state is None:
        raise NotFound
    return state
