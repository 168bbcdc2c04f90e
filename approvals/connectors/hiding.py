"""What of a provider's words may be kept and shown? Never a secret of ours that it echoes."""

import base64
import json
from collections.abc import Iterable
from urllib.parse import quote

SHOWN_AT_MOST = 1_000
REFERENCE_AT_MOST = 200
VEIL = "•••"
_TELLING = 4


class Veil:
    """Knows secrets, and takes them out of texts in every form in which they were sent."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Take the secrets that a connector uses."""
        forms = {form for secret in secrets if secret for form in _forms(secret)}
        # Longest first, so that a form within another leaves nothing of it.
        self._forms = sorted(forms, key=len, reverse=True)

    def __repr__(self) -> str:
        """Show nothing."""
        return "Veil()"

    def over(self, text: str, at_most: int = SHOWN_AT_MOST) -> str:
        """Return a text without secrets, printable and cut."""
        for form in self._forms:
            text = text.replace(form, VEIL)
        text = self._without_beginnings(text)
        return "".join(each if each.isprintable() else " " for each in text[:at_most])

    def shown(self, body: bytes) -> str:
        """Return the beginning of an answer."""
        return self.over(body.decode(errors="replace")).strip()

    def reference(self, text: str) -> str:
        """Return what a provider calls something."""
        return self.over(text, REFERENCE_AT_MOST)

    def _without_beginnings(self, text: str) -> str:
        """Take off a secret that the end of what was read has cut."""
        for form in self._forms:
            for length in range(min(len(form) - 1, len(text)), _TELLING - 1, -1):
                if text.endswith(form[:length]):
                    return text[:-length] + VEIL
        return text


def _forms(secret: str) -> Iterable[str]:
    raw = secret.encode()
    yield secret
    yield quote(secret, safe="")
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield base64.b64encode(raw).decode()
    yield base64.urlsafe_b64encode(raw).decode()
