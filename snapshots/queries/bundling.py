"""What of a State goes into a bundle, version by version?"""

from collections.abc import Iterator

from snapshots.bundles import FORMAT, Delta, Header, Held, LetGo, Told, Whole
from snapshots.diff import diff
from snapshots.models import Snapshot
from snapshots.queries import Gone, Head, content, unrolling
from snapshots.queries.walking import kind_of

# Changes that outweigh the document are no help to anybody.
_CHANGES_AT_MOST = 2_000


def opened(head: Head) -> tuple[Header, Iterator[tuple[Told, Held]]]:
    """Return a bundle's header and its versions up to the head, in order.

    Raises, while they are taken: Corrupt (500).
    """
    header = Header.model_validate(
        {
            "format": FORMAT,
            "key": head.key,
            "kind": kind_of(head.workspace_id, head.state_id),
            "list_keys": head.list_keys,
            "snapshots": head.number,
        }
    )
    return header, _versions(head)


def _versions(head: Head) -> Iterator[tuple[Told, Held]]:
    before: Held = LetGo()
    for found in unrolling.unroll(head.state_id, last=head.number):
        before = _held(before, _read(found), head)
        yield _told(found.row), before


def _read(found: unrolling.Found) -> Whole | LetGo:
    if found.is_gone:
        return LetGo()
    if found.trouble is None:
        return Whole(found.document)
    # A file takes its time: retention may have stored anew, or let go, what was half read.
    try:
        return Whole(content(found.row.state_id, found.row.number))
    except Gone:
        return LetGo()


def _held(before: Held, found: Whole | LetGo, head: Head) -> Held:
    if isinstance(before, LetGo) or isinstance(found, LetGo):
        return found
    changes = diff(before.document, found.document, keys=head.list_keys)
    if len(changes) > _CHANGES_AT_MOST:
        return found
    return Delta(changes, found.document)


def _told(row: Snapshot) -> Told:
    return Told(
        number=row.number,
        epoch=row.epoch,
        digest=row.digest,
        document_bytes=row.document_bytes,
        change_count=row.change_count,
        cause=row.cause,
        cause_id=row.cause_id,
        actor=row.actor,
        reason=row.reason,
        at=row.created_at,
    )
