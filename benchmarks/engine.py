"""How many runs and steps a second does the engine lead, next to DBOS Transact and to PostgreSQL?

Every subject gets runs of steps that do nothing and records each step. Ours are led by
`agents.operations.running.work` in one process, in two, and by the Celery worker as it ships,
where one ring of the bell claims many runs. Writing the runs down is not counted for anybody.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from django.db.models import Max

from agents.models import Run
from benchmarks import world
from benchmarks.figures import Figure, Part, in_turns
from benchmarks.hands import Hand, together
from benchmarks.servers import console
from console.access.models import Workspace
from console.celery import app

FLOOR = "one prepared INSERT a commit"
FLOOR_ROWS = 2000
LOOK_SECONDS = 0.05
PATIENCE_SECONDS = 60.0
CHILDREN = 2
TARGET = 10.0
DBOS_WAYS = {"in a row": "in_a_row", "4 threads": "in_threads", "queue": "from_queue"}


@dataclass(frozen=True, slots=True)
class Load:
    """Runs of one length: how many of them for us, and for the slower yardstick."""

    steps: int
    ours: int
    theirs: int


LOADS = (Load(1, 600, 100), Load(10, 150, 40), Load(100, 24, 8))
QUICK_LOADS = (Load(10, 100, 16), Load(100, 16, 4))


@dataclass(frozen=True, slots=True)
class Engine:
    """Our workers, loaded and waiting."""

    place: Workspace
    hands: Sequence[Hand]
    floor: Hand

    def inserts(self) -> float:
        """Insert rows with nothing around it; return rows per second."""
        rate: float = self.floor.call("insert", FLOOR_ROWS)
        return rate

    def by_hands(self, number: int, load: Load) -> float:
        """Lead a load with some worker processes; return steps per second."""
        runs = self._queue(load)
        began = time.monotonic()
        ends = together(self.hands[:number], "work_off")
        return self._rate(load, runs, max(ends) - began)

    def by_celery(self, load: Load) -> float:
        """Ring once for each child of the Celery worker; return steps per second."""
        runs = self._queue(load)
        began = datetime.now(UTC)
        for _ in range(CHILDREN):
            app.send_task("agents.work", args=[""], retry=False, ignore_result=True)
        last = _last_end(runs)
        return self._rate(load, runs, (last - began).total_seconds())

    def _queue(self, load: Load) -> list[UUID]:
        runs = world.queue_runs(self.place, load.ours, load.steps)
        world.tidy()
        return runs

    def _rate(self, load: Load, runs: Sequence[UUID], seconds: float) -> float:
        if wrong := world.unfinished(runs, load.steps):
            raise RuntimeError(f"{wrong} of {len(runs)} runs did not end as they should.")
        return load.steps * load.ours / seconds


def measure(*, rounds: int, quick: bool) -> Part:
    """Return runs and steps per second, each told against the best that DBOS does."""
    part = Part("engine")
    with _engine() as engine:
        for load in QUICK_LOADS if quick else LOADS:
            _measure_load(part, engine, load, rounds)
    return part


@contextmanager
def _engine() -> Iterator[Engine]:
    with ExitStack() as stack:
        stack.enter_context(console("worker"))
        hands = [stack.enter_context(Hand("benchmarks.working")) for _ in range(CHILDREN)]
        floor = stack.enter_context(Hand("benchmarks.floor"))
        engine = Engine(world.workspace("engine"), hands, floor)
        # The first run of a process pays for what every later one finds loaded.
        warm_up = Load(1, 20, 0)
        engine.by_hands(CHILDREN, warm_up)
        engine.by_celery(warm_up)
        yield engine


def _measure_load(part: Part, engine: Engine, load: Load, rounds: int) -> None:
    ours: dict[str, Callable[[], float]] = {
        "1 process": partial(engine.by_hands, 1, load),
        "2 processes": partial(engine.by_hands, 2, load),
        "Celery, 2 children": partial(engine.by_celery, load),
    }
    theirs: dict[str, Callable[[], float]] = {
        f"DBOS, {way}": partial(_by_dbos, function, load) for way, function in DBOS_WAYS.items()
    }
    rates = in_turns(rounds, {**ours, **theirs, FLOOR: engine.inserts})
    length = f"{load.steps}-step runs"
    floor = part.add(f"{FLOOR}, beside {length}", "rows/s", rates[FLOOR])
    known = [
        part.add(f"{name}, {length}", "steps/s", rates[name], against=floor) for name in theirs
    ]
    best = max(known, key=lambda figure: figure.value)
    for name in ours:
        part.add(f"{name}, {length}", "steps/s", rates[name], against=best, at_least=TARGET)
    runs = [rate / load.steps for rate in rates["1 process"]]
    best_runs = Figure(part.name, best.name, "runs/s", [v / load.steps for v in best.values])
    part.add(f"1 process, {length}", "runs/s", runs, against=best_runs)


def _by_dbos(function: str, load: Load) -> float:
    with Hand("benchmarks.dbos_steps") as hand:
        rate: float = hand.call(function, load.steps, load.theirs)
        return rate


def _last_end(runs: Sequence[UUID]) -> datetime:
    deadline = time.monotonic() + PATIENCE_SECONDS
    rows = Run.objects.filter(id__in=runs)
    while rows.filter(finished_at=None).exists():
        if time.monotonic() > deadline:
            raise TimeoutError("The Celery worker did not end all runs.")
        time.sleep(LOOK_SECONDS)
    last: datetime = rows.aggregate(last=Max("finished_at"))["last"]
    return last
