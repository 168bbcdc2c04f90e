"""What do the guards cost? Steps a second with all of them on, next to the same engine without.

Every run has two agents with roles and contracts, 36 calls of a tool, six of a model, and all
budgets set. Both sides use one process and one database, in turns.
"""

from benchmarks import watched, world
from benchmarks.figures import Part, in_turns
from benchmarks.hands import Hand
from console.access.models import Workspace

RUNS, QUICK_RUNS = 40, 10
ROUNDS_AT_LEAST = 5
KEPT = 0.9


def measure(*, rounds: int, quick: bool) -> Part:
    """Return steps a second on both sides."""
    part = Part("guarding")
    place = world.workspace("guarding")
    runs = QUICK_RUNS if quick else RUNS
    world.end_queued()
    with Hand("benchmarks.watched") as hand:
        for guarded in (True, False):
            _rate(hand, place, 3, guarded=guarded)
        rates = in_turns(
            max(rounds, ROUNDS_AT_LEAST),
            {
                "off": lambda: _rate(hand, place, runs, guarded=False),
                "on": lambda: _rate(hand, place, runs, guarded=True),
            },
        )
    off = part.add("without guards", "steps/s", rates["off"])
    part.add("all guards on", "steps/s", rates["on"], against=off, at_least=KEPT)
    return part


def _rate(hand: Hand, place: Workspace, runs: int, *, guarded: bool) -> float:
    queued = world.queue_runs(place, runs, 0, workflow=watched.WORKFLOW)
    world.tidy()
    seconds: float = hand.call("work_off_guarded" if guarded else "work_off_unguarded")
    return world.steps_of(queued) / seconds
