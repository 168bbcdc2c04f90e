"""Prove once more who somebody is: a password with a one-time code, or a passkey.

A proof is for one purpose, is used once, and not for long. Whoever guesses is stopped after a few
attempts, in whichever way they guess. All of it is in the database, so that it holds across
processes: a code or an answer to a challenge that one process took is refused by the others.
"""

import secrets
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from allauth.core.internal.cryptokit import compare_user_code, normalize_user_code
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from allauth.mfa.utils import decrypt
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from fido2 import cbor
from fido2.server import Fido2Server
from fido2.utils import websafe_encode
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    UserVerificationRequirement,
)

from console.access.models import Challenge, StepUp, StepUpFailure, User
from console.canonical import Json, digest
from console.errors import Conflict, Forbidden, Refused

T = TypeVar("T")
FRESH = timedelta(minutes=5)
WRONG_AT_MOST, WINDOW = 5, timedelta(minutes=15)
CODE_SECONDS = 30
# A clock that is half a minute off, either way, is still on time.
STEPS_APART = 1
_RECOVERY_DIGITS = 8
_KEPT = timedelta(days=1)


class StepUpRequired(Forbidden):
    """This takes a signature: prove once more who you are, for exactly this."""

    code = "step_up_required"


class StepUpFailed(Forbidden):
    """This did not prove who you are; a code counts once, and nothing was signed."""

    code = "step_up_failed"


class StepUpLocked(Refused):
    """Too many attempts to prove who you are; wait a quarter of an hour."""

    status: ClassVar[int] = 429
    code = "step_up_locked"


class NoSecondFactor(Conflict):
    """You have nothing to prove yourself with yet; add a one-time code or a passkey first."""

    code = "no_second_factor"


@dataclass(frozen=True, slots=True)
class Proof:
    """What a step-up that was used leaves: when, in which way, and what it was about."""

    id: UUID
    method: str
    verified_at: datetime
    about: Mapping[str, Any] = field(default_factory=dict)
    assertion: dict[str, Any] | None = None


def purpose_of(what: str, **about: Json) -> str:
    """Return the purpose of a step-up for something that has no statement of its own."""
    return digest({"for": what, **about})


def step_up(
    *,
    person: UUID,
    purpose: str,
    password: str,
    code: str,
    now: datetime,
    about: Mapping[str, Json] | None = None,
) -> UUID:
    """Prove it with the password and a one-time code; both have to be right.

    Locks: the person, so that guesses come one after the other.
    Raises: StepUpFailed (403), StepUpLocked (429), NoSecondFactor (409).
    """

    def prove(user: User) -> StepUp | None:
        totp = _totp(user)
        # Both are looked at whatever the other says, so that the time it takes tells nothing.
        is_right = user.check_password(password)
        step = _step_of(totp, code, now)
        if not is_right or step is None:
            return None
        return _by_code(user, totp, step, purpose, about or {}, now)

    return _attempt(person, prove, now)


def second_step(*, person: UUID, purpose: str, code: str, now: datetime) -> UUID:
    """Prove it with a one-time or a recovery code alone, after the password was right.

    Raises: StepUpFailed (403), StepUpLocked (429), NoSecondFactor (409).
    """

    def prove(user: User) -> StepUp | None:
        if len(normalize_user_code(code)) == _RECOVERY_DIGITS:
            return _by_recovery(user, code, purpose, now)
        totp = _totp(user)
        step = _step_of(totp, code, now)
        return None if step is None else _by_code(user, totp, step, purpose, {}, now)

    return _attempt(person, prove, now)


def confirm(*, person: UUID, purpose: str, password: str, code: str, now: datetime) -> UUID:
    """Prove it with the password and a code, which may be one for the day everything is lost.

    Raises: StepUpFailed (403), StepUpLocked (429), NoSecondFactor (409).
    """

    def prove(user: User) -> StepUp | None:
        is_right = user.check_password(password)
        if len(normalize_user_code(code)) == _RECOVERY_DIGITS:
            return _by_recovery(user, code, purpose, now) if is_right else None
        totp = _totp(user)
        step = _step_of(totp, code, now)
        if not is_right or step is None:
            return None
        return _by_code(user, totp, step, purpose, {}, now)

    return _attempt(person, prove, now)


def confirm_password(*, person: UUID, password: str, now: datetime) -> None:
    """Make sure of the password alone. Raises: StepUpFailed (403), StepUpLocked (429)."""

    def prove(user: User) -> bool | None:
        return user.check_password(password) or None

    _guarded(person, prove, now)


def begin_passkey(
    *,
    person: UUID,
    purpose: str,
    host: str,
    now: datetime,
    over: bytes = b"",
    about: Mapping[str, Json] | None = None,
) -> dict[str, Any]:
    """Return what a browser asks a passkey to sign, and remember it.

    Shape: `over` is the digest of a statement that holds something nobody could guess; without
    one the challenge is 32 random bytes and the purpose. The answer is JSON for
    `navigator.credentials.get`. Raises: NoSecondFactor (409).
    """
    credentials = [credential for _, credential in _passkeys(person)]
    if not credentials:
        raise NoSecondFactor
    challenge = over or secrets.token_bytes(32) + bytes.fromhex(purpose)
    with transaction.atomic():
        Challenge.objects.filter(person=person, made_at__lt=now - _KEPT).delete()
        Challenge.objects.create(
            person_id=person,
            purpose=purpose,
            about=dict(about or {}),
            challenge=challenge.hex(),
            host=host,
            made_at=now,
        )
    options, _ = server(host).authenticate_begin(
        credentials, UserVerificationRequirement.REQUIRED, challenge
    )
    return dict(options["publicKey"])


def step_up_with_passkey(
    *, person: UUID, purpose: str, assertion: Mapping[str, Any], now: datetime
) -> UUID:
    """Prove it with a passkey's answer to a challenge that was made for this purpose.

    Locks: the person. Raises: StepUpFailed (403), StepUpLocked (429).
    """

    def prove(user: User) -> StepUp | None:
        try:
            answer = AuthenticationResponse.from_dict(assertion)
            asked = _take(user, purpose, answer.response.client_data.challenge, now)
            if asked is None:
                return None
            passkey, credential = _verified(user, asked, answer)
        except (AttributeError, LookupError, TypeError, ValueError, struct.error):
            # Whatever a browser sends that is no answer to what we asked.
            return None
        Authenticator.objects.filter(id=passkey.id).update(last_used_at=now)
        kept = {
            "challenge": asked.challenge,
            "host": asked.host,
            "public_key": cbor.encode(dict(credential.public_key)).hex(),
            "response": _as_json(answer),
        }
        return StepUp.objects.create(
            person=user,
            purpose=purpose,
            about=asked.about,
            method="passkey",
            assertion=kept,
            verified_at=now,
        )

    return _attempt(person, prove, now)


def use(*, step_up: UUID | None, person: UUID, purpose: str, now: datetime) -> Proof:
    """Use a proof up; part of the caller's transaction. Raises: StepUpRequired (403)."""
    if step_up is None:
        raise StepUpRequired
    rows = StepUp.objects.filter(
        id=step_up, person=person, purpose=purpose, method__in=["password_totp", "passkey"]
    )
    if not _fresh(rows, now).update(used_at=now):
        raise StepUpRequired
    row = rows.get()
    return Proof(row.id, row.method, row.verified_at, row.about, row.assertion)


def is_fresh(*, step_up: UUID, person: UUID, purpose: str, now: datetime) -> bool:
    """Say whether a proof can still be used."""
    rows = StepUp.objects.filter(id=step_up, person=person, purpose=purpose)
    return _fresh(rows, now).exists()


def server(host: str) -> Fido2Server:
    """Return whoever asks passkeys under a host name."""
    return Fido2Server(PublicKeyCredentialRpEntity(name="Countersign", id=host))


def _fresh(rows: QuerySet[StepUp], now: datetime) -> QuerySet[StepUp]:
    return rows.filter(used_at=None, verified_at__gt=now - FRESH)


def _attempt(person: UUID, prove: Callable[[User], StepUp | None], now: datetime) -> UUID:
    return _guarded(person, prove, now).id


def _guarded(person: UUID, prove: Callable[[User], T | None], now: datetime) -> T:
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(id=person)
        failures = StepUpFailure.objects.filter(person=user)
        if failures.filter(at__gt=now - WINDOW).count() >= WRONG_AT_MOST:
            raise StepUpLocked
        proof = prove(user) if user.is_active else None
        if proof is None:
            failures.filter(at__lt=now - _KEPT).delete()
            StepUpFailure.objects.create(person=user, at=now)
    if proof is None:
        raise StepUpFailed
    return proof


def _totp(user: User) -> Authenticator:
    found = Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).first()
    if found is None:
        raise NoSecondFactor
    return found


def _step_of(totp: Authenticator, code: str, now: datetime) -> int | None:
    return step_of(decrypt(totp.data["secret"]), code, now)


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """Return the time step of a one-time code, or nothing when it is wrong. Source: RFC 6238."""
    here = int(now.timestamp()) // CODE_SECONDS
    steps = range(here - STEPS_APART, here + STEPS_APART + 1)
    # Each is compared, the right one too, so that the time it takes tells nothing.
    right = [
        step
        for step in steps
        if compare_user_code(actual=code, expected=format_hotp_value(hotp_value(secret, step)))
    ]
    return right[0] if right else None


def _by_code(
    user: User,
    totp: Authenticator,
    step: int,
    purpose: str,
    about: Mapping[str, Json],
    now: datetime,
) -> StepUp | None:
    try:
        with transaction.atomic():
            proof = StepUp.objects.create(
                person=user,
                purpose=purpose,
                about=dict(about),
                method="password_totp",
                code_step=step,
                verified_at=now,
            )
    except IntegrityError:
        return None
    Authenticator.objects.filter(id=totp.id).update(last_used_at=now)
    return proof


def _by_recovery(user: User, code: str, purpose: str, now: datetime) -> StepUp | None:
    kept = Authenticator.objects.filter(user=user, type=Authenticator.Type.RECOVERY_CODES).first()
    if kept is None or not RecoveryCodes(kept).validate_code(code):
        return None
    Authenticator.objects.filter(id=kept.id).update(last_used_at=now)
    return StepUp.objects.create(
        person=user, purpose=purpose, method="password_recovery", verified_at=now
    )


def _passkeys(person: UUID) -> list[tuple[Authenticator, AttestedCredentialData]]:
    rows = Authenticator.objects.filter(user=person, type=Authenticator.Type.WEBAUTHN)
    return [(row, row.wrap().authenticator_data.credential_data) for row in rows]


def _take(user: User, purpose: str, challenge: bytes, now: datetime) -> Challenge | None:
    rows = Challenge.objects.filter(person=user, purpose=purpose, challenge=challenge.hex())
    taken = rows.filter(used_at=None, made_at__gt=now - FRESH).update(used_at=now)
    return rows.get() if taken else None


def _verified(
    user: User, asked: Challenge, answer: AuthenticationResponse
) -> tuple[Authenticator, AttestedCredentialData]:
    passkeys = _passkeys(user.id)
    state = {
        "challenge": websafe_encode(bytes.fromhex(asked.challenge)),
        "user_verification": UserVerificationRequirement.REQUIRED,
    }
    known = server(asked.host).authenticate_complete(
        state, [credential for _, credential in passkeys], answer
    )
    return next(pair for pair in passkeys if pair[1].credential_id == known.credential_id)


def _as_json(answer: AuthenticationResponse) -> dict[str, Json]:
    """Return the three byte strings that a signature is checked with, in base64url."""
    return {
        "client_data": websafe_encode(answer.response.client_data),
        "authenticator_data": websafe_encode(answer.response.authenticator_data),
        "signature": websafe_encode(answer.response.signature),
    }
