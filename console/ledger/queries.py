"""Read the ledger, and check it."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from console.ledger.chain import GENESIS, Line, Seal, objection_to
from console.ledger.models import Chain, Entry


@dataclass(frozen=True, slots=True)
class Verdict:
    """What checking a chain found: how many lines hold, and the first that does not."""

    checked: int
    objection: str | None


def entries(workspace_id: UUID) -> QuerySet[Entry]:
    """Return a workspace's entries."""
    return Entry.objects.filter(workspace=workspace_id)


def about(workspace_id: UUID, subject: str) -> list[Entry]:
    """Return what was done to one subject, oldest first."""
    return list(entries(workspace_id).filter(subject=subject).order_by("seq")[:200])


def verify(workspace_id: UUID) -> Verdict:
    """Recompute the whole chain and say where it breaks first.

    The end is read before the entries; what is appended meanwhile is checked the next time.
    """
    end = _end(workspace_id)
    if end.seq == 0:
        return Verdict(0, "it is empty, although founding a workspace writes its first entry")
    previous = GENESIS
    checked = 0
    for line, seal in _lines(workspace_id, end.seq):
        if objection := objection_to(line, seal, previous, checked + 1):
            return Verdict(checked, objection)
        previous = seal.digest
        checked += 1
    if (end.seq, end.digest) != (checked, previous):
        return Verdict(checked, f"the chain says {end.seq} entries, {checked} were found")
    return Verdict(checked, _beyond(workspace_id))


def _end(workspace_id: UUID) -> Chain:
    return Chain.objects.filter(workspace=workspace_id).first() or Chain(seq=0, digest=GENESIS)


def _beyond(workspace_id: UUID) -> str | None:
    last = entries(workspace_id).order_by("-seq").values_list("seq", flat=True).first() or 0
    end = _end(workspace_id).seq
    return f"entry {last} stands behind the chain's end at {end}" if last > end else None


def _lines(workspace_id: UUID, up_to: int) -> Iterator[tuple[Line, Seal]]:
    rows = entries(workspace_id).filter(seq__lte=up_to).order_by("seq").iterator(chunk_size=2000)
    for row in rows:
        line = Line(
            workspace=str(workspace_id),
            seq=row.seq,
            at=row.at,
            actor=row.actor,
            verb=row.verb,
            subject=row.subject,
            body=row.body,
        )
        yield line, Seal(row.previous, row.digest)
