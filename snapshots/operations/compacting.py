"""Store versions anew in fewer bytes; what they say, and their digests, stay.

Whatever is written is read again in the same transaction: where one digest is not what it was,
nothing is changed at all.
"""

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Func, IntegerField, Sum

from console.canonical import Json
from snapshots import content as contents
from snapshots import keyframes, pointer, stored, touching
from snapshots.diff import Change, Draft, diff
from snapshots.models import Snapshot, State
from snapshots.operations.writing import whole
from snapshots.queries import Corrupt
from snapshots.queries.unrolling import Damaged, Found, as_stored, unroll

# Reading passes over rows without content too; a chain may not span too many of them.
LONGEST_SPAN = 1_000
# How many times smaller a document usually is when it is packed.
_USUALLY_PACKED = 4


@dataclass(frozen=True, slots=True)
class Compacted:
    """What became of a stretch: versions with content now, and bytes before and after."""

    kept: int
    bytes_before: int
    bytes_after: int


def compact(
    state: State, first: int, last: int, *, without: Container[int], now: datetime
) -> Compacted:
    """Store the versions of a stretch anew and let the content of those in `without` go.

    Reading must start at `first`, and again behind `last` if anything stands there. The caller
    holds the State's lock. Raises: Corrupt (500), and then nothing is changed.
    """
    before = _stored_bytes(state, first, last)
    chain = _Chain(state, now)
    for found in _sound(state, first, last, without):
        if found.row.number in without:
            chain.let_go(found.row)
        else:
            chain.store(found.row, found.document)
    chain.close_gap()
    if last == state.number:
        chain.tell_state()
    kept = sum(1 for _ in _sound(state, first, last, ()))
    return Compacted(kept, before, _stored_bytes(state, first, last))


def _sound(state: State, first: int, last: int, without: Container[int]) -> Iterator[Found]:
    """Give the versions that have content; their digests have been checked."""
    for found in unroll(state.id, first=first, last=last, without=without):
        if isinstance(found.trouble, Damaged):
            raise Corrupt(found.row.number, found.trouble.path, found.trouble.says)
        if not found.is_gone:
            yield found


def _stored_bytes(state: State, first: int, last: int) -> int:
    rows = Snapshot.objects.filter(state=state, number__range=(first, last))
    size = Func(F("data"), function="octet_length", output_field=IntegerField())
    return rows.aggregate(all=Sum(size))["all"] or 0


class _Chain:
    """Versions as they are stored one after another: whole now and then, else as changes."""

    def __init__(self, state: State, now: datetime) -> None:
        self._state, self._now = state, now
        self._document: Json = None
        self._start: Snapshot | None = None
        self._start_bytes = self._bytes = self._length = 0
        self._gap: list[int] = []

    def let_go(self, row: Snapshot) -> None:
        self._gap.append(row.number)

    def close_gap(self) -> None:
        # Before the next is stored: a reference further on may be read through this stretch.
        if self._gap:
            _let_go(self._state, self._gap)
        self._gap = []

    def store(self, row: Snapshot, document: Json) -> None:
        has_gap = bool(self._gap)
        self.close_gap()
        if row.codec == stored.REFERENCE:
            self._begin(row, row.document_bytes // _USUALLY_PACKED)
        elif self._start is None or self._is_due(row, self._start):
            self._begin(row, self._store_whole(row, document))
        else:
            self._store_changes(row, self._start, self._changes(row, document, has_gap=has_gap))
        self._document = document

    def tell_state(self) -> None:
        """Write down how the newest version is read from now on."""
        start = self._start
        if start is None or self._still_refers(start):
            # Its measures are those of what it refers to, which stays as it is.
            return
        State.objects.filter(id=self._state.id).update(
            keyframe_number=start.number,
            keyframe_bytes=self._start_bytes,
            chain_bytes=self._bytes,
        )

    def _still_refers(self, start: Snapshot) -> bool:
        return start.codec == stored.REFERENCE and start.number == self._state.keyframe_number

    def _is_due(self, row: Snapshot, start: Snapshot) -> bool:
        return row.number - start.number > LONGEST_SPAN or keyframes.is_due(
            document_bytes=row.document_bytes,
            chain=self._length,
            chain_bytes=self._bytes,
            keyframe_bytes=self._start_bytes,
        )

    def _begin(self, row: Snapshot, size: int) -> None:
        self._start, self._start_bytes = row, size
        self._bytes = self._length = 0

    def _store_whole(self, row: Snapshot, document: Json) -> int:
        if row.is_keyframe:
            size = row.document_bytes // _USUALLY_PACKED if row.codec == stored.SPLIT else 0
            return size + len(row.data or b"")
        state, plain = self._state, contents.content_bytes(document)
        form = whole(state.workspace_id, state.id, document, plain, self._now)
        _write(row, form.codec, row.number, form.data)
        return form.keyframe_bytes

    def _store_changes(self, row: Snapshot, start: Snapshot, data: bytes) -> None:
        _write(row, stored.COMPACT, start.number, data)
        self._length += 1
        self._bytes += len(data)

    def _changes(self, row: Snapshot, document: Json, *, has_gap: bool) -> bytes:
        if has_gap or row.is_keyframe:
            changes = diff(self._document, document, keys=self._state.list_keys)
        elif row.codec == stored.COMPACT:
            return bytes(row.data or b"")
        else:
            changes = stored.changes(as_stored(row))
        return stored.pack_operations(_operations(self._document, changes))


def _operations(document: Json, changes: Iterable[Change]) -> list[Json]:
    draft = Draft(document, strict=False)
    written: list[Json] = []
    for change in changes:
        spot = touching.located(draft.document, pointer.parse(change.path), ())
        written.append(stored.operation(draft.document, change, in_list=spot.in_list))
        draft.carry_out(change)
    return written


def _let_go(state: State, numbers: list[int]) -> None:
    rows = Snapshot.objects.filter(state=state, number__in=numbers)
    # Where a reference is let go, its row must not lead a reader elsewhere.
    rows.update(codec=stored.FIRST, base_number=F("number"), data=None)


def _write(row: Snapshot, codec: int, base_number: int, data: bytes) -> None:
    if (row.codec, row.base_number, row.data) != (codec, base_number, data):
        Snapshot.objects.filter(id=row.id).update(codec=codec, base_number=base_number, data=data)
