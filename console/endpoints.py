"""What do all endpoints share: the shape of problems, and keys that make a repeat harmless?"""

from typing import Any

from ninja import Schema
from pydantic import ConfigDict

from console.errors import Invalid


class IdempotencyKeyRequired(Invalid):
    """Send an Idempotency-Key, so that a repeated request does nothing twice."""

    status = 400
    code = "idempotency_key_required"


class Problem(Schema):
    """An error: `code` is stable, `detail` is for people (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    code: str
    detail: str


PROBLEMS: dict[int, Any] = dict.fromkeys(
    (400, 401, 403, 404, 409, 410, 412, 413, 422, 429), Problem
)
KEY_AT_MOST = 120
# How often a long poll looks at the row.
POLL_SECONDS = 0.5


def usable_key(key: str) -> str:
    """Return an Idempotency-Key that can be kept. Raises: IdempotencyKeyRequired (400)."""
    if not key.strip():
        raise IdempotencyKeyRequired
    if len(key) > KEY_AT_MOST or "\x00" in key:
        raise Invalid(f"An Idempotency-Key has at most {KEY_AT_MOST} characters, none of them NUL.")
    return key
