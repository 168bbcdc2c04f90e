"""How does a whole State leave the house as one file, and when is such a file to be believed?

`countersign-state/1` is JSON Lines: a header, a line for each snapshot from the first to the
newest, and a last line with the SHA-256 of every byte before it. Each line is content bytes (see
`snapshots/content.py`), so the same State always gives the same file. A snapshot comes whole, as
changes on the one before, or, where retention let its content go, as what is known of it.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from console.canonical import FILE_LIMITS, Json, parse
from snapshots.content import NotContent, content_bytes
from snapshots.diff import BadChange, Change, DoesNotFit, apply
from snapshots.pointer import BadPointer

FORMAT: Final = "countersign-state/1"
ACTOR_AT_MOST: Final = 10_000
LINE_AT_MOST: Final = FILE_LIMITS.max_bytes
# What a column of the row holds.
_LARGEST: Final = 2**31 - 1
_Model = TypeVar("_Model", bound=BaseModel)
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class BundleRefused(ValueError):
    """A file is no bundle, or something in it is not what it says."""


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Header(_Line):
    """Which State this is, and how many snapshots follow."""

    format: Literal["countersign-state/1"]
    key: Annotated[str, Field(min_length=1, max_length=200)]
    kind: Literal["record", "memory", "policies"]
    list_keys: dict[str, str]
    snapshots: Annotated[int, Field(ge=1, le=_LARGEST)]


class _Written(_Line):
    """One snapshot as its line says it; content is one of three."""

    number: Annotated[int, Field(ge=1, le=_LARGEST)]
    epoch: Annotated[int, Field(ge=0, le=_LARGEST)]
    digest: Digest
    document_bytes: Annotated[int, Field(ge=0, le=_LARGEST)]
    change_count: Annotated[int, Field(ge=0, le=_LARGEST)]
    cause: Annotated[str, Field(max_length=10)]
    cause_id: Annotated[str, Field(max_length=80)]
    actor: dict[str, Any]
    reason: Annotated[str, Field(max_length=500)]
    at: Annotated[AwareDatetime, Field(strict=False)]
    document: Any = None
    changes: list[Any] | None = None
    let_go: Literal[True] | None = None


class _Footer(_Line):
    """The seal over everything before it."""

    sha256: Digest


@dataclass(frozen=True, slots=True)
class Told:
    """What a State says of one of its snapshots besides the content."""

    number: int
    epoch: int
    digest: str
    document_bytes: int
    change_count: int
    cause: str
    cause_id: str
    actor: dict[str, Json]
    reason: str
    at: datetime

    @property
    def said(self) -> dict[str, Json]:
        """Return what the bundle says of how the version came about, for whoever takes it in."""
        return {
            "epoch": self.epoch,
            "cause": self.cause,
            "cause_id": self.cause_id,
            "actor": self.actor,
            "reason": self.reason,
            "at": self.at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class LetGo:
    """Retention let this snapshot's content go."""


@dataclass(frozen=True, slots=True)
class Whole:
    """The content as a document."""

    document: Json


@dataclass(frozen=True, slots=True)
class Delta:
    """The content as changes on the snapshot before; `document` is what comes out."""

    changes: list[Change]
    document: Json


Held = LetGo | Whole | Delta


def written(header: Header, versions: Iterable[tuple[Told, Held]]) -> Iterator[bytes]:
    """Write a bundle line by line; no more than one line is in memory."""
    seal = hashlib.sha256()
    yield _sealed(header.model_dump(), seal)
    for told, held in versions:
        yield _sealed(_line(told, held), seal)
    yield content_bytes({"sha256": seal.hexdigest()}) + b"\n"


def _sealed(line: dict[str, Json], seal: "hashlib._Hash") -> bytes:
    text = content_bytes(line) + b"\n"
    seal.update(text)
    return text


def _line(told: Told, held: Held) -> dict[str, Json]:
    line: dict[str, Json] = {
        "number": told.number,
        "epoch": told.epoch,
        "digest": told.digest,
        "document_bytes": told.document_bytes,
        "change_count": told.change_count,
        "cause": told.cause,
        "cause_id": told.cause_id,
        "actor": told.actor,
        "reason": told.reason,
        "at": told.at.isoformat(),
    }
    if isinstance(held, Whole):
        return {**line, "document": held.document}
    if isinstance(held, Delta):
        return {**line, "changes": [change.to_json() for change in held.changes]}
    return {**line, "let_go": True}


class Bundle:
    """A bundle being read: the header first, then each snapshot, checked, then the seal."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        """Read the header. Raises: BundleRefused, Unreadable."""
        self._seal = hashlib.sha256()
        self._lines = iter(lines)
        self._before = ""
        self.header = _read(Header, self._next(), "the header")

    def versions(self) -> Iterator[tuple[Told, Held]]:
        """Give each snapshot; whoever takes the last one has a bundle that was checked whole.

        Every digest is recomputed. Raises: BundleRefused, Unreadable.
        """
        before: Held = LetGo()
        for number in range(1, self.header.snapshots + 1):
            line = _read(_Written, self._next(), f"snapshot {number}")
            if line.number != number:
                raise BundleRefused(f"Snapshot {number} is missing: {line.number} stands there.")
            told = _told(line)
            held = before = _held(line, before)
            _check(told, held)
            if number == self.header.snapshots:
                self._check_end(held)
            yield told, held

    @property
    def seal(self) -> str:
        """Return the SHA-256 of everything before the last line that was read."""
        return self._before

    def _next(self) -> bytes:
        line = next(self._lines, b"")
        if not line:
            raise BundleRefused("The bundle ends too early.")
        self._before = self._seal.hexdigest()
        self._seal.update(line)
        return line

    def _check_end(self, newest: Held) -> None:
        if isinstance(newest, LetGo):
            raise BundleRefused("The newest snapshot has no content.")
        footer = _read(_Footer, self._next(), "the seal")
        if footer.sha256 != self._before:
            raise BundleRefused("The bundle does not match its seal: it was changed or cut.")
        if next(self._lines, b"").strip():
            raise BundleRefused("Something stands behind the seal.")


def _read(model: type[_Model], line: bytes, what: str) -> _Model:
    value = parse(line, FILE_LIMITS)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "it"
        raise BundleRefused(f"In {what}, {place}: {first['msg']}.") from error


def _told(line: _Written) -> Told:
    if len(content_bytes(line.actor)) > ACTOR_AT_MOST:
        raise BundleRefused(f"The actor of snapshot {line.number} is longer than a name can be.")
    return Told(**{each.name: getattr(line, each.name) for each in fields(Told)})


def _held(line: _Written, before: Held) -> Held:
    given = line.model_fields_set & {"document", "changes", "let_go"}
    if len(given) != 1:
        raise BundleRefused(f"Snapshot {line.number} needs one of document, changes and let_go.")
    if given == {"document"}:
        return Whole(line.document)
    if given == {"let_go"}:
        return LetGo()
    if isinstance(before, LetGo):
        raise BundleRefused(f"Snapshot {line.number} is changes on content that is not there.")
    try:
        changes = [Change.from_json(change) for change in line.changes or []]
        return Delta(changes, apply(before.document, changes))
    except (BadChange, DoesNotFit, BadPointer) as error:
        raise BundleRefused(f"Snapshot {line.number}: {error}") from error


def _check(told: Told, held: Held) -> None:
    if isinstance(held, LetGo):
        return
    try:
        content = content_bytes(held.document)
    except NotContent as error:
        raise BundleRefused(f"Snapshot {told.number}: {error}") from error
    if hashlib.sha256(content).hexdigest() != told.digest:
        raise BundleRefused(f"The content of snapshot {told.number} does not match its digest.")
    if len(content) != told.document_bytes:
        raise BundleRefused(f"Snapshot {told.number} has {len(content)} bytes, not what it says.")
