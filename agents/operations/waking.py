"""Queue the runs whose answer has come."""

from collections.abc import Sequence
from uuid import UUID

from agents import queries, store
from approvals.queries import final_among
from approvals.queries.talking import asked_among
from console.live import ring


def wake_run(run_id: UUID) -> int:
    """Queue a run if what it waits for is settled; it may wait for something else by now."""
    return wake_if_final(queries.waiting_of(run_id))


def wake_if_final(waiting: Sequence[tuple[UUID, UUID]]) -> int:
    """Queue those of the (run, proposal) pairs whose turn it is; return how many.

    That is when the proposal is final, and for a run that converses when it is asked something.
    """
    if not waiting:
        return 0
    proposals = [proposal_id for _, proposal_id in waiting]
    final, asked = final_among(proposals), asked_among(proposals)
    told = queries.conversing([pair for pair in waiting if pair[1] in asked]) if asked else set()
    ready = [pair[0] for pair in waiting if pair[1] in final or pair in told]
    woken = store.wake(ready, [*final, *asked]) if ready else 0
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
