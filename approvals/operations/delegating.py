"""Let somebody decide in another's place for a while: a holiday, an illness, a night shift."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from approvals.models import Delegation
from console.access.queries import members_of
from console.access.rights import allows
from console.actors import Actor
from console.canonical import Json
from console.errors import Forbidden, Invalid, NotFound
from console.ledger.operations.appending import append

REASON_AT_MOST = 300
LONGEST = timedelta(days=366)
AHEAD = timedelta(days=10 * 366)


class DelegationInvalid(Invalid):
    """This delegation cannot be made."""

    code = "delegation_invalid"


def delegate(
    *,
    actor: Actor,
    person_id: UUID,
    delegate_id: UUID,
    begins_at: datetime,
    ends_at: datetime,
    reason: str,
    now: datetime,
) -> UUID:
    """Let `delegate_id` decide in the place of `person_id` for a time and return the delegation.

    By the person themselves or whoever administers authority; never by the delegate. It lends
    roles, not authority: the limits of both bind whoever stands in.
    Raises: Forbidden (403), DelegationInvalid (422), NotFound (404).
    """
    _refuse_unless_allowed(actor, person_id, delegate_id)
    _refuse_unless_sensible(person_id, delegate_id, begins_at, ends_at, now)
    _refuse_unless_sayable(reason)
    with transaction.atomic():
        _refuse_unless_members(actor, person_id, delegate_id)
        row = Delegation.objects.create(
            workspace_id=actor.workspace_id,
            person_id=person_id,
            delegate_id=delegate_id,
            reason=reason.strip(),
            begins_at=begins_at,
            ends_at=ends_at,
            made_by=actor.to_json(),
            created_at=now,
        )
        body: dict[str, Json] = {
            "person": f"person:{person_id}",
            "delegate": f"person:{delegate_id}",
            "begins_at": begins_at.isoformat(),
            "ends_at": ends_at.isoformat(),
            "reason": reason.strip(),
        }
        append(actor, "delegation.made", f"delegation:{row.id}", body)
    return row.id


def end_delegation(*, actor: Actor, delegation_id: UUID, now: datetime) -> None:
    """End a delegation at once; what was decided by it and is not carried out counts no more.

    By either of the two, or whoever administers authority; ending it twice is ending it once.
    Raises: Forbidden (403), NotFound (404).
    """
    with transaction.atomic():
        rows = Delegation.objects.select_for_update(no_key=True)
        row = rows.filter(workspace=actor.workspace_id, id=delegation_id).first()
        if row is None:
            raise NotFound
        is_theirs = actor.kind == "person" and UUID(actor.id) in {row.person_id, row.delegate_id}
        if not is_theirs and not allows(actor.roles, "authority"):
            raise Forbidden("Only the two it is about, or an admin, may end a delegation.")
        if row.revoked_at is None:
            row.revoked_at = now
            row.save(update_fields=["revoked_at"])
            append(actor, "delegation.ended", f"delegation:{row.id}", {})


def _refuse_unless_allowed(actor: Actor, person_id: UUID, delegate_id: UUID) -> None:
    own = UUID(actor.id) if actor.kind == "person" else None
    if own is None or own == delegate_id:
        raise Forbidden("Nobody makes themselves somebody else's delegate.")
    if own != person_id and not allows(actor.roles, "authority"):
        raise Forbidden("Only the person themselves, or an admin, may name who stands in for them.")


def _refuse_unless_sensible(
    person_id: UUID, delegate_id: UUID, begins_at: datetime, ends_at: datetime, now: datetime
) -> None:
    if person_id == delegate_id:
        raise DelegationInvalid("Nobody stands in for themselves.", field="delegate")
    if ends_at <= begins_at or ends_at <= now:
        raise DelegationInvalid("It ends after it begins, and not before now.", field="ends_at")
    if ends_at - begins_at > LONGEST:
        raise DelegationInvalid("A delegation is for a year at most.", field="ends_at")
    if ends_at > now + AHEAD:
        raise DelegationInvalid("It ends within ten years.", field="ends_at")


def _refuse_unless_sayable(reason: str) -> None:
    if len(reason) > REASON_AT_MOST or "\x00" in reason:
        sentence = f"A reason has at most {REASON_AT_MOST} characters, none of them NUL."
        raise DelegationInvalid(sentence, field="reason")


def _refuse_unless_members(actor: Actor, person_id: UUID, delegate_id: UUID) -> None:
    members = members_of(actor.workspace_id, [person_id, delegate_id])
    for name, person in (("person", person_id), ("delegate", delegate_id)):
        if person not in members:
            raise DelegationInvalid("There is no such person in this workspace.", field=name)
