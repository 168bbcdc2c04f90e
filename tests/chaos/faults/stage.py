"""What is a fault? It strikes now and then, keeps what it sees, and counts the rest at the end.

Every fault has a thread of its own, so they meet. What one of them sees that must not be is kept at
once; most of what must not be is found afterwards, by the oracle.
"""

import logging
import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from tests.chaos.calling import Caller
from tests.chaos.product import Product
from tests.chaos.workload import Workload
from tests.chaos.world import Place

logger = logging.getLogger(__name__)


@dataclass
class Stage:
    """What faults act on, and what they have seen."""

    product: Product
    workload: Workload
    seed: int
    stops: list[tuple[UUID, datetime, datetime]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    curtain: threading.Event = field(default_factory=threading.Event)

    def pause(self, seconds: float) -> bool:
        """Wait; say whether the faults go on."""
        return not self.curtain.wait(seconds)


class Fault:
    """One way to fail: how often, what we expect, and what was seen."""

    name: ClassVar[str]
    title: ClassVar[str]
    expected: ClassVar[str]
    every: ClassVar[float]

    def __init__(self, stage: Stage) -> None:
        """Begin with nothing seen."""
        self.stage, self.product, self.workload = stage, stage.product, stage.workload
        self.injections = 0
        self.seen: Counter[str] = Counter()
        self.worst: dict[str, float] = {}

    def always(self, chance: random.Random, pace: float) -> None:
        """Strike at random times until the faults are over."""
        while self.stage.pause(chance.expovariate(1 / (self.every * pace))):
            try:
                struck = self.strike(chance)
            except Exception as error:  # noqa: BLE001  (a fault that cannot strike is told of)
                logger.info("%s did not strike: %r", self.name, error)
                self.seen["did not strike"] += 1
            else:
                self.injections += bool(struck)

    def strike(self, chance: random.Random) -> bool:
        """Do it once, and say whether it could be done."""
        raise NotImplementedError

    def look(self) -> None:
        """Count, after everything is quiet, what can only be seen then."""

    def went_wrong(self, what: str) -> None:
        """Keep what must not be."""
        self.seen["violations"] += 1
        self.stage.wrong.append(f"{self.name}: {what}")

    def took(self, what: str, seconds: float, at_most: float | None = None) -> None:
        """Keep the longest time of something, which is a violation beyond `at_most`."""
        self.worst[what] = max(self.worst.get(what, 0.0), round(seconds, 2))
        if at_most is not None and seconds > at_most:
            self.went_wrong(f"{what}: {seconds:.1f} s")

    def place(self, chance: random.Random) -> Place:
        """Choose a workspace."""
        return chance.choice(self.workload.places)

    def person(self, chance: random.Random, place: Place, name: str) -> Caller:
        """Return somebody's browser."""
        return self.workload.caller(chance, place.people[name].headers)

    def pending(self, chance: random.Random, place: Place) -> dict[str, Any] | None:
        """Return some proposal that waits for a decision, as it is shown."""
        reader = self.workload.client(chance, place)
        found = reader.ask("GET", "/api/v1/proposals?status=pending&limit=50")
        items = found.body["items"] if found.status == 200 else []
        if not items:
            return None
        shown = reader.ask("GET", f"/api/v1/proposals/{chance.choice(items)['id']}")
        return shown.body if shown.status == 200 else None


class Deadly(Fault):
    """A process is killed where it comes by one of some points, or as a whole."""

    points: ClassVar[tuple[str, ...]]
    process: ClassVar[str]
    whole_share: ClassVar[float] = 0.015
    # More would keep it from ever getting anywhere.
    armed_at_most: ClassVar[int] = 2

    def strike(self, chance: random.Random) -> bool:
        """Arm a point that nobody waits at yet; now and then kill all of it."""
        if chance.random() < self.whole_share:
            name = chance.choice(self.product.names(self.process))
            self.seen[f"whole {name} killed"] += 1
            return self.product.kill(name)
        if chance.random() < self.whole_share:
            name = chance.choice(self.product.names(self.process))
            self.seen["child killed anywhere"] += 1
            return self.product.kill_child(name, chance)
        armed = {*self.product.armed()} & {*self.points}
        if len(armed) >= self.armed_at_most:
            return False
        self.product.arm(chance.choice(sorted({*self.points} - armed)))
        return True

    def look(self) -> None:
        """Count who was killed where."""
        for point, times in self.product.taken().items():
            if point in self.points:
                self.seen[f"killed at {point}"] += times

    @property
    def kills(self) -> int:
        """Return how many processes died."""
        return sum(times for what, times in self.seen.items() if "killed" in what)


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)
