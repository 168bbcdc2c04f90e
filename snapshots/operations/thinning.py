"""Let the content of snapshots go that nobody needs, a stretch at a time.

What a snapshot says of itself stays for ever. What is let go does not come back, so this is
done under the State's lock, and everything that stays is read again before it is done.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from console.actors import Actor
from console.canonical import Json
from console.ledger.operations.appending import append
from console.live import ring
from snapshots.models import State
from snapshots.operations.clearing import clear
from snapshots.operations.committing import lock
from snapshots.operations.compacting import compact
from snapshots.queries import Head
from snapshots.queries.holds import Outlook, outlook
from snapshots.retention import Needed, Policy, stretch


@dataclass(frozen=True, slots=True)
class Thinned:
    """What one batch did: of a stretch how many went and stayed, and bytes before and after.

    `is_more` where the sweep of this State has not come to its end.
    """

    let_go: int = 0
    kept: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    parts: int = 0
    readings: int = 0
    is_more: bool = False


def thin(*, actor: Actor, head: Head, needed: Needed, policy: Policy, now: datetime) -> Thinned:
    """Do the next batch: let go, store anew what lies around, and at the end clear what is unused.

    Locks: the state row until the transaction ends.
    Raises: NotFound (404), Busy (409), Corrupt (500), and then nothing is changed.
    """
    with transaction.atomic():
        lock(head.workspace_id, head.state_id)
        found = outlook(head.workspace_id, head.state_id, needed=needed, policy=policy, now=now)
        if found.is_frozen:
            return Thinned()
        if span := stretch(found.lines, frozenset(found.verdict.goes)):
            return _store_anew(actor, head, found, span, now)
        return _clear(actor, head, now)


def _store_anew(
    actor: Actor, head: Head, found: Outlook, span: tuple[int, int], now: datetime
) -> Thinned:
    first, last = span
    goes = [number for number in found.verdict.goes if first <= number <= last]
    state = State.objects.get(id=head.state_id)
    done = compact(state, first, last, without=frozenset(goes), now=now)
    thinned = Thinned(
        let_go=len(goes),
        kept=done.kept,
        bytes_before=done.bytes_before,
        bytes_after=done.bytes_after,
        is_more=True,
    )
    _record(actor, head, thinned, {"first": first, "last": last, "numbers": _ranges(goes)})
    return thinned


def _clear(actor: Actor, head: Head, now: datetime) -> Thinned:
    done = clear(head.state_id, now)
    thinned = Thinned(bytes_before=done.parts_bytes, parts=done.parts, readings=done.readings)
    if done.parts or done.readings:
        _record(actor, head, thinned, {})
    return thinned


def _record(actor: Actor, head: Head, thinned: Thinned, where: dict[str, Json]) -> None:
    body: dict[str, Json] = {
        "key": head.key,
        **where,
        "let_go": thinned.let_go,
        "kept": thinned.kept,
        "bytes_before": thinned.bytes_before,
        "bytes_after": thinned.bytes_after,
        "parts": thinned.parts,
        "readings": thinned.readings,
    }
    append(actor, "state.thinned", f"state:{head.state_id}", body)
    ring("state", head.state_id)


def _ranges(numbers: Sequence[int]) -> Json:
    """Write ascending numbers as stretches: `[[2, 8], [10, 10]]`."""
    found: list[list[Json]] = []
    for before, number in zip([None, *numbers], numbers, strict=False):
        if before is not None and before + 1 == number:
            found[-1][1] = number
        else:
            found.append([number, number])
    return [*found]
