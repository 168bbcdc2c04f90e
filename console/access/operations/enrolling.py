"""Give somebody a second factor, or take one away.

Each change stands in the ledger of every workspace that the person belongs to. Whoever calls has
made sure that it is the person: see `stepping_up`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.webauthn.internal.auth import WebAuthn
from django.db import IntegrityError, transaction
from fido2.webauthn import (
    AttestedCredentialData,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from console import tenancy
from console.access.models import StepUp, User
from console.access.operations.stepping_up import StepUpFailed, purpose_of, server, step_of
from console.access.queries import person_as_actor, roles_everywhere
from console.canonical import Json
from console.errors import Conflict, Invalid, NotFound
from console.ledger.operations.appending import append

NAME_AT_MOST = 80
PASSKEYS_AT_MOST = 10
ENROLLING = purpose_of("enrol")


class FactorExists(Conflict):
    """You have one-time codes already; take them away before you add others."""

    code = "factor_exists"


class FactorUnusable(Invalid):
    """This second factor cannot be added as asked."""

    code = "factor_invalid"


def enrol_totp(*, person: UUID, secret: str, code: str, now: datetime) -> None:
    """Let a person prove themselves with codes made from a secret; the first code shows it works.

    Locks: the person. Raises: StepUpFailed (403), FactorExists (409).
    """
    step = step_of(secret, code, now)
    if step is None:
        raise StepUpFailed("This code does not fit; is the clock of your device right?")
    with transaction.atomic():
        user = _locked(person)
        _add_totp(user, secret)
        try:
            with transaction.atomic():
                # The code that enrolled signs nothing afterwards.
                _note_code(user, step, now)
        except IntegrityError as error:
            raise StepUpFailed from error
        _tell(user, "factor.added", {"kind": "totp"})


def begin_passkey_enrolment(*, person: UUID, host: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a browser makes a passkey from, and what to remember until it has.

    Shape: JSON for `navigator.credentials.create`; a state for `add_passkey`.
    Raises: FactorUnusable (422) when there are too many.
    """
    known = passkeys(person)
    if len(known) >= PASSKEYS_AT_MOST:
        raise FactorUnusable(f"You have {PASSKEYS_AT_MOST} passkeys, which is as many as we keep.")
    user = User.objects.get(id=person)
    entity = PublicKeyCredentialUserEntity(
        id=user.id.bytes, name=user.email, display_name=user.name
    )
    options, state = server(host).register_begin(
        entity,
        known,
        resident_key_requirement=ResidentKeyRequirement.PREFERRED,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return dict(options["publicKey"]), {**state, "host": host}


def add_passkey(
    *, person: UUID, name: str, credential: Mapping[str, Any], state: Mapping[str, Any]
) -> None:
    """Keep the passkey that a browser has made. Locks: the person. Raises: FactorUnusable (422)."""
    if not name.strip() or len(name) > NAME_AT_MOST or not name.isprintable():
        sentence = f"A passkey needs a name of 1 to {NAME_AT_MOST} characters that can be seen."
        raise FactorUnusable(sentence, field="name")
    with transaction.atomic():
        user = _locked(person)
        made = _made(credential, state)
        if made.credential_id in {item.credential_id for item in passkeys(person)}:
            raise FactorUnusable("You have added this passkey before.")
        if len(passkeys(person)) >= PASSKEYS_AT_MOST:
            raise FactorUnusable
        WebAuthn.add(user, name.strip(), dict(credential))
        _tell(user, "factor.added", {"kind": "passkey", "name": name.strip()})


def renew_recovery_codes(*, person: UUID) -> list[str]:
    """Return new codes for the day on which everything else is lost; earlier ones end."""
    with transaction.atomic():
        user = _locked(person)
        Authenticator.objects.filter(user=user, type=Authenticator.Type.RECOVERY_CODES).delete()
        codes: list[str] = RecoveryCodes.activate(user).get_unused_codes()
        _tell(user, "factor.added", {"kind": "recovery codes"})
    return codes


def remove_factor(*, person: UUID, factor_id: int) -> None:
    """Take a factor away; with the last one go the recovery codes. Raises: NotFound (404)."""
    with transaction.atomic():
        user = _locked(person)
        mine = Authenticator.objects.filter(user=user)
        row = mine.filter(id=factor_id).first()
        if row is None:
            raise NotFound
        body: dict[str, Json] = {"kind": row.type, "name": str(row)}
        row.delete()
        if not mine.exclude(type=Authenticator.Type.RECOVERY_CODES).exists():
            mine.delete()
        _tell(user, "factor.removed", body)


def passkeys(person: UUID) -> list[AttestedCredentialData]:
    """Return a person's passkeys."""
    rows = Authenticator.objects.filter(user=person, type=Authenticator.Type.WEBAUTHN)
    return [row.wrap().authenticator_data.credential_data for row in rows]


def _locked(person: UUID) -> User:
    return User.objects.select_for_update(no_key=True).get(id=person)


def _add_totp(user: User, secret: str) -> None:
    try:
        with transaction.atomic():
            TOTP.activate(user, secret)
    except IntegrityError as error:
        raise FactorExists from error


def _note_code(user: User, step: int, now: datetime) -> None:
    StepUp.objects.create(
        person=user,
        purpose=ENROLLING,
        method="password_totp",
        code_step=step,
        verified_at=now,
        used_at=now,
    )


def _made(credential: Mapping[str, Any], state: Mapping[str, Any]) -> AttestedCredentialData:
    try:
        answer = RegistrationResponse.from_dict(credential)
        data = server(state["host"]).register_complete(state, answer)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise FactorUnusable("Your browser did not finish making the passkey.") from error
    if data.credential_data is None:
        raise FactorUnusable
    return data.credential_data


def _tell(user: User, verb: str, body: dict[str, Json]) -> None:
    # In one order for everybody, because each line locks the end of its ledger.
    for workspace, roles in sorted(roles_everywhere(user.id), key=lambda held: held[0].id):
        actor = person_as_actor(user, workspace.id, {*roles})
        with tenancy.within(workspace.id):
            append(actor, verb, f"person:{user.id}", body)
