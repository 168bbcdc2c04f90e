"""Which newest documents does this process still have at hand, to write the next version of?

Reading a large document again only to change a little of it costs more than the change. A
document is kept with the number and the digest that it was written under, and is used only for a
head with the same two, so one that was rolled back, or written elsewhere since, is never mistaken
for the newest. Nobody else ever holds these documents: what changes put into them is copied, and a
draft copies what it changes, so no caller can alter them.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from console.canonical import Json
from snapshots.content import content_bytes, parse
from snapshots.diff import Change
from snapshots.queries import Head
from snapshots.store import Standing

# Counted in content bytes; as Python objects they are about six times as large.
KEPT_BYTES = 16_000_000


@dataclass(frozen=True, slots=True)
class Known:
    """A newest document and how it is stored."""

    standing: Standing
    document: Json
    document_bytes: int


class _Kept:
    """The documents that were written last, as many as fit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[UUID, Known] = OrderedDict()
        self._bytes = 0

    def get(self, head: Head) -> Known | None:
        with self._lock:
            known = self._known.get(head.state_id)
        if known is None:
            return None
        standing = known.standing
        is_same = (standing.number, standing.digest) == (head.number, head.digest)
        return known if is_same else None

    def put(self, state_id: UUID, known: Known) -> None:
        with self._lock:
            self._drop(state_id)
            if known.document_bytes > KEPT_BYTES:
                return
            self._known[state_id] = known
            self._bytes += known.document_bytes
            while self._bytes > KEPT_BYTES:
                self._drop(next(iter(self._known)))

    def _drop(self, state_id: UUID) -> None:
        known = self._known.pop(state_id, None)
        if known is not None:
            self._bytes -= known.document_bytes


_kept = _Kept()


def known(head: Head) -> Known | None:
    """Return the document that a head stands at, if it is at hand."""
    return _kept.get(head)


def remember(state_id: UUID, document: Known) -> None:
    """Keep a document that was just written."""
    _kept.put(state_id, document)


def own(change: Change) -> Change:
    """Return a change whose value nobody else can alter. Raises: NotContent."""
    if not isinstance(change.value, dict | list):
        return change
    value = parse(content_bytes(change.value))
    return Change(change.op, change.path, change.old, value, change.from_path)
