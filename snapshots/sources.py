"""From where is an outside record read? Sources by name; the one built in is a folder of files.

What a State mirrors is written `<source>:<place>`, such as `file:acme.json`; `pushed` means that
nothing is read here and somebody reports what the record says.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from console.canonical import Json, Limits, Unreadable, parse
from console.errors import Invalid

PUSHED: Final = "pushed"
LIMITS: Final = Limits(max_bytes=16_000_000, max_depth=32, max_values=2_000_000)
# A place may be read, never waited for: a pipe without a writer would hold the reader for ever.
_OPENED: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

Read = Callable[[str], bytes]
_sources: dict[str, Read] = {}


class SourceUnreadable(Invalid):
    """The outside record cannot be read."""

    code = "source_unreadable"


def register(name: str, read: Read) -> None:
    """Make a source known under a name; it is given a place and returns JSON text."""
    _sources[name] = read


def names() -> list[str]:
    """Return the names of the sources that can be read."""
    return sorted(_sources)


def is_readable(mirrors: str) -> bool:
    """Say whether what a State mirrors is read from here, rather than reported."""
    return mirrors.partition(":")[0] in _sources


def objection_to(mirrors: str) -> str | None:
    """Say why a State cannot mirror this, or nothing when it can; empty means nothing at all."""
    if mirrors in ("", PUSHED):
        return None
    name, _, place = mirrors.partition(":")
    if name not in _sources:
        known = ", ".join([*(f"{source}:…" for source in names()), PUSHED])
        return f"There is no source {name!r}; known are {known}."
    return None if place else f"Say what is read: {name}:<place>."


def fetch(mirrors: str) -> Json:
    """Read what the outside record says now, with the strict parser.

    Raises: SourceUnreadable (422).
    """
    if sentence := objection_to(mirrors):
        raise SourceUnreadable(sentence)
    name, _, place = mirrors.partition(":")
    if name not in _sources:
        raise SourceUnreadable("This State has no source that can be read; it is reported to us.")
    try:
        return parse(_sources[name](place), LIMITS)
    except Unreadable as error:
        raise SourceUnreadable(error.sentence) from error


def file_in(folder: str, place: str) -> bytes:
    """Return a file inside a folder; nothing outside it is ever opened.

    Raises: SourceUnreadable (422).
    """
    if not folder:
        raise SourceUnreadable("No folder of outside records is set up (MIRROR_FOLDER).")
    root = Path(folder).resolve()
    try:
        path = (root / place).resolve()
        if not path.is_relative_to(root):
            raise SourceUnreadable("That place is outside the folder of outside records.")
        return _whole(path)
    except (OSError, RuntimeError, ValueError) as error:
        raise SourceUnreadable(f"There is no readable file {place[:80]!r} there.") from error


def _whole(path: Path) -> bytes:
    with os.fdopen(os.open(path, _OPENED), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise SourceUnreadable("That place is not a file.")
        if found.st_size > LIMITS.max_bytes:
            sentence = (
                f"The file has {found.st_size:,} bytes; at most {LIMITS.max_bytes:,} are read."
            )
            raise SourceUnreadable(sentence)
        return file.read(LIMITS.max_bytes + 1)
