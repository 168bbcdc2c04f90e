"""What is left to do when a rollback takes back a record of something that left the house?

The record says again what it said before; the payment, the message, the dose is still out there.
A proposal to recover it stands on a State of its own, below the record, and carrying it out notes
that people have seen to it.
"""

from hashlib import sha256
from typing import Any, Final

from approvals.effects import Document, Effect, Params, register
from console.canonical import Json

NAME: Final = "recover"
EFFECT: Final = "approvals.recover"
_BELOW: Final = "/recoveries"
_KEY_AT_MOST: Final = 200
_DIGEST_CHARS: Final = 16
_TEXT: Final[dict[str, Json]] = {"type": "string", "maxLength": 1000}
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["proposal", "title", "state", "snapshot", "restoration", "reversibility"],
    "properties": {
        "proposal": _TEXT,
        "title": _TEXT,
        "state": _TEXT,
        "snapshot": {"type": "integer"},
        "executed_at": _TEXT,
        "restoration": _TEXT,
        "reversibility": _TEXT,
    },
}


def install() -> None:
    """Make the effect known."""
    register(EFFECT, Effect(_note))


def key_of(state_key: str) -> str:
    """Return the key of the State that holds what was recovered for a record."""
    if len(state_key) + len(_BELOW) <= _KEY_AT_MOST:
        return state_key + _BELOW
    # Cut short, long keys would meet in one State; a digest keeps them apart.
    own = f"-{sha256(state_key.encode()).hexdigest()[:_DIGEST_CHARS]}{_BELOW}"
    return state_key[: _KEY_AT_MOST - len(own)] + own


def nothing_yet() -> dict[str, Json]:
    """Return what that State holds at first."""
    return {"recoveries": {}}


def _note(document: Document, params: Params) -> Json:
    entry = {name: value for name, value in params.items() if name != "proposal"}
    # Whoever took the key first may have put anything there; that must not stop a rollback.
    kept = document if isinstance(document, dict) else nothing_yet()
    noted = kept.get("recoveries")
    known = noted if isinstance(noted, dict) else {}
    return {**kept, "recoveries": {**known, params["proposal"]: entry}}
