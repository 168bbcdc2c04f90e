"""In a hand: the same steps that do nothing, by DBOS Transact on the same PostgreSQL.

It gets the same Unix socket, a database of its own, and the settings it was fastest with. A hand
is asked once and then let go, so that its polling does not disturb what is measured next.
"""

import functools
import importlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version as release
from typing import Any

import psycopg

from console.supervision import addresses, embedded

DATABASE = "dbos"
THREADS = 4
POLL_SECONDS = 0.05
_SPAN = """
    SELECT max(completed_at) - min(started_at_epoch_ms),
        count(*) FILTER (WHERE status <> 'SUCCESS')
    FROM dbos.workflow_status WHERE workflow_uuid = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class Ready:
    """A launched DBOS: the class that holds everything, and the workflow."""

    dbos: Any
    workflow: Callable[[int], int]


def version() -> str:
    """Return the release that is measured."""
    return release("dbos")


def in_a_row(steps: int, runs: int) -> float:
    """Call workflows one after the other; return steps per second."""
    workflow = _launched().workflow
    began = time.monotonic()
    for _ in range(runs):
        workflow(steps)
    return steps * runs / (time.monotonic() - began)


def in_threads(steps: int, runs: int) -> float:
    """Call workflows from several threads; return steps per second."""
    workflow = _launched().workflow
    with ThreadPoolExecutor(THREADS) as pool:
        began = time.monotonic()
        list(pool.map(workflow, [steps] * runs))
        return steps * runs / (time.monotonic() - began)


def from_queue(steps: int, runs: int) -> float:
    """Take workflows from a queue; return steps per second from first start to last end.

    They are enqueued before the queue is worked off, so enqueueing is not counted.
    """
    ready, queue = _launched(), f"bench-{time.monotonic_ns()}"
    handles = [ready.dbos.enqueue_workflow(queue, ready.workflow, steps) for _ in range(runs)]
    ready.dbos.register_queue(queue, polling_interval_sec=POLL_SECONDS)
    for handle in handles:
        handle.get_result(polling_interval_sec=POLL_SECONDS)
    with psycopg.connect(_url()) as connection:
        ids = [handle.get_workflow_id() for handle in handles]
        row = connection.execute(_SPAN, [ids]).fetchone()
    if row is None or row[1]:
        raise RuntimeError("A workflow of DBOS did not succeed.")
    return steps * runs * 1000 / float(row[0])


@functools.cache
def _launched() -> Ready:
    embedded.create_database(addresses.run_dir(), DATABASE)
    # Installed for benchmarks only; the checks of `make lint` run without it.
    dbos = importlib.import_module("dbos").DBOS
    dbos(config={"name": "bench", "system_database_url": _url(), "log_level": "ERROR"})
    step = dbos.step(name="noop")(_noop)

    def several(steps: int) -> int:
        for index in range(steps):
            step(index)
        return steps

    workflow = dbos.workflow(name="several")(several)
    dbos.launch()
    workflow(3)
    return Ready(dbos, workflow)


def _noop(index: int) -> int:
    return index


def _url() -> str:
    return f"postgresql://{embedded.USER}@/{DATABASE}?host={addresses.run_dir()}"
