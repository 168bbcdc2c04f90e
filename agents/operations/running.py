"""Work: claim runs that are ready, lead each through its workflow, record how it ends."""

import logging
import time
from dataclasses import replace
from datetime import UTC, datetime

from django.db import InterfaceError, OperationalError, transaction

from agents import lifecycle, store, workflows
from agents.journal import Nondeterministic
from agents.models import Job, Run
from agents.operations.ending import Outdated, end
from agents.operations.holding import Holding
from agents.operations.interrupting import Paused, Terminated, ended_because
from agents.operations.participating import Held
from agents.operations.replaying import Journaled, Waiting
from agents.operations.restarting import start_again, supersede
from agents.operations.timing import keep_times
from agents.operations.waking import wake_if_final
from agents.store import Claim, Fenced
from console import tenancy
from console.actors import system
from console.canonical import Json
from console.failpoints import fp
from console.live import ring
from console.locking import Busy
from console.spans import span

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
        fp("run.after_claim")
        with Holding(claims) as holding:
            for claimed in holding.each():
                with tenancy.within(claimed.workspace_id), span("run", run=str(claimed.run_id)):
                    lead(claimed)
                fp("run.before_ack")
                done += 1
    return done


def lead(claimed: Claim) -> None:
    """Lead one claimed run to its end, its next wait, or the hands of another worker."""
    run = Run.objects.get(id=claimed.run_id)
    try:
        attempts = store.begin(claimed)
    except Fenced:
        # Others have it, or everything was stopped; then it waits in the queue.
        store.release(claimed)
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
    claimed = _up_to_date(claimed, job.state.epoch)
    entries = store.journal(run.id) if claimed.next_step else []
    _follow(workflow, Journaled(claimed, job, workflow, entries), run, claimed)


def _up_to_date(claimed: Claim, epoch: int) -> Claim:
    """Let a run that has done nothing stand on its State as it is: there is nothing to outdate."""
    if claimed.next_step or claimed.epoch == epoch:
        return claimed
    mine = Run.objects.filter(id=claimed.run_id, fence=claimed.fence, status="running")
    mine.update(epoch=epoch)
    return replace(claimed, epoch=epoch)


def _follow(workflow: workflows.Workflow, context: Journaled, run: Run, claimed: Claim) -> None:
    try:
        result = workflow.function(context)
        context.finish(result)
    except (Waiting, Held, Outdated, Paused, Terminated) as left:
        _leave(run, claimed, left)
    except Fenced:
        logger.info("run %s is in other hands now", run.id)
        store.drop_draft(claimed)
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
        _succeed(workflow, run, claimed, result)


def _leave(run: Run, claimed: Claim, left: Waiting | Held | Outdated | Paused | Terminated) -> None:
    if isinstance(left, Waiting):
        _wait(claimed, left)
    elif isinstance(left, Held):
        _hold(claimed, left)
    elif isinstance(left, Outdated):
        _set_aside(run, claimed, left)
    elif isinstance(left, Terminated):
        _terminate(run, claimed, left)
    else:
        # The pause itself was written with the verdict.
        _tell(claimed)


def _wait(claimed: Claim, waiting: Waiting) -> None:
    try:
        store.suspend(claimed, waiting.proposal_id)
    except Fenced:
        return
    _tell(claimed)
    # The decision may have fallen between looking and suspending; its bell found nobody waiting.
    wake_if_final([(claimed.run_id, waiting.proposal_id)])


def _hold(claimed: Claim, held: Held) -> None:
    if not store.pause(claimed, held.agent_name, held.because):
        # The agent was resumed at this moment, or the run is in other hands.
        store.release(claimed, begun=True)
    _tell(claimed)


def _terminate(run: Run, claimed: Claim, stopped: Terminated) -> None:
    end(
        run,
        "terminated",
        actor=system("guard", run.workspace_id),
        now=_now(),
        fence=claimed.fence,
        problem_code=stopped.verdict.rule,
        problem=ended_because(stopped.verdict),
    )


def _succeed(workflow: workflows.Workflow, run: Run, claimed: Claim, result: Json) -> None:
    actor = system("worker", run.workspace_id)
    try:
        end(run, "succeeded", actor=actor, now=_now(), fence=claimed.fence, result=result)
    except Outdated as outdated:
        _set_aside(run, claimed, outdated)
    else:
        if workflow.roles:
            keep_times(run.id, _now())


def _set_aside(run: Run, claimed: Claim, outdated: Outdated) -> None:
    """Let the job begin anew: no restoration knew this run, or it would have fenced it off."""
    actor, now = system("worker", run.workspace_id), _now()
    with transaction.atomic():
        reason, fence = str(outdated), claimed.fence
        if supersede(actor=actor, run_id=run.id, reason=reason, now=now, fence=fence):
            start_again(actor=actor, job_id=run.job_id, now=now)


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
