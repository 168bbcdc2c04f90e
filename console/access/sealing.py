"""How is a secret kept in the database so that a copy of the database does not give it away?

Encrypted and authenticated with a key made from the console's own secret key, which is kept
elsewhere. The first of several keys seals; all of them open, so that a key can be replaced.
"""

import base64
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_KEY_BYTES = 32
_PURPOSE = b"countersign second factors"


class Unopenable(ValueError):
    """None of the keys opens this; the key that sealed it is gone, or it was altered."""


def seal(text: str, keys: Sequence[str]) -> str:
    """Return what may be kept of a secret."""
    return _box(keys).encrypt(text.encode()).decode("ascii")


def unseal(kept: str, keys: Sequence[str]) -> str:
    """Return the secret. Raises: Unopenable."""
    try:
        return _box(keys).decrypt(kept.encode()).decode()
    except InvalidToken as error:
        raise Unopenable from error


def _box(keys: Sequence[str]) -> MultiFernet:
    return MultiFernet([Fernet(_derived(key)) for key in keys])


def _derived(key: str) -> bytes:
    """Return a key of its own for this purpose. Source: RFC 5869."""
    derived = HKDF(SHA256(), _KEY_BYTES, salt=None, info=_PURPOSE).derive(key.encode())
    return base64.urlsafe_b64encode(derived)
