"""Read how dependencies stand."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from console.breakers.models import Breaker


class Standing(NamedTuple):
    """How one dependency stands, for people: `status` is closed, open or probing."""

    name: str
    status: str
    failures: int
    until: datetime | None
    problem: str


def standing(names: Collection[str]) -> dict[str, Standing]:
    """Return how these dependencies stand; those that never failed are left out."""
    rows = Breaker.objects.filter(name__in=names)
    found = rows.values_list("name", "status", "failures", "until", "problem")
    return {each[0]: Standing(*each) for each in found}


def not_closed(*, at_most: int = 100) -> list[Standing]:
    """Return the dependencies that are left alone now."""
    rows = Breaker.objects.exclude(status="closed").order_by("name")
    found = rows.values_list("name", "status", "failures", "until", "problem")
    return [Standing(*each) for each in found[:at_most]]
