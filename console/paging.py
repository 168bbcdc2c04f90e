"""Which rows come next? Paged by the last row's key: page ten thousand costs as page one."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from django.db.models import DateTimeField, Model, Q, QuerySet, UUIDField

from console.errors import Invalid

Row = TypeVar("Row", bound=Model)
CURSOR_AT_MOST = 200


class BadCursor(Invalid):
    """This cursor was not made by this list."""

    status = 400
    code = "cursor_invalid"


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows, and the cursor that continues after them (empty at the end)."""

    rows: Sequence[Row]
    next_cursor: str


def page(
    rows: QuerySet[Row], *, by: str, cursor: str = "", size: int = 50, newest_first: bool = True
) -> Page[Row]:
    """Return one page of `rows` ordered by the column `by` and then the id, or by the id alone.

    Raises: BadCursor (400).
    """
    if cursor:
        # Django documents `_meta`, underscore and all.
        column = rows.model._meta.get_field(by)  # noqa: SLF001
        place = _read(cursor, column)
        rows = rows.filter(_after(by, *place, newest_first=newest_first))
    sign = "-" if newest_first else ""
    found = list(rows.order_by(f"{sign}{by}", f"{sign}id")[: size + 1])
    more = len(found) > size
    return Page(found[:size], _write(found[size - 1], by) if more else "")


def _after(by: str, value: datetime | int | UUID, row_id: UUID, *, newest_first: bool) -> Q:
    side = "lt" if newest_first else "gt"
    # The first condition lets the index find the place; the second settles equal values.
    reachable = Q(**{f"{by}__{side}e": value})
    return reachable & (Q(**{f"{by}__{side}": value}) | Q(**{f"id__{side}": row_id}))


def _write(row: Model, by: str) -> str:
    value = getattr(row, by)
    shown = value.isoformat() if isinstance(value, datetime) else value
    shown = str(shown) if isinstance(shown, UUID) else shown
    text = json.dumps([shown, str(row.pk)])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(cursor: str, column: object) -> tuple[datetime | int | UUID, UUID]:
    if len(cursor) > CURSOR_AT_MOST:
        raise BadCursor
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        value, row_id = json.loads(base64.urlsafe_b64decode(padded))
        return _value(value, column), UUID(row_id)
    except (ValueError, TypeError, AttributeError) as error:
        raise BadCursor from error


def _value(value: str, column: object) -> datetime | int | UUID:
    if isinstance(column, UUIDField):
        return UUID(value)
    return _time(value) if isinstance(column, DateTimeField) else _number(value)


def _time(value: str) -> datetime:
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise BadCursor
    return at


def _number(value: object) -> int:
    if type(value) is not int or abs(value) >= 2**63:
        raise BadCursor
    return value
