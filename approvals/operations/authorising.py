"""Say how much somebody may approve, of which kinds of action, and until when."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from approvals.models import AuthorityLimit
from console.access.queries import members_of
from console.access.rights import allows
from console.actors import Actor
from console.canonical import Json
from console.errors import Forbidden, Invalid, NotFound
from console.ledger.operations.appending import append

PATTERNS_AT_MOST, PATTERN_AT_MOST = 50, 80
NOTE_AT_MOST = 200
# Whoever means for good leaves the end out; behind the year 9999 no calendar can follow.
LATEST = datetime(3000, 1, 1, tzinfo=UTC)
_LARGEST, _FINEST = Decimal(10) ** 18, -6
_CODE = 3


class AuthorityInvalid(Invalid):
    """This limit of authority cannot be set."""

    code = "authority_invalid"


def allow_up_to(  # noqa: PLR0913  (what a limit consists of)
    *,
    actor: Actor,
    person_id: UUID,
    action_types: Sequence[str],
    amount: Decimal | None,
    currency: str,
    expires_at: datetime | None,
    note: str,
    now: datetime,
) -> UUID:
    """Let somebody approve these kinds of action up to an amount and return the limit.

    Without any limit a role is enough; with one, only what a limit covers. Nobody sets their own.
    Shape: `action_types` are names or patterns (`pay_*`); without an amount it is for any.
    Raises: Forbidden (403), AuthorityInvalid (422).
    """
    _refuse_unless_allowed(actor, person_id)
    _refuse_unless_patterns(action_types)
    _refuse_unless_amount(amount, currency)
    _refuse_unless_sayable(note, expires_at, now)
    with transaction.atomic():
        if person_id not in members_of(actor.workspace_id, [person_id]):
            raise AuthorityInvalid("There is no such person in this workspace.", field="person")
        row = AuthorityLimit.objects.create(
            workspace_id=actor.workspace_id,
            person_id=person_id,
            action_types=list(action_types),
            amount=amount,
            currency=currency,
            expires_at=expires_at,
            note=note.strip(),
            granted_by=actor.to_json(),
            created_at=now,
        )
        body: dict[str, Json] = {
            "person": f"person:{person_id}",
            "action_types": [*action_types],
            "amount": None if amount is None else str(amount),
            "currency": currency,
            "expires_at": expires_at.isoformat() if expires_at else None,
        }
        append(actor, "authority.set", f"authority:{row.id}", body)
    return row.id


def take_back(*, actor: Actor, limit_id: UUID, now: datetime) -> None:
    """End a limit at once; without any other, the person's role is enough again.

    Ending it twice is ending it once. Raises: Forbidden (403), NotFound (404).
    """
    with transaction.atomic():
        rows = AuthorityLimit.objects.select_for_update(no_key=True)
        row = rows.filter(workspace=actor.workspace_id, id=limit_id).first()
        if row is None:
            raise NotFound
        _refuse_unless_allowed(actor, row.person_id)
        if row.revoked_at is None:
            row.revoked_at = now
            row.save(update_fields=["revoked_at"])
            append(actor, "authority.taken_back", f"authority:{row.id}", {})


def _refuse_unless_allowed(actor: Actor, person_id: UUID) -> None:
    if not allows(actor.roles, "authority"):
        raise Forbidden("Only an admin may say how much somebody may approve.")
    if actor.kind == "person" and UUID(actor.id) == person_id:
        raise Forbidden("Somebody else says how much you may approve.")


def _refuse_unless_patterns(action_types: Sequence[str]) -> None:
    if not 0 < len(action_types) <= PATTERNS_AT_MOST:
        sentence = f"Name 1 to {PATTERNS_AT_MOST} kinds of action; * is all of them."
        raise AuthorityInvalid(sentence, field="action_types")
    if any(not 0 < len(name) <= PATTERN_AT_MOST or "\x00" in name for name in action_types):
        sentence = f"A kind of action has 1 to {PATTERN_AT_MOST} characters."
        raise AuthorityInvalid(sentence, field="action_types")


def _refuse_unless_amount(amount: Decimal | None, currency: str) -> None:
    if amount is None:
        if currency:
            raise AuthorityInvalid("A currency goes with an amount.", field="currency")
        return
    if not amount.is_finite() or not 0 <= amount < _LARGEST or _is_too_fine(amount):
        raise AuthorityInvalid(
            "An amount is a number from 0, with 6 decimals at most.", field="amount"
        )
    if not (len(currency) == _CODE and currency.isascii() and currency.isupper()):
        raise AuthorityInvalid("A currency is its code of three letters.", field="currency")


def _is_too_fine(amount: Decimal) -> bool:
    return int(amount.normalize().as_tuple().exponent) < _FINEST


def _refuse_unless_sayable(note: str, expires_at: datetime | None, now: datetime) -> None:
    if len(note) > NOTE_AT_MOST or "\x00" in note:
        sentence = f"A note has at most {NOTE_AT_MOST} characters, none of them NUL."
        raise AuthorityInvalid(sentence, field="note")
    if expires_at is not None and not now < expires_at <= LATEST:
        sentence = "It ends after now." if expires_at <= now else "It ends before 3000."
        raise AuthorityInvalid(sentence, field="expires_at")
