"""How does a receiver know that a message is ours? By signatures that only its secret makes.

Source: Standard Webhooks 1.0.0, through the package of its authors.
"""

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

PREFIX = "whsec_"
SECRET_BYTES = 32


def new_secret() -> str:
    """Return a new secret as its receiver writes it down."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signed(body: bytes, message_id: str, keys: Sequence[str], now: datetime) -> dict[str, str]:
    """Return the headers that prove where a message comes from, one signature per key."""
    at = now.astimezone(UTC).replace(microsecond=0)
    signatures = [Webhook(key).sign(message_id, at, body.decode()) for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
