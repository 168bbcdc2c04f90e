"""Where in the accounts payable record does something stand, and how is it said?"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from approvals.effects import CannotDo
from console.canonical import Json
from snapshots import pointer
from snapshots.diff import Change

Record = Mapping[str, Any]


def section(document: Any, name: str) -> Record:
    """Return one part of the record. Raises: CannotDo."""
    part = document.get(name) if isinstance(document, dict) else None
    if not isinstance(part, dict):
        raise CannotDo(f"This State is no accounts payable record: it has no {name}.")
    return part


def entry(document: Any, name: str, key: str) -> Record:
    """Return one entry of a part, such as a vendor. Raises: CannotDo."""
    found = section(document, name).get(key)
    if not isinstance(found, dict):
        raise CannotDo(f"There is nothing under {key!r} in {name}.")
    return found


def mail(document: Any, number: str) -> Record:
    """Return a message of the mailbox. Raises: CannotDo."""
    box = document.get("mailbox") if isinstance(document, dict) else None
    found = next((each for each in box or [] if each["id"] == number), None)
    if found is None:
        raise CannotDo(f"There is no message {number!r} in the mailbox.")
    return dict(found)


def replaced(where: tuple[str, ...], old: Record, values: dict[str, Json]) -> list[Change]:
    """List the changes that give an entry new values; a value that stays is no change."""
    changes = []
    for name, value in values.items():
        path = pointer.build((*where, name))
        if name not in old:
            changes.append(Change("add", path, value=value))
        elif old[name] != value:
            changes.append(Change("replace", path, old[name], value))
    return changes


def day(written: str) -> date:
    """Read a day. Raises: CannotDo."""
    try:
        return date.fromisoformat(written)
    except ValueError as error:
        raise CannotDo(f"{written!r} is not a day of the calendar.") from error


def money(amount: str, currency: str) -> str:
    """Write an amount for a sentence."""
    return f"{currency} {Decimal(amount):,.2f}"
