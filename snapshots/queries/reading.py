"""What did a State hold at a snapshot, and what did that snapshot change?

Nothing is shown that was not checked: a whole document against the digest of its snapshot, a
part of it against the digest of the part. Content is not kept in memory between reads: what is
read is what is stored, so damage is found by the first who looks.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from console.canonical import Json
from console.errors import NotFound, Refused
from snapshots import content as contents
from snapshots import pointer, splitting, store, stored
from snapshots.diff import Change, DoesNotFit, Draft, Unclear, diff, trace, with_old
from snapshots.stored import Stored

# What bytes that are not what was stored may do to the reader.
_DAMAGE = (ValueError, LookupError, TypeError)
_TRIES = 3


class Corrupt(Refused):
    """A stored version does not match its digest, so it is not shown."""

    status = 500
    code = "snapshot_corrupt"

    def __init__(self, number: int, path: str = "", why: str = "") -> None:
        """Name the snapshot and the place; `why` is what reading it came upon."""
        place = path or "the whole document"
        sentence = f"Snapshot {number} does not match its digest ({place}), so it is not shown."
        super().__init__(f"{sentence} {why}".strip(), snapshot=number, path=path)


class Gone(Refused):
    """The content of this snapshot was let go by retention; what it says of itself is kept."""

    status = 410
    code = "snapshot_thinned"

    def __init__(self, number: int) -> None:
        """Name the snapshot."""
        super().__init__(f"The content of snapshot {number} was let go.", snapshot=number)


def content(state_id: UUID, number: int) -> Json:
    """Return the document as it was at a snapshot; its digest has been checked.

    Raises: NotFound (404), Gone (410), Corrupt (500).
    """
    rows, parts = _loaded(state_id, number)
    try:
        document = _document(rows, parts)
    except _DAMAGE as error:
        raise _objection(rows, parts) from error
    return document


def content_bytes(state_id: UUID, number: int) -> bytes:
    """Return the content bytes of a snapshot, whose SHA-256 is its digest.

    Raises: NotFound (404), Gone (410), Corrupt (500).
    """
    return contents.content_bytes(content(state_id, number))


def subtree(state_id: UUID, number: int, path: str) -> Json:
    """Return what stood at a path at a snapshot, reading only the parts it lies in.

    Each part is checked against its digest; a document that is not in parts is read whole.
    Raises: NotFound (404), Gone (410), Corrupt (500), NothingThere, BadPointer.
    """
    pointer.parse(path)
    rows = _chain(state_id, number)
    if path and rows[0].codec == stored.SPLIT:
        try:
            return _in_parts(state_id, rows, path)
        except pointer.NothingThere:
            raise
        except (Unclear, *_DAMAGE):
            # Reading all of it tells what is damaged from what was stored anew meanwhile.
            return pointer.get(content(state_id, number), path)
    return pointer.get(content(state_id, number), path)


def _in_parts(state_id: UUID, rows: Sequence[Stored], path: str) -> Json:
    changing = [row for row in rows[1:] if row.codec != stored.REFERENCE]
    traced = trace([step for row in changing for step in stored.operations(row)], path)
    skeleton = contents.parse(stored.whole(rows[0]))
    return traced.carried_out(
        lambda path: splitting.found(skeleton, path, lambda found: store.parts(state_id, found))
    )


def changes_of(workspace_id: UUID, state_id: UUID, number: int) -> list[Change]:
    """Return what a snapshot changed on the one before it, with what stood there before.

    The first snapshot changes nothing. Raises: NotFound (404), Gone (410), Corrupt (500).
    """
    if store.standing(workspace_id, state_id) is None:
        raise NotFound
    row = _chain(state_id, number)[-1]
    if number == 1:
        return []
    before = content(state_id, number - 1)
    if row.codec not in (stored.FIRST, stored.COMPACT) or row.base_number == row.number:
        return diff(before, content(state_id, number), keys=store.list_keys(state_id))
    try:
        told = with_old(before, stored.changes(row))
        _require(carried_out(before, told), row.digest)
    except _DAMAGE as error:
        raise Corrupt(number, _path_of(error), str(error)) from error
    return told


def carried_out(document: Json, changes: Sequence[Change]) -> Json:
    """Carry out changes that were found in storage. Raises: DoesNotFit, BadChange."""
    draft = Draft(document, strict=False)
    for change in changes:
        draft.carry_out(change)
    return draft.document


def _loaded(state_id: UUID, number: int) -> tuple[list[Stored], Mapping[str, bytes]]:
    """Return the rows of a version and the parts of the document that it begins with."""
    rows = _chain(state_id, number)
    for _ in range(_TRIES):
        if rows[0].codec != stored.SPLIT:
            break
        wanted = _part_digests(rows[0])
        parts = store.parts(state_id, wanted)
        # Parts that are not there are damaged, unless a sweep has just stored the rows anew.
        if len(parts) == len(wanted) or (again := _chain(state_id, number)) == rows:
            return rows, parts
        rows = again
    return rows, {}


def _part_digests(row: Stored) -> set[str]:
    try:
        return set(splitting.digests(contents.parse(stored.whole(row))))
    except _DAMAGE as error:
        raise Corrupt(row.number, "", str(error)) from error


def _chain(state_id: UUID, number: int) -> list[Stored]:
    rows = store.chain(state_id, number)
    if not rows or rows[-1].number != number:
        raise NotFound("This State has no such snapshot.")
    holding = [row for row in rows if row.codec != stored.REFERENCE]
    if holding and stored.is_let_go(holding[-1]):
        raise Gone(number)
    try:
        return stored.readable(rows)
    except contents.DamagedContent as error:
        raise Corrupt(number, "", str(error)) from error


def _document(rows: Sequence[Stored], parts: Mapping[str, bytes]) -> Json:
    plain = _beginning(rows[0], parts)
    if all(row.codec == stored.REFERENCE for row in rows[1:]):
        _require_bytes(plain, rows[-1].digest)
        return contents.parse(plain)
    *_, document = _unrolled(contents.parse(plain), rows)
    _require(document, rows[-1].digest)
    return document


def _beginning(row: Stored, parts: Mapping[str, bytes]) -> bytes:
    plain = stored.whole(row)
    return splitting.joined(contents.parse(plain), parts) if row.codec == stored.SPLIT else plain


def _unrolled(document: Json, rows: Sequence[Stored]) -> Iterator[Json]:
    """Change `document` row by row and give it after each, to be looked at before the next."""
    draft = Draft(document, strict=False, is_private=True)
    yield draft.document
    for row in rows[1:]:
        if row.codec != stored.REFERENCE:
            for change in stored.changes(row):
                draft.carry_out(change)
        yield draft.document


def _require(document: Json, digest: str) -> None:
    _require_bytes(contents.content_bytes(document), digest)


def _require_bytes(plain: bytes, digest: str) -> None:
    if hashlib.sha256(plain).hexdigest() != digest:
        raise contents.DamagedContent("The content gives another digest.")


def _objection(rows: Sequence[Stored], parts: Mapping[str, bytes]) -> Corrupt:
    """Name the first version that is not what it was, and where."""
    number = rows[0].number
    try:
        document = contents.parse(_beginning(rows[0], parts))
        versions = _unrolled(document, rows)
        for row in rows:
            number = row.number
            _require(next(versions), row.digest)
    except _DAMAGE as error:
        return Corrupt(number, _path_of(error), str(error))
    return Corrupt(rows[-1].number)


def _path_of(error: Exception) -> str:
    return error.path if isinstance(error, DoesNotFit | splitting.DamagedPart) else ""
