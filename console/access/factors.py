"""How does allauth keep second factors here? Its secrets are sealed before they are written."""

from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings

from console.access.sealing import seal, unseal


class Adapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Seal what is written and open what is read."""

    def encrypt(self, text: str) -> str:
        """Return what may be kept of a secret."""
        return seal(text, _keys())

    def decrypt(self, encrypted_text: str) -> str:
        """Return the secret. Raises: Unopenable."""
        return unseal(encrypted_text, _keys())


def _keys() -> list[str]:
    return [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
