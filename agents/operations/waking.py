"""Queue the runs whose answer has come."""

from collections.abc import Sequence
from uuid import UUID

from agents import queries, store
from approvals.queries import final_among
from console.live import ring


def wake_run(run_id: UUID) -> int:
    """Queue a run if what it waits for is settled; it may wait for something else by now."""
    return wake_if_final(queries.waiting_of(run_id))


def wake_if_final(waiting: Sequence[tuple[UUID, UUID]]) -> int:
    """Queue those of the (run, proposal) pairs whose proposal is final; return how many."""
    if not waiting:
        return 0
    final = final_among([proposal_id for _, proposal_id in waiting])
    ready = [run_id for run_id, proposal_id in waiting if proposal_id in final]
    woken = store.wake(ready, list(final)) if ready else 0
    for run_id in ready:
        ring("run", run_id)
    return woken


def wake_unheard() -> int:
    """Find what every bell missed: runs that wait for something that is settled."""
    woken, after = 0, None
    while pairs := queries.waiting(after=after):
        woken += wake_if_final(pairs)
        after = pairs[-1][0]
    return woken
