"""Write a version's row: how it is stored, and which places it touched.

Part of the verbs that make versions; what they refuse and what they tell is theirs.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from console.actors import Actor
from console.canonical import Json
from console.errors import NotFound
from console.locking import patiently
from snapshots import content as contents
from snapshots import keyframes, pointer, splitting, store, stored, touching
from snapshots.diff import Change, Draft
from snapshots.models import Snapshot
from snapshots.operations.drafting import Known, known, own, remember
from snapshots.queries import Head, content
from snapshots.store import Standing, Version

REASON_AT_MOST = 500


@dataclass(frozen=True, slots=True)
class Why:
    """Who makes a version, when, because of what."""

    actor: Actor
    cause: str
    cause_id: str
    reason: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Form:
    """How a version's content is stored."""

    codec: int
    data: bytes
    is_start: bool = False
    keyframe_bytes: int = 0
    chain_bytes: int = 0
    content_of: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a version holds, and what is known of how it came to that."""

    digest: str
    document_bytes: int
    change_count: int
    touched: list[int] | None


def write(
    base: Head, changes: Sequence[Change], why: Why, *, epoch: int | None = None
) -> Snapshot | None:
    """Write the version that `changes` make of the one `base` stands at.

    None where the State stands elsewhere by now; `epoch` where it begins a new one.
    Locks: the state row. Raises: NotFound (404), Busy (409), DoesNotFit.
    """
    found = known(base) or _read(base)
    if found is None:
        return None
    done = _Done(base, found.document)
    for change in changes:
        done.carry_out(own(change))
    plain = contents.content_bytes(done.document)
    outcome = Outcome(
        digest=hashlib.sha256(plain).hexdigest(),
        document_bytes=len(plain),
        change_count=len(changes),
        touched=touching.marks(base.state_id, done.places),
    )
    form = _form(base, found.standing, done, plain, why.now)
    written = _advance(base, form, outcome, why, epoch=base.epoch if epoch is None else epoch)
    if written is None:
        return None
    row, standing = written
    remember(base.state_id, Known(standing, done.document, len(plain)))
    return row


def _read(base: Head) -> Known | None:
    standing = required(base)
    if (standing.number, standing.epoch) != (base.number, base.epoch):
        return None
    return Known(standing, content(base.state_id, base.number), 0)


def _form(base: Head, standing: Standing, done: "_Done", plain: bytes, now: datetime) -> Form:
    is_small = len(plain) < keyframes.SMALL_DOCUMENT_BYTES
    packed = b"" if is_small else stored.pack_operations(done.operations)
    if is_small or keyframes.is_due(
        document_bytes=len(plain),
        chain=standing.number - standing.keyframe_number,
        chain_bytes=standing.chain_bytes + len(packed),
        keyframe_bytes=standing.keyframe_bytes,
    ):
        return whole(base.workspace_id, base.state_id, done.document, plain, now)
    return Form(stored.COMPACT, packed, chain_bytes=len(packed))


def required(base: Head) -> Standing:
    """Return where a State stands. Raises: NotFound (404)."""
    standing = store.standing(base.workspace_id, base.state_id)
    if standing is None:
        raise NotFound
    return standing


class _Done:
    """Changes carried out, written down as they are stored, with the places they touched."""

    def __init__(self, base: Head, document: Json) -> None:
        self._draft = Draft(document, strict=True)
        self._patterns = touching.patterns_of(base.list_keys)
        self.operations: list[Json] = []
        self.places: set[str] = set()

    @property
    def document(self) -> Json:
        return self._draft.document

    def carry_out(self, change: Change) -> None:
        document = self._draft.document
        spot = touching.located(document, pointer.parse(change.path), self._patterns)
        self.places |= touching.touched(document, change, spot, self._patterns)
        operation = stored.operation(document, change, in_list=spot.in_list)
        self._draft.carry_out(change)
        self.operations.append(operation)


def whole(workspace_id: UUID, state_id: UUID, document: Json, plain: bytes, now: datetime) -> Form:
    """Store a document so that reading can begin with it; a large one in parts."""
    if len(plain) < splitting.FROM_BYTES:
        packed = contents.pack(plain)
        return Form(stored.FIRST, packed, is_start=True, keyframe_bytes=len(packed))
    pieces = splitting.split(document)
    skeleton = contents.pack(contents.content_bytes(pieces.skeleton))
    size = store.add_parts(workspace_id, state_id, pieces.parts, now)
    return Form(stored.SPLIT, skeleton, is_start=True, keyframe_bytes=len(skeleton) + size)


def record(base: Head, form: Form, outcome: Outcome, why: Why, *, epoch: int) -> Snapshot | None:
    """Write the row of a version, and where its State stands now; None if somebody was faster.

    Locks: the state row. Raises: Busy (409).
    """
    written = _advance(base, form, outcome, why, epoch=epoch)
    return None if written is None else written[0]


def _advance(
    base: Head, form: Form, outcome: Outcome, why: Why, *, epoch: int
) -> tuple[Snapshot, Standing] | None:
    version = Version(
        workspace_id=base.workspace_id,
        state_id=base.state_id,
        parent=base.number,
        base_epoch=base.epoch,
        epoch=epoch,
        codec=form.codec,
        data=form.data,
        is_start=form.is_start,
        keyframe_bytes=form.keyframe_bytes,
        chain_bytes=form.chain_bytes,
        content_of=form.content_of,
        touched=outcome.touched,
        digest=outcome.digest,
        document_bytes=outcome.document_bytes,
        change_count=outcome.change_count,
        cause=why.cause,
        cause_id=why.cause_id,
        actor=why.actor.to_json(),
        reason=why.reason[:REASON_AT_MOST],
        now=why.now,
    )
    with patiently():
        written = store.advance(version)
    return None if written is None else (_row(version, *written), written[1])


def _row(version: Version, row_id: UUID, standing: Standing) -> Snapshot:
    """Return a row as it was written, without asking for it again."""
    start = standing.keyframe_number if version.content_of is None else version.content_of
    row = Snapshot(
        id=row_id,
        workspace_id=version.workspace_id,
        state_id=version.state_id,
        number=standing.number,
        parent_number=version.parent,
        base_number=start,
        epoch=version.epoch,
        codec=version.codec,
        data=version.data,
        touched=version.touched,
        digest=version.digest,
        document_bytes=version.document_bytes,
        change_count=version.change_count,
        cause=version.cause,
        cause_id=version.cause_id,
        actor=version.actor,
        reason=version.reason,
        created_at=version.now,
    )
    row._state.adding, row._state.db = False, connection.alias  # noqa: SLF001  (Django has no other)
    return row
