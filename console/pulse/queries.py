"""Read when which part was last seen."""

from datetime import datetime
from typing import Any, NamedTuple

from console.pulse.models import Beat

QUEUE = "queue:"


class Seen(NamedTuple):
    """A part, when it was last at work, and what it said then."""

    at: datetime
    says: dict[str, Any]


def beats() -> dict[str, Seen]:
    """Return every part by name."""
    return {row.name: Seen(row.at, row.says) for row in Beat.objects.order_by("name")}
