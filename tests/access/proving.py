"""People with something to prove themselves with: codes from a secret, and passkeys in software."""

import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
)
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import AttestedCredentialData, AuthenticatorData

from console.access.models import User
from console.access.operations.stepping_up import CODE_SECONDS

PASSWORD = "correct horse battery staple"
ORIGIN = "http://localhost:8000"


def code_of(secret: str, now: datetime, *, later: int = 0) -> str:
    """Return the code that an app shows, so many steps later."""
    step = int(now.timestamp()) // CODE_SECONDS + later
    return str(format_hotp_value(hotp_value(secret, step)))


def with_password(person: UUID) -> User:
    """Give a person a password; a second time changes nothing, so that nobody is signed out."""
    user = User.objects.get(id=person)
    if not user.check_password(PASSWORD):
        user.set_password(PASSWORD)
        user.save(update_fields=["password"])
    return user


def with_code(person: UUID) -> str:
    """Give a person a password and one-time codes, and return the secret of these."""
    user, secret = with_password(person), str(generate_totp_secret())
    TOTP.activate(user, secret)
    return secret


@dataclass(slots=True)
class Passkey:
    """An authenticator in software: makes one passkey and signs with it."""

    host: str = "localhost"
    origin: str = ORIGIN
    is_verified: bool = True
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    id: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    def made(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return what a browser answers to `navigator.credentials.create`."""
        public = ES256.from_cryptography_key(self.key.public_key())  # type: ignore[no-untyped-call]
        attested = AttestedCredentialData.create(b"\0" * 16, self.id, public)
        data = AuthenticatorData.create(
            self._host_digest(), self._flags() | AuthenticatorData.FLAG.AT, 0, attested
        )
        attestation = cbor.encode({"fmt": "none", "attStmt": {}, "authData": bytes(data)})
        client = self._client("webauthn.create", options["challenge"])
        return self._answer(clientDataJSON=client, attestationObject=attestation)

    def signed(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return what a browser answers to `navigator.credentials.get`."""
        data = bytes(AuthenticatorData.create(self._host_digest(), self._flags(), 1))
        client = self._client("webauthn.get", options["challenge"])
        signature = self.key.sign(data + sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(clientDataJSON=client, authenticatorData=data, signature=signature)

    def _host_digest(self) -> bytes:
        return sha256(self.host.encode()).digest()

    def _flags(self) -> AuthenticatorData.FLAG:
        present = AuthenticatorData.FLAG.UP
        return present | AuthenticatorData.FLAG.UV if self.is_verified else present

    def _client(self, kind: str, challenge: str) -> bytes:
        assert websafe_decode(challenge)
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()

    def _answer(self, **parts: bytes) -> dict[str, Any]:
        name = websafe_encode(self.id)
        response = {key: websafe_encode(value) for key, value in parts.items()}
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "response": response,
            "clientExtensionResults": {},
        }
