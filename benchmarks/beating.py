"""In a hand: a run that does one step whenever it is told to, led as every run is."""

import threading
import time
from queue import SimpleQueue
from uuid import UUID

from agents.models import Job, Run
from agents.operations.running import work
from agents.workflows import Context, Workflow, register_workflow
from benchmarks import world
from console.canonical import Json

WORKFLOW = "bench_beating"
_wanted: SimpleQueue[str | None] = SimpleQueue()
_clocks: SimpleQueue[float] = SimpleQueue()


def begin(slug: str) -> UUID:
    """Begin a run and return its id."""
    # It beats as long as it is told to, which is no loop.
    unlimited = {"calls": {"limit": None}}
    register_workflow(Workflow(WORKFLOW, "Beating", _beat_until_told, guards=unlimited))
    [run_id] = world.queue_runs(world.workspace(slug), runs=1, steps=0)
    Job.objects.filter(runs=run_id).update(workflow=WORKFLOW)
    threading.Thread(target=work, daemon=True).start()
    return run_id


def beat(name: str) -> float:
    """Let the run do a step; return the time just before its record is written."""
    _wanted.put(name)
    return _clocks.get()


def end(run_id: UUID) -> str:
    """Let the run end and return its status."""
    _wanted.put(None)
    while Run.objects.filter(id=run_id, finished_at=None).exists():
        time.sleep(0.05)
    return Run.objects.get(id=run_id).status


def _beat_until_told(context: Context) -> Json:
    while name := _wanted.get():
        context.tool(agent="beater", name=name, args={}, function=_clock)
    return None


def _clock() -> float:
    at = time.time()
    _clocks.put(at)
    return at
