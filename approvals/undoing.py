"""What undoes an effect outside, with which parameters, until when, and in whose turn?

An action type declares it once. Nothing of it is carried out without decisions of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from approvals.effects import Measure
from console.canonical import Json
from snapshots import pointer
from snapshots.pointer import BadPointer, NothingThere

IRREVERSIBLE: Final = "irreversible"
_KNOWN: Final = frozenset({"action_type", "params", "within_seconds"})
_TEXT_AT_MOST: Final = 300


class CannotUndo(ValueError):
    """What was declared makes no action of this effect; the message says why."""


@dataclass(frozen=True, slots=True)
class Effected:
    """An effect that went out: its parameters, the provider's name for it, ours, and when."""

    params: dict[str, Any]
    reference: str
    execution: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Undoing:
    """What would be proposed to undo an effect; without an action it cannot be undone.

    `text` says why not.
    """

    action_type: str = ""
    params: Mapping[str, Json] | None = None
    due_at: datetime | None = None
    text: str = ""

    @property
    def is_possible(self) -> bool:
        """Say whether there is something to propose."""
        return bool(self.action_type)


def objection_to_declaration(declared: Mapping[str, Any]) -> str:
    """Say what is wrong with what an action type declares, or nothing."""
    if not declared:
        return ""
    known = {IRREVERSIBLE, "text"} if declared.get(IRREVERSIBLE) else _KNOWN
    if unknown := declared.keys() - known:
        return f"What is declared here has no {min(unknown)}."
    return "" if declared.get(IRREVERSIBLE) else _objection_to_action(declared)


def _objection_to_action(declared: Mapping[str, Any]) -> str:
    if not isinstance(declared.get("action_type"), str) or not declared["action_type"]:
        return "A compensation names the action type that undoes the effect."
    if not isinstance(declared.get("params", {}), dict):
        return "The parameters of a compensation are an object."
    seconds = declared.get("within_seconds")
    if seconds is not None and (type(seconds) not in {int, float} or seconds <= 0):
        return "within_seconds is a number above zero."
    return ""


def undoing_of(declared: Mapping[str, Any], effect: Effected, now: datetime) -> Undoing | None:
    """Return what would undo an effect now; nothing where its type declares nothing.

    Raises: CannotUndo.
    """
    if not declared:
        return None
    if declared.get(IRREVERSIBLE):
        return Undoing(text=str(declared.get("text") or "It cannot be undone.")[:_TEXT_AT_MOST])
    due_at = _due_at(declared, effect)
    if due_at is not None and due_at <= now:
        when = f"{due_at:%Y-%m-%d %H:%M} UTC"
        return Undoing(due_at=due_at, text=f"It could be undone until {when}; that has passed.")
    params = {name: _mapped(what, effect) for name, what in declared.get("params", {}).items()}
    return Undoing(declared["action_type"], params, due_at)


def _due_at(declared: Mapping[str, Any], effect: Effected) -> datetime | None:
    seconds = declared.get("within_seconds")
    return None if seconds is None else effect.at + timedelta(seconds=float(seconds))


def _mapped(what: Any, effect: Effected) -> Json:
    """Return a parameter: what a JSON Pointer finds in the original's, or text with its names."""
    if not isinstance(what, str):
        kept: Json = what
        return kept
    if what.startswith("/"):
        try:
            found: Json = pointer.get(effect.params, what)
        except (BadPointer, NothingThere) as error:
            raise CannotUndo(f"The original has no {what}.") from error
        return found
    return what.replace("{{reference}}", effect.reference).replace(
        "{{execution}}", effect.execution
    )


def is_too_much(original: Measure, undoing: Measure) -> bool:
    """Say whether undoing an effect would move more than the effect itself did."""
    if undoing.amount is None:
        return False
    if original.amount is None or original.currency != undoing.currency:
        return undoing.amount != Decimal(0)
    return abs(undoing.amount) > abs(original.amount)


def earlier_turn(number: int, waiting: Sequence[int]) -> int | None:
    """Return the first turn that has to end before this one, or nothing when it is its turn."""
    return min((other for other in waiting if other < number), default=None)
