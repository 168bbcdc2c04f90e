"""Say that a part of the console is at work, and what it knows of itself."""

from collections.abc import Mapping
from datetime import datetime

from console.canonical import Json
from console.pulse.models import Beat


def beat(name: str, *, now: datetime, says: Mapping[str, Json] | None = None) -> None:
    """Write that this part was seen now; a beat that comes late never hides a later one."""
    row = Beat(name=name, at=now, says={**(says or {})})
    Beat.objects.bulk_create(
        [row], update_conflicts=True, unique_fields=["name"], update_fields=["at", "says"]
    )
