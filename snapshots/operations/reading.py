"""Read the outside record that a State mirrors, and take in what it says."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction

from console.access.rights import allows
from console.actors import Actor
from console.canonical import Json
from console.errors import Conflict, Forbidden, Invalid
from console.ledger.operations.appending import append
from console.live import ring
from snapshots import content as contents
from snapshots import queries, sources
from snapshots.diff import Change
from snapshots.models import Reading, Snapshot, State
from snapshots.operations.committing import Cause, HeadMoved, commit, lock
from snapshots.queries import Head, readings
from snapshots.queries.walking import kind_of

_MIRRORS_AT_MOST: Final = 200
# What is left to do after a rollback: it comes about by itself, and nothing outside says it.
_RECOVERIES: Final = "/recoveries"
sources.register("file", lambda place: sources.file_in(settings.MIRROR_FOLDER, place))


class ReadFromSource(Conflict):
    """This State is read from its own source, so nobody reports it."""

    code = "read_from_source"


class ReadingPassed(Conflict):
    """A newer reading has come in since you looked."""

    code = "reading_passed"


class NothingDiffers(Conflict):
    """The State says what the outside record says, so there is nothing to take in."""

    code = "nothing_differs"


class OwnReading(Forbidden):
    """You or your token reported this reading; somebody else takes it in."""

    code = "own_reading"


class NotARecord(Conflict):
    """Memories and recoveries come about by themselves; only a record takes an outside one in."""

    code = "not_a_record"


class NoReason(Invalid):
    """Say why: the reason stands in the history and in the ledger."""

    code = "reason_required"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a person saw when they agreed: a snapshot's number and the digest of a reading."""

    number: int
    digest: str


def mirror(*, actor: Actor, state_id: UUID, mirrors: str, now: datetime) -> None:
    """Say which outside record a State mirrors from now on; empty for none.

    Locks: the state row. Raises: Forbidden (403), NotFound (404), Invalid (422).
    """
    _refuse_unless_may_import(actor)
    if len(mirrors) > _MIRRORS_AT_MOST or not mirrors.isprintable():
        raise Invalid("Name the source in at most 200 characters that can be seen.")
    if objection := sources.objection_to(mirrors):
        raise Invalid(objection, field="mirrors")
    with transaction.atomic():
        lock(actor.workspace_id, state_id)
        _follow(actor, state_id, mirrors)


def report(*, actor: Actor, state_id: UUID, document: Json, now: datetime) -> Reading:
    """Keep what somebody says the outside record says.

    Shape: a document that the strict parser has let in.
    Locks: the state row.
    Raises: Forbidden (403), NotFound (404), ReadFromSource (409), Invalid (422).
    """
    _refuse_unless_may_import(actor)
    with transaction.atomic():
        lock(actor.workspace_id, state_id)
        followed = readings.mirrored(actor.workspace_id, state_id).mirrors
        if sources.is_readable(followed):
            raise ReadFromSource(f"This State mirrors {followed}; it is read from there.")
        if not followed:
            _follow(actor, state_id, sources.PUSHED)
        return _keep(actor, state_id, sources.PUSHED, document, now)


def read_again(*, actor: Actor, state_id: UUID, now: datetime) -> Reading:
    """Read the outside record from its source and keep what it says.

    Locks: the state row, after the source has answered.
    Raises: Forbidden (403), NotFound (404), SourceUnreadable (422).
    """
    _refuse_unless_may_import(actor)
    followed = readings.mirrored(actor.workspace_id, state_id).mirrors
    document = sources.fetch(followed)
    with transaction.atomic():
        lock(actor.workspace_id, state_id)
        return _keep(actor, state_id, followed, document, now)


def take_in(*, actor: Actor, state_id: UUID, seen: Seen, reason: str, now: datetime) -> Snapshot:
    """Make the State say what the newest reading says; the same act twice is once.

    It goes past the queue, so it needs who may decide, and two people: who reported and another.
    Locks: the state row.
    Raises: Forbidden, OwnReading (403), NotFound (404), NotARecord (409), ReadingPassed (409),
    NothingDiffers (409), HeadMoved (412), NoReason (422).
    """
    if actor.kind != "person" or not allows(actor.roles, "decide"):
        raise Forbidden
    if not reason.strip() or "\0" in reason:
        raise NoReason
    # The same reading may be taken in again after a rollback: then on another snapshot.
    cause = Cause("outside", f"{seen.digest}@{seen.number}")
    with transaction.atomic():
        base = lock(actor.workspace_id, state_id)
        if not is_record(base):
            raise NotARecord
        known = queries.by_cause(state_id, cause.kind, cause.id)
        if known is not None:
            return known
        changes = _changes_seen(actor, base, seen)
        return commit(
            actor=actor, base=base, changes=changes, cause=cause, reason=reason.strip(), now=now
        )


def _changes_seen(actor: Actor, base: Head, seen: Seen) -> list[Change]:
    """Return what the newest reading changes, if it is the one seen, and of somebody else."""
    reading = readings.newest(base.workspace_id, base.state_id)
    if reading is None or reading.digest != seen.digest:
        raise ReadingPassed
    if is_own(actor, reading):
        raise OwnReading
    if base.number != seen.number:
        raise HeadMoved(expected=seen.number, found=base.number)
    changes = readings.changes_to(base, reading)
    if not changes:
        raise NothingDiffers
    return changes


def is_record(head: Head) -> bool:
    """Say whether an outside record can be taken in to a State at all."""
    is_kept_by_people = kind_of(head.workspace_id, head.state_id) == "record"
    return is_kept_by_people and not head.key.endswith(_RECOVERIES)


def is_own(actor: Actor, reading: Reading) -> bool:
    """Say whether an actor reported a reading, or answers for whoever did.

    What was read from a source says what the source said, whoever pressed the button.
    """
    if sources.is_readable(reading.source):
        return False
    reporter = reading.actor
    behind = {f"{reporter['kind']}:{reporter['id']}", reporter["behind"]}
    return not behind.isdisjoint(actor.lineage)


def _refuse_unless_may_import(actor: Actor) -> None:
    # A token was let in by its scope, and the house itself by nobody.
    is_trusted = actor.kind in {"client", "system"}
    if not is_trusted and not allows(actor.roles, "import"):
        raise Forbidden


def _follow(actor: Actor, state_id: UUID, mirrors: str) -> None:
    State.objects.filter(workspace=actor.workspace_id, id=state_id).update(mirrors=mirrors)
    append(actor, "state.mirrors", f"state:{state_id}", {"mirrors": mirrors})
    ring("state", state_id)


def _keep(actor: Actor, state_id: UUID, source: str, document: Json, now: datetime) -> Reading:
    try:
        plain = contents.content_bytes(document)
    except contents.NotContent as error:
        raise Invalid(str(error), field="document") from error
    reading = Reading(
        workspace_id=actor.workspace_id,
        state_id=state_id,
        source=source,
        data=contents.pack(plain),
        digest=contents.content_digest(document),
        document_bytes=len(plain),
        actor=actor.to_json(),
        read_at=now,
    )
    _let_go_of_the_same(reading)
    reading.save(force_insert=True)
    body: dict[str, Json] = {"source": source, "digest": reading.digest}
    append(actor, "state.read_outside", f"state:{state_id}", body)
    ring("state", state_id)
    return reading


def _let_go_of_the_same(reading: Reading) -> None:
    """Keep a record that is read again and again unchanged once; the ledger has every time."""
    last = readings.newest(reading.workspace_id, reading.state_id)
    if last is not None and (last.source, last.digest) == (reading.source, reading.digest):
        last.delete()
