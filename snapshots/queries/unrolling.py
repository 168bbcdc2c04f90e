"""What did a State hold after each of many versions, when each row is read once?"""

import hashlib
from collections.abc import Container, Iterator
from dataclasses import dataclass
from uuid import UUID

from console.canonical import Json
from console.errors import Refused
from snapshots import content as contents
from snapshots import queries, splitting, stored
from snapshots.diff import BadChange, DoesNotFit, apply
from snapshots.models import Part, Snapshot
from snapshots.pointer import BadPointer, NothingThere
from snapshots.stored import Stored

ROWS_AT_ONCE = 50


class Damaged(Exception):
    """A version cannot be rebuilt, or comes out with another digest."""

    def __init__(self, path: str, says: str) -> None:
        """Keep where in the document, and what is wrong there."""
        self.path = path
        self.says = says
        super().__init__(says)


class Unknown(Exception):
    """A version builds on one that cannot be rebuilt."""


@dataclass(frozen=True, slots=True)
class Found:
    """One version: its row, and its content or why there is none."""

    row: Snapshot
    document: Json = None
    trouble: Damaged | Unknown | None = None

    @property
    def is_gone(self) -> bool:
        """Say whether retention has let the content go."""
        return self.row.data is None and self.row.codec != stored.REFERENCE


def unroll(
    state_id: UUID, *, first: int = 1, last: int | None = None, without: Container[int] = ()
) -> Iterator[Found]:
    """Give every version in order, its digest checked except where it is of no interest.

    Reading must start at `first`.
    """
    walk = _Walk()
    for row in rows(state_id, first=first, last=last):
        yield walk.step(row, is_checked=row.number not in without)


class _Walk:
    """What is known on the way: the newest content, and where reading it starts."""

    def __init__(self) -> None:
        self._document: Json = None
        self._start: int | None = None

    def step(self, row: Snapshot, *, is_checked: bool) -> Found:
        found = Found(row)
        if found.is_gone:
            return found
        try:
            self._document = self._next(row)
            if is_checked:
                _check_digest(self._document, row.digest)
        except (Damaged, Unknown) as trouble:
            self._start = None
            return Found(row, trouble=trouble)
        return Found(row, self._document)

    def _next(self, row: Snapshot) -> Json:
        if _starts(row):
            self._start = row.number
            return _fresh(row)
        if self._start is None:
            raise Unknown
        if row.base_number != self._start:
            raise Damaged("", f"it says that it builds on {row.base_number}, not {self._start}")
        return _changed(row, self._document)


def _starts(row: Snapshot) -> bool:
    is_whole = row.is_keyframe and row.codec in (stored.FIRST, stored.SPLIT)
    return is_whole or row.codec == stored.REFERENCE


def _check_digest(document: Json, digest: str) -> None:
    if contents.content_digest(document) != digest:
        raise Damaged("", "its content gives another digest than the one written down")


def rows(state_id: UUID, *, first: int = 1, last: int | None = None) -> Iterator[Snapshot]:
    """Give a State's rows in order, some at a time."""
    versions = Snapshot.objects.filter(state=state_id).order_by("number")
    if last is not None:
        versions = versions.filter(number__lte=last)
    while chunk := list(versions.filter(number__gte=first)[:ROWS_AT_ONCE]):
        yield from chunk
        first = chunk[-1].number + 1


def as_stored(row: Snapshot) -> Stored:
    """Return how a row is stored."""
    data = None if row.data is None else bytes(row.data)
    return Stored(row.number, row.base_number, row.codec, data, row.digest)


def _fresh(row: Snapshot) -> Json:
    """Read a version that builds on none before it."""
    try:
        if row.codec == stored.REFERENCE:
            return queries.content(row.state_id, row.base_number)
        if row.codec == stored.SPLIT:
            return _joined(as_stored(row), row.state_id)
        return contents.parse(stored.whole(as_stored(row)))
    except splitting.DamagedPart as error:
        raise Damaged(error.path, str(error)) from error
    except contents.DamagedContent as error:
        raise Damaged("", str(error)) from error
    except Refused as error:
        raise Damaged("", f"what it refers to cannot be read: {error.sentence}") from error


def _changed(row: Snapshot, before: Json) -> Json:
    try:
        return apply(before, stored.changes(as_stored(row)), strict=row.codec == stored.FIRST)
    except DoesNotFit as error:
        raise Damaged(error.path, str(error)) from error
    except (contents.DamagedContent, BadChange, BadPointer, NothingThere) as error:
        raise Damaged("", str(error)) from error


def _joined(one: Stored, state_id: UUID) -> Json:
    skeleton = contents.parse(stored.whole(one))
    found = Part.objects.filter(state=state_id, digest__in=splitting.digests(skeleton))
    parts = {digest: _part(bytes(data)) for digest, data in found.values_list("digest", "data")}
    return contents.parse(splitting.joined(skeleton, parts))


def _part(packed: bytes) -> bytes:
    try:
        return contents.unpack(packed)
    except contents.DamagedContent:
        # Whoever joins the parts finds that it does not match, and says where.
        return b""


def is_sound(packed: bytes, digest: str) -> bool:
    """Say whether compressed bytes are those that a digest names."""
    return hashlib.sha256(_part(packed)).hexdigest() == digest
