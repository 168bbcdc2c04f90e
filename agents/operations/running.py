"""Work: claim runs that are ready, lead each through its workflow, record how it ends."""

import logging
import time
from datetime import UTC, datetime

from django.db import InterfaceError, OperationalError

from agents import lifecycle, store, workflows
from agents.journal import Nondeterministic
from agents.models import Job, Run
from agents.operations.ending import end
from agents.operations.holding import Holding
from agents.operations.replaying import Journaled, Waiting
from agents.operations.waking import wake_if_final
from agents.store import Claim, Fenced
from console.actors import system
from console.live import ring
from console.locking import Busy

logger = logging.getLogger(__name__)

BATCH = 10
# A task ends well before its time limit; what is left is found by the next wake-up.
TURN_SECONDS = 60.0


def work(*, batch: int = BATCH, turn_seconds: float = TURN_SECONDS) -> int:
    """Run whatever is ready until nothing is left, or this turn is over; return how many runs."""
    done = 0
    deadline = time.monotonic() + turn_seconds
    while time.monotonic() < deadline:
        claims = store.claim(batch)
        if not claims:
            break
        with Holding(claims) as holding:
            for claimed in holding.each():
                lead(claimed)
                done += 1
    return done


def lead(claimed: Claim) -> None:
    """Lead one claimed run to its end, its next wait, or the hands of another worker."""
    run = Run.objects.get(id=claimed.run_id)
    try:
        attempts = store.begin(claimed)
    except Fenced:
        return
    if attempts > lifecycle.ATTEMPTS_WITHOUT_PROGRESS:
        _fail(run, claimed, "lost_too_often", "Its worker died again and again at the same step.")
        return
    _tell(claimed)
    job = Job.objects.select_related("state").get(id=claimed.job_id)
    workflow = workflows.find(job.workflow)
    if workflow is None:
        _fail(run, claimed, "unknown_workflow", f"No worker carries {job.workflow!r} any more.")
        return
    entries = store.journal(run.id) if claimed.next_step else []
    _follow(workflow, Journaled(claimed, job, entries), run, claimed)


def _follow(workflow: workflows.Workflow, context: Journaled, run: Run, claimed: Claim) -> None:
    try:
        result = workflow.function(context)
        context.finish()
    except Waiting as waiting:
        _wait(claimed, waiting)
    except Fenced:
        logger.info("run %s is in other hands now", run.id)
    except Busy:
        # A neighbour held a lock for too long; the run tries again, it did nothing wrong.
        store.release(claimed, begun=True)
    except (InterfaceError, OperationalError):
        # The database is away, and with it every way to say so; the lease will end.
        raise
    except Nondeterministic as error:
        _fail(run, claimed, "nondeterministic", str(error))
    except Exception as error:
        logger.exception("run %s failed", run.id)
        _fail(run, claimed, "workflow_failed", f"{type(error).__name__}: {error}")
    else:
        actor = system("worker", run.workspace_id)
        end(run, "succeeded", actor=actor, now=_now(), fence=claimed.fence, result=result)


def _wait(claimed: Claim, waiting: Waiting) -> None:
    try:
        store.suspend(claimed, waiting.proposal_id)
    except Fenced:
        return
    _tell(claimed)
    # The decision may have fallen between looking and suspending; its bell found nobody waiting.
    wake_if_final([(claimed.run_id, waiting.proposal_id)])


def _tell(claimed: Claim) -> None:
    ring("run", claimed.run_id)
    ring("runs", claimed.workspace_id)


def _fail(run: Run, claimed: Claim, code: str, sentence: str) -> None:
    actor = system("worker", run.workspace_id)
    end(
        run,
        "failed",
        actor=actor,
        now=_now(),
        fence=claimed.fence,
        problem_code=code,
        problem=sentence,
    )


def _now() -> datetime:
    return datetime.now(UTC)
