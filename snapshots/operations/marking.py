"""Hang a name, a pin or a legal hold on a snapshot, or a hold on a whole State; and take it off."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal
from uuid import UUID

from django.db import transaction

from console.actors import Actor
from console.canonical import Json
from console.errors import Conflict, Forbidden, Invalid
from console.ledger.operations.appending import append
from console.live import ring
from snapshots.models import Mark
from snapshots.operations.committing import lock
from snapshots.operations.reading import NoReason
from snapshots.queries import Gone, history, marks

Kind = Literal["name", "pin", "hold"]
NAME_AT_MOST: Final = 80
REASON_AT_MOST: Final = 500
_PUT: Final[Mapping[str, str]] = MappingProxyType(
    {"name": "named", "pin": "pinned", "hold": "held"}
)
_TAKEN: Final[Mapping[str, str]] = MappingProxyType(
    {"name": "unnamed", "pin": "unpinned", "hold": "released"}
)


class NameTaken(Conflict):
    """This name stands at another snapshot; take it off there first."""

    code = "name_taken"


class NameUnusable(Invalid):
    """A name is up to 80 characters that can be seen, and not only digits."""

    code = "name_unusable"


def name(
    *, actor: Actor, state_id: UUID, number: int, called: str, reason: str, now: datetime
) -> Mark:
    """Give a snapshot a name; the same name at the same snapshot twice is once.

    Locks: the state row. Raises: NotFound (404), NameTaken (409), NameUnusable (422).
    """
    mark = Mark(kind="name", number=number, name=called.strip())
    return _put(actor, state_id, mark, reason, now)


def pin(*, actor: Actor, state_id: UUID, number: int, reason: str, now: datetime) -> Mark:
    """Keep a snapshot's content from retention; pinned twice is pinned once.

    Locks: the state row. Raises: NotFound (404), Gone (410).
    """
    return _put(actor, state_id, Mark(kind="pin", number=number), reason, now)


def hold(*, actor: Actor, state_id: UUID, number: int | None, reason: str, now: datetime) -> Mark:
    """Put a legal hold on a snapshot, or on the whole State; held twice is held once.

    Locks: the state row. Raises: NotFound (404), Gone (410), NoReason (422).
    """
    return _put(actor, state_id, Mark(kind="hold", number=number), reason, now)


def unmark(*, actor: Actor, state_id: UUID, mark_id: UUID, reason: str, now: datetime) -> Mark:
    """Take a name or a pin off; what is off already stays off.

    A program takes off only what it, its maker, or another token of theirs put on.
    Locks: the state row. Raises: Forbidden (403), NotFound (404).
    """
    return _take(actor, state_id, mark_id, ("name", "pin"), reason, now)


def lift(*, actor: Actor, state_id: UUID, mark_id: UUID, reason: str, now: datetime) -> Mark:
    """Lift a legal hold; what is lifted already stays lifted.

    Locks: the state row. Raises: NotFound (404), NoReason (422).
    """
    return _take(actor, state_id, mark_id, ("hold",), reason, now)


def _put(actor: Actor, state_id: UUID, mark: Mark, reason: str, now: datetime) -> Mark:
    with transaction.atomic():
        lock(actor.workspace_id, state_id)
        if mark.number is not None:
            _require_content(actor, state_id, mark)
        _require_usable(mark, reason)
        if known := marks.standing(actor.workspace_id, state_id, mark.kind, mark.number, mark.name):
            return known
        _require_free(actor, state_id, mark)
        mark.workspace_id, mark.state_id = actor.workspace_id, state_id
        mark.reason, mark.actor, mark.created_at = reason.strip(), actor.to_json(), now
        mark.save(force_insert=True)
        _record(actor, mark, _PUT[mark.kind], reason)
    return mark


def _require_content(actor: Actor, state_id: UUID, mark: Mark) -> None:
    """Refuse to keep what is gone; a name may still say what it was."""
    row = history.event(actor.workspace_id, state_id, mark.number or 0)
    if mark.kind != "name" and history.is_let_go(row):
        raise Gone(row.number)


def _require_usable(mark: Mark, reason: str) -> None:
    if mark.kind == "name":
        shown = mark.name.isprintable() and not mark.name.isdecimal()
        if not shown or not 0 < len(mark.name) <= NAME_AT_MOST:
            raise NameUnusable(field="name")
    _require_reason(reason, is_needed=mark.kind == "hold")


def _require_free(actor: Actor, state_id: UUID, mark: Mark) -> None:
    other = marks.called(actor.workspace_id, state_id, mark.name) if mark.name else None
    if other is not None:
        sentence = (
            f"Snapshot {other.number} is called {mark.name!r}; take the name off there first."
        )
        raise NameTaken(sentence, number=other.number)


def _take(
    actor: Actor,
    state_id: UUID,
    mark_id: UUID,
    kinds: tuple[Kind, ...],
    reason: str,
    now: datetime,
) -> Mark:
    with transaction.atomic():
        lock(actor.workspace_id, state_id)
        mark = marks.mark(actor.workspace_id, state_id, mark_id, kinds)
        _require_own(actor, mark)
        _require_reason(reason, is_needed=mark.kind == "hold")
        if mark.removed_at is not None:
            return mark
        mark.removed_at, mark.removed_by = now, actor.to_json()
        mark.save(update_fields=["removed_at", "removed_by"])
        _record(actor, mark, _TAKEN[mark.kind], reason)
    return mark


def _require_own(actor: Actor, mark: Mark) -> None:
    """Refuse a program that would take off what somebody else put on: a pin keeps content."""
    setter = mark.actor
    lineage = {f"{setter['kind']}:{setter['id']}", setter["behind"]}
    if actor.kind == "client" and lineage.isdisjoint(actor.lineage):
        raise Forbidden(
            "A token takes off only the names and pins that its maker or a token of theirs put on."
        )


def _record(actor: Actor, mark: Mark, what: str, reason: str) -> None:
    body: dict[str, Json] = {"mark": str(mark.id), "reason": reason.strip()}
    if mark.number is not None:
        body["number"] = mark.number
    if mark.name:
        body["name"] = mark.name
    subject = "state" if mark.number is None else "snapshot"
    append(actor, f"{subject}.{what}", f"state:{mark.state_id}", body)
    ring("state", mark.state_id)


def _require_reason(reason: str, *, is_needed: bool) -> None:
    if is_needed and not reason.strip():
        raise NoReason(field="reason")
    if len(reason) > REASON_AT_MOST or "\0" in reason:
        raise Invalid(f"A reason has at most {REASON_AT_MOST} characters.", field="reason")
