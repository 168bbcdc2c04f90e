"""What is left to do when a rollback takes back a record of something that left the house?

The record says again what it said before; the payment, the message, the dose is still out there.
A proposal to recover it stands on a State of its own, below the record, and carrying it out notes
that people have seen to it.
"""

from typing import Any, Final

from approvals.effects import Document, Effect, Params, register
from console.canonical import Json

NAME: Final = "recover"
EFFECT: Final = "approvals.recover"
_BELOW: Final = "/recoveries"
_KEY_AT_MOST: Final = 200
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
    return state_key[: _KEY_AT_MOST - len(_BELOW)] + _BELOW


def nothing_yet() -> dict[str, Json]:
    """Return what that State holds at first."""
    return {"recoveries": {}}


def _note(document: Document, params: Params) -> Json:
    entry = {name: value for name, value in params.items() if name != "proposal"}
    return {
        **document,
        "recoveries": {**document.get("recoveries", {}), params["proposal"]: entry},
    }
