"""What does a checkpoint say, and who vouches for it?

A checkpoint says where a workspace's ledger ended at a moment, and names the checkpoint before it.
It is signed with Ed25519. One signature for each workspace and not one for all of them: a file of
checkpoints can then be given to that workspace's auditor, names no other one, and is checked
without the others; a signature takes a fiftieth of a millisecond.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from console.canonical import canonical_bytes, sha256

FORMAT = "countersign-checkpoint/1"
_PEM_END = b"-----END PUBLIC KEY-----"
_PEM, _DER = serialization.Encoding.PEM, serialization.Encoding.DER
_PUBLIC = serialization.PublicFormat.SubjectPublicKeyInfo


class Unusable(ValueError):
    """A key, or a line of checkpoints, is not what it should be; the message says why."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where one ledger ended: `digest` is that of entry `seq`, `previous` the checkpoint before.

    `key` is the fingerprint of the key that signs it; times are UTC to the microsecond.
    """

    workspace: str
    number: int
    seq: int
    digest: str
    at: datetime
    previous: str
    key: str

    def statement(self) -> bytes:
        """Return the bytes that are signed."""
        return canonical_bytes(self._value())

    def seal(self) -> str:
        """Return the SHA-256 of the statement, which the next checkpoint names."""
        return sha256(self.statement())

    def _value(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "workspace": self.workspace,
            "number": self.number,
            "seq": self.seq,
            "digest": self.digest,
            "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "previous": self.previous,
            "key": self.key,
        }


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint and the signature of its statement, 128 lowercase hex digits."""

    checkpoint: Checkpoint
    signature: str

    def line(self) -> bytes:
        """Return it as it is kept in the second place: one canonical line, its end included."""
        value = orjson.loads(self.checkpoint.statement())
        return canonical_bytes({**value, "signature": self.signature}) + b"\n"


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> Signed:
    """Return the checkpoint with its signature."""
    return Signed(checkpoint, key.sign(checkpoint.statement()).hex())


def is_vouched_for(signed: Signed, keys: Mapping[str, Ed25519PublicKey]) -> bool:
    """Say whether the key that a checkpoint names has signed it. Raises: KeyError."""
    try:
        keys[signed.checkpoint.key].verify(
            bytes.fromhex(signed.signature), signed.checkpoint.statement()
        )
    except (InvalidSignature, ValueError):
        return False
    return True


def from_line(raw: bytes) -> Signed:
    """Read a line of the second place, which is written in one way only. Raises: Unusable."""
    try:
        value = orjson.loads(raw)
        checkpoint = Checkpoint(
            workspace=str(value["workspace"]),
            number=int(value["number"]),
            seq=int(value["seq"]),
            digest=str(value["digest"]),
            at=datetime.fromisoformat(value["at"]),
            previous=str(value["previous"]),
            key=str(value["key"]),
        )
        signed = Signed(checkpoint, str(value["signature"]))
        is_ours = signed.line() == raw.rstrip(b"\n") + b"\n"
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Unusable("it cannot be read") from error
    if not is_ours:
        raise Unusable("it is not written as a checkpoint is")
    return signed


def fingerprint(key: Ed25519PublicKey) -> str:
    """Return the name of a key: the SHA-256 of its SubjectPublicKeyInfo (RFC 8410)."""
    return sha256(key.public_bytes(_DER, _PUBLIC))


def public_keys(pem: bytes) -> dict[str, Ed25519PublicKey]:
    """Read a list of public keys, one PEM block behind the other. Raises: Unusable."""
    blocks = [block + _PEM_END for block in pem.split(_PEM_END)[:-1]]
    found = [_public(block) for block in blocks]
    if not found:
        raise Unusable("there is no public key in it")
    return {fingerprint(key): key for key in found}


def _public(block: bytes) -> Ed25519PublicKey:
    try:
        key = serialization.load_pem_public_key(block)
    except ValueError as error:
        raise Unusable("a key in it cannot be read") from error
    if not isinstance(key, Ed25519PublicKey):
        raise Unusable("a key in it is not of Ed25519")
    return key


def private_key(pem: bytes) -> Ed25519PrivateKey:
    """Read the key that signs. Raises: Unusable."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise Unusable("the key cannot be read; it is kept as PEM, without a password") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise Unusable("the key is not of Ed25519")
    return key


def new_private_pem() -> str:
    """Return a new key that signs, as PEM."""
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


def public_pem(keys: Iterable[Ed25519PublicKey]) -> bytes:
    """Return public keys as a list of PEM blocks."""
    return b"".join(key.public_bytes(_PEM, _PUBLIC) for key in keys)
