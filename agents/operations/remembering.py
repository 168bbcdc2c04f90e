"""Let an agent of a run keep something in mind, be given it again, and let it go.

An agent's memory about a record is a State of its own below the record's key, so that what moves
often never disturbs what people decide on. Each write is one snapshot, caused by one step.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from agents import memory, store
from agents.memory import Entry, Note, Origin
from agents.operations.ending import Outdated
from agents.queries import memory as memories
from agents.store import Claim
from console.actors import Actor
from console.canonical import Json
from console.errors import Invalid
from snapshots import pointer
from snapshots import queries as snapshots
from snapshots.operations.committing import Cause, commit, lock
from snapshots.operations.creating import KeyTaken, create_state
from snapshots.queries import Head
from snapshots.queries.walking import kind_of

_USE = """
    INSERT INTO agents_memoryuse (state_id, entry, used_at)
    SELECT %s, entry, %s FROM unnest(%s::text[]) AS entry
    ON CONFLICT (state_id, entry) DO UPDATE
    SET used_at = greatest(agents_memoryuse.used_at, excluded.used_at)
"""

# How a memory stands that was never written.
_NOTHING: dict[str, Json] = {"state": None, "snapshot": 0, "epoch": 0}


class MemoryRefused(Invalid):
    """This cannot be kept in an agent's memory."""

    code = "memory_refused"


@dataclass(frozen=True, slots=True)
class Place:
    """Whose memory it is and at which step of which run; what the run has seen of the world.

    `record_number` is the snapshot of the record that the run read last, `memory_epoch` the epoch
    that the memory had when the run met it first; null where it has seen neither.
    """

    claimed: Claim
    record_id: UUID
    record_key: str
    step: int
    record_number: int | None = None
    memory_epoch: int | None = None

    @property
    def cause(self) -> Cause:
        """Return what makes a write happen once, however often it is asked for."""
        return Cause("memory", f"{self.claimed.run_id}:{self.step}")


def remember(*, actor: Actor, place: Place, note: Note, now: datetime) -> dict[str, Json]:
    """Write an entry into the agent's memory, once, and return where it stands.

    Locks: the run, then the memory's State row.
    Raises: MemoryRefused (422), Fenced, Outdated, Busy (409).
    """
    if objection := memory.objection_to(note):
        raise MemoryRefused(objection)
    with transaction.atomic():
        base = _opened(actor, place, now)
        known = snapshots.by_cause(base.state_id, place.cause.kind, place.cause.id)
        if known is not None:
            return _stands(base, known.number, entry=place.cause.id)
        document = snapshots.content(base.state_id, base.number)
        if objection := memory.objection_to_count(document, settings.MEMORY_ENTRIES_AT_MOST):
            raise MemoryRefused(objection)
        snapshot = commit(
            actor=actor,
            base=base,
            changes=memory.adding(document, place.cause.id, _entry(actor, place, note, now)),
            cause=place.cause,
            reason=f"Remembered: {note.subject}",
            now=now,
        )
    return _stands(base, snapshot.number, entry=place.cause.id)


def forget(*, actor: Actor, place: Place, entry_id: str, now: datetime) -> dict[str, Json]:
    """Take an entry out of the agent's memory; one that is not there is gone already.

    Locks: the run, then the memory's State row. Raises: Fenced, Outdated, Busy (409).
    """
    if memories.find(actor.workspace_id, place.record_key, actor.name) is None:
        return {**_NOTHING, "entry": entry_id}
    with transaction.atomic():
        base = _opened(actor, place, now)
        document = snapshots.content(base.state_id, base.number)
        changes = memory.removing(document, [entry_id])
        # What is not there is not taken; the run goes on with what it knows.
        number = _number_seen(actor, place, base)
        if changes:
            number = commit(
                actor=actor,
                base=base,
                changes=changes,
                cause=place.cause,
                reason=f"Forgot {entry_id}",
                now=now,
            ).number
    return _stands(base, number, entry=entry_id)


def recall(
    *, actor: Actor, place: Place, subject: str, since: datetime | None, now: datetime
) -> dict[str, Json]:
    """Return which entries about a subject an agent is given, and note that they were used.

    A run reads its memory as it found it first, with what it wrote there itself since: what
    others write meanwhile, or a sweep takes, is for those who come later.
    Shape: snapshot, epoch, `entries` (ids, newest first) and how many were `left_out` because
    they are older than `since`, or too many.
    """
    head = memories.find(actor.workspace_id, place.record_key, actor.name)
    number = _number_seen(actor, place, head) if head else 0
    if head is None or not number:
        return {**_NOTHING, "entries": [], "left_out": 0}
    held = memory.entries(snapshots.content(head.state_id, number))
    about = [each for each in memory.live(held, now=now) if each.subject.startswith(subject)]
    young = [each for each in about if since is None or each.recorded_at >= since]
    given = [each.id for each in young[: memory.RECALLED_AT_MOST]]
    _note_use(head.state_id, _still_there(head, number, given), now)
    found = _stands(head, number, entries=[*given])
    return {**found, "left_out": len(about) - len(given)}


def recalled(seen: dict[str, Any]) -> list[Entry]:
    """Return the entries that a recall has named, as they stood in the snapshot it saw."""
    if not seen["entries"]:
        return []
    document = snapshots.content(UUID(seen["state"]), seen["snapshot"])
    held = {each.id: each for each in memory.entries(document)}
    return [held[each] for each in seen["entries"]]


def _number_seen(actor: Actor, place: Place, head: Head) -> int:
    """Return the snapshot at which this run knows the memory; 0 before there was one.

    After a rollback of the memory it is as it was brought back to: what was read before is void.
    """
    seen = memories.seen_by(place.claimed.run_id, actor.name)
    return seen.number if seen and seen.epoch in {0, head.epoch} else head.number


def _opened(actor: Actor, place: Place, now: datetime) -> Head:
    """Return where the memory stands, made if need be, with run and memory held fast."""
    store.hold(place.claimed)
    if snapshots.head(actor.workspace_id, place.record_id).epoch > place.claimed.epoch:
        raise Outdated
    found = memories.find(actor.workspace_id, place.record_key, actor.name)
    base = lock(actor.workspace_id, (found or _made(actor, place, now)).state_id)
    if kind_of(base.workspace_id, base.state_id) != "memory":
        raise MemoryRefused(f"There is a record under {base.key!r}, where the memory would be.")
    if place.memory_epoch is not None and base.epoch > place.memory_epoch:
        raise Outdated
    return base


def _made(actor: Actor, place: Place, now: datetime) -> Head:
    key = memory.key_of(place.record_key, actor.name)
    if len(key) > memory.KEY_AT_MOST:
        raise MemoryRefused(f"The key of a memory has at most {memory.KEY_AT_MOST} characters.")
    nothing: Json = {"entries": {}}
    try:
        return create_state(
            actor=actor, key=key, document=nothing, reason="First memory", now=now, kind="memory"
        )
    except KeyTaken:
        # Another run of this agent has made it at this moment.
        return snapshots.named(actor.workspace_id, key)


def _entry(actor: Actor, place: Place, note: Note, now: datetime) -> Json:
    claimed = place.claimed
    origin = Origin(str(claimed.job_id), str(claimed.run_id), place.step, actor.name)
    entry = memory.written(note, origin=origin, seen=_seen(place, note), now=now)
    if objection := memory.objection_to_size(entry):
        raise MemoryRefused(objection)
    return entry


def _seen(place: Place, note: Note) -> dict[str, Json]:
    """Return the values that the entry comes from, as the run saw them."""
    if not note.derived_from:
        return {}
    number = place.record_number
    if number is None:
        number = snapshots.head(place.claimed.workspace_id, place.record_id).number
    try:
        return memory.seen_in(snapshots.content(place.record_id, number), note.derived_from)
    except (pointer.BadPointer, pointer.NothingThere) as error:
        raise MemoryRefused(str(error)) from error


def _stands(head: Head, number: int, **more: Json) -> dict[str, Json]:
    return {"state": str(head.state_id), "snapshot": number, "epoch": head.epoch, **more}


def _still_there(head: Head, number: int, given: list[str]) -> list[str]:
    """Return which entries the memory still holds: of those that were swept no use is kept."""
    if number == head.number:
        return given
    held = {each.id for each in memory.entries(snapshots.content(head.state_id, head.number))}
    return [each for each in given if each in held]


def _note_use(state_id: UUID, entries: list[str], now: datetime) -> None:
    """Keep when entries were given to an agent: one statement, rows in the order of their ids."""
    if entries:
        with connection.cursor() as cursor:
            cursor.execute(_USE, [state_id, now, sorted(entries)])
