"""What did the outside record that a State mirrors say, and how does the State differ from it?"""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from console.canonical import Json
from console.errors import NotFound, Refused
from snapshots import content as contents
from snapshots.diff import Change, diff
from snapshots.models import Reading, State
from snapshots.queries import Head, as_head, content


class ReadingCorrupt(Refused):
    """A stored reading does not match its digest, so it is not shown."""

    status = 500
    code = "reading_corrupt"


@dataclass(frozen=True, slots=True)
class Mirrored:
    """A State, what it mirrors, and the newest reading of that, if it was ever read."""

    head: Head
    mirrors: str
    reading: Reading | None


@dataclass(frozen=True, slots=True)
class Differences:
    """The changes that would make the State say what the reading says."""

    head: Head
    reading: Reading
    changes: list[Change]


def mirrored(workspace_id: UUID, state_id: UUID) -> Mirrored:
    """Return what a State mirrors, without the reading's content. Raises: NotFound (404)."""
    state = State.objects.filter(workspace=workspace_id, id=state_id).first()
    if state is None:
        raise NotFound
    return Mirrored(as_head(state), state.mirrors, newest(workspace_id, state_id))


def newest(workspace_id: UUID, state_id: UUID) -> Reading | None:
    """Return the newest reading, without its content."""
    rows = Reading.objects.filter(workspace=workspace_id, state=state_id)
    return rows.order_by("-read_at", "-id").defer("data").first()


def document(reading: Reading) -> Json:
    """Return what a reading said; its digest has been checked. Raises: ReadingCorrupt (500)."""
    try:
        plain = contents.unpack(bytes(reading.data))
    except contents.DamagedContent as error:
        raise ReadingCorrupt(_damaged(reading)) from error
    if hashlib.sha256(plain).hexdigest() != reading.digest:
        raise ReadingCorrupt(_damaged(reading))
    return contents.parse(plain)


def differences(workspace_id: UUID, state_id: UUID) -> Differences | None:
    """Return how a State differs from the newest reading of what it mirrors, if there is one.

    Items of a list are matched by the State's declared keys.
    Raises: NotFound (404), Corrupt, ReadingCorrupt (500).
    """
    found = mirrored(workspace_id, state_id)
    if found.reading is None:
        return None
    return Differences(found.head, found.reading, changes_to(found.head, found.reading))


def changes_to(head: Head, reading: Reading) -> list[Change]:
    """Return the changes that turn what a State holds into what a reading said."""
    if head.digest == reading.digest:
        return []
    return diff(content(head.state_id, head.number), document(reading), keys=head.list_keys)


def _damaged(reading: Reading) -> str:
    return f"Reading {reading.id} of State {reading.state_id} does not match its digest."
