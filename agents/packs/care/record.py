"""Where in the ward's record does something stand, and how is it said?"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from approvals.effects import CannotDo
from console.canonical import Json
from snapshots import pointer
from snapshots.diff import Change

Record = Mapping[str, Any]
HOURS_A_DAY = 24


def section(document: Any, name: str) -> Record:
    """Return one part of the record. Raises: CannotDo."""
    part = document.get(name) if isinstance(document, dict) else None
    if not isinstance(part, dict):
        raise CannotDo(f"This State is no ward's record: it has no {name}.")
    return part


def entry(document: Any, name: str, key: str) -> Record:
    """Return one entry of a part, such as a patient. Raises: CannotDo."""
    found = section(document, name).get(key)
    if not isinstance(found, dict):
        raise CannotDo(f"There is nothing under {key!r} in {name}.")
    return found


def note(document: Any, number: str) -> Record:
    """Return one of the messages to the ward. Raises: CannotDo."""
    notes = document.get("messages") if isinstance(document, dict) else None
    found = next((each for each in notes or [] if each["id"] == number), None)
    if found is None:
        raise CannotDo(f"There is no message {number!r}.")
    return dict(found)


def active_order(document: Any, patient: str, number: str) -> Record:
    """Return an order that is being given. Raises: CannotDo."""
    orders = entry(document, "patients", patient)["orders"]
    if number not in orders:
        raise CannotDo(f"{patient} has no order {number!r}.")
    order: Record = orders[number]
    if order["status"] != "active":
        raise CannotDo(f"Order {number} is {order['status']}.")
    return order


def next_order(document: Any, patient: str) -> str:
    """Return the number that a new order of this patient gets; orders are never removed."""
    return f"{patient}-{len(entry(document, 'patients', patient)['orders']) + 1}"


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


def day(written: str) -> str:
    """Return a day as it is written. Raises: CannotDo."""
    try:
        return date.fromisoformat(written).isoformat()
    except ValueError as error:
        raise CannotDo(f"{written!r} is not a day of the calendar.") from error


def daily(dose: str, every_hours: int) -> Decimal:
    """Return how much a day a dose adds up to; what comes less than daily counts once."""
    return Decimal(dose) * HOURS_A_DAY / min(every_hours, HOURS_A_DAY)
