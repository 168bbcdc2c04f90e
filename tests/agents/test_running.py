"""Running: a workflow goes on from its journal, whoever holds it, and always ends with a reason."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError, connection
from django.test import override_settings

from agents import queries, store
from agents.models import Job, Run, Step
from agents.operations import journaling
from agents.operations.cancelling import cancel
from agents.operations.running import lead, work
from agents.operations.waking import wake_run, wake_unheard
from agents.store import Fenced
from approvals import queries as approvals
from approvals.operations import proposing
from console.doorbell.models import Ring
from console.locking import Busy
from tests.agents import programs
from tests.agents.stage import Stage, now

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stage() -> Stage:
    programs.register()
    programs.CALLS.clear()
    return Stage.build()


def test_waits_without_a_worker_and_goes_on_after_each_decision(stage: Stage) -> None:
    run = stage.submit("count")
    work()
    assert stage.run(run.id).status == "waiting"
    stage.decide(run.id, "approve")
    wake_run(run.id)
    work()
    stage.decide(run.id, "reject")
    wake_run(run.id)
    work()
    ended = stage.run(run.id)
    assert (ended.status, ended.result) == ("succeeded", {"ends": ["approved", "rejected"]})
    assert stage.content() == {"n": 1, "log": [0, 1]}


def test_does_no_step_twice_when_it_is_replayed(stage: Stage) -> None:
    run = stage.submit("steps", steps=3)
    [claimed] = store.claim(1)
    lead(claimed)
    Run.objects.filter(id=run.id).update(status="queued", finished_at=None)
    work()
    assert programs.CALLS == ["look 0", "look 1", "look 2"]
    assert stage.run(run.id).status == "succeeded"


def test_tells_the_proposer_why_it_was_rejected(stage: Stage) -> None:
    run = stage.submit("count")
    work()
    stage.decide(run.id, "reject")
    wake_run(run.id)
    work()
    outcome = Step.objects.get(run=run.id, kind="outcome", index=2)
    told = outcome.output or {}
    assert (told["status"], told["reason"]) == ("rejected", "because")


def test_finds_an_answer_whose_bell_was_lost(stage: Stage) -> None:
    run = stage.submit("count")
    work()
    stage.decide(run.id, "approve")
    Ring.objects.all().delete()
    assert wake_unheard() == 1
    assert stage.run(run.id).status == "queued"


def test_is_not_woken_while_nobody_has_decided(stage: Stage) -> None:
    run = stage.submit("count")
    work()
    assert (wake_run(run.id), wake_unheard()) == (0, 0)
    assert stage.run(run.id).status == "waiting"


def test_stops_a_worker_whose_run_was_taken_over(stage: Stage) -> None:
    run = stage.submit("steps", steps=2)
    [slow] = store.claim(1)
    Run.objects.filter(id=run.id).update(lease_until=now() - timedelta(seconds=1))
    [quick] = store.claim(1)
    assert (slow.run_id, slow.fence) == (quick.run_id, quick.fence - 1)
    lead(slow)
    assert queries.steps(run.id) == []
    lead(quick)
    assert len(queries.steps(run.id)) == 2
    with pytest.raises(Fenced):
        store.suspend(quick, run.id)


def test_leaves_a_run_alone_while_its_lease_holds(stage: Stage) -> None:
    stage.submit("steps", steps=1)
    assert len(store.claim(5)) == 1
    assert store.claim(5) == []


@override_settings(RUN_LEASE=timedelta(milliseconds=1))
def test_gives_up_a_run_that_kills_its_worker_again_and_again(stage: Stage) -> None:
    run = stage.submit("steps", steps=1)
    for _ in range(5):
        [claimed] = store.claim(1)
        store.begin(claimed)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.003)")
    work()
    ended = stage.run(run.id)
    assert (ended.status, ended.problem_code) == ("failed", "lost_too_often")


def test_refuses_a_workflow_that_is_not_the_same_on_replay(stage: Stage) -> None:
    run = stage.submit("moody")
    work()
    stage.decide(run.id, "approve")
    wake_run(run.id)
    work()
    ended = stage.run(run.id)
    assert ended.problem_code == "nondeterministic"
    assert "look-1" in ended.problem
    assert "look-2" in ended.problem


def test_ends_a_failing_workflow_with_its_error(stage: Stage) -> None:
    run = stage.submit("broken", depth=7)
    work()
    ended = stage.run(run.id)
    assert (ended.status, ended.problem_code) == ("failed", "workflow_failed")
    assert ended.problem == "ZeroDivisionError: no {'depth': 7}"


def test_lets_a_workflow_go_on_after_a_tool_that_failed(stage: Stage) -> None:
    run = stage.submit("stumble")
    work()
    assert stage.run(run.id).result == {"told": "the vendor's server does not answer"}
    assert queries.steps(run.id)[0].error == "the vendor's server does not answer"


def test_withdraws_what_a_cancelled_run_left_open(stage: Stage) -> None:
    run = stage.submit("count")
    work()
    [(_, proposal_id)] = queries.waiting_of(run.id)
    assert cancel(actor=stage.setup, job_id=run.job_id, now=now()) == "terminated"
    answer = approvals.answer(stage.setup.workspace_id, proposal_id)
    assert (answer.status, answer.reason) == ("withdrawn", "The run ended: terminated.")
    assert stage.run(run.id).problem == "Cancelled by Setup."


def test_takes_the_oldest_runs_first(stage: Stage) -> None:
    runs = [stage.submit("steps", key=str(n), steps=0).id for n in range(4)]
    assert [claimed.run_id for claimed in store.claim(2)] == runs[:2]


def test_lets_a_run_that_was_ended_propose_nothing_more(stage: Stage) -> None:
    run = stage.submit("count")
    [claimed] = store.claim(1)

    def come_by(name: str) -> None:
        if name == "run.before_proposal":
            cancel(actor=stage.setup, job_id=run.job_id, now=now())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journaling, "fp", come_by)
        lead(claimed)
    assert stage.run(run.id).status == "terminated"
    assert approvals.of_origin(stage.setup.workspace_id, f"run:{run.id}") == []


def test_tries_again_when_a_neighbour_was_in_the_way(stage: Stage) -> None:
    run = stage.submit("count")
    plain = proposing.propose
    tries: list[int] = []

    def busy_once(**asked: Any) -> UUID:
        tries.append(1)
        if len(tries) == 1:
            raise Busy
        return plain(**asked)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proposing, "propose", busy_once)
        work()
    ended = stage.run(run.id)
    assert (len(tries), ended.status, ended.attempts) == (2, "waiting", 0)


@override_settings(RUN_LEASE=timedelta(milliseconds=1))
def test_does_not_blame_runs_that_were_only_claimed_beside_a_deadly_one(stage: Stage) -> None:
    runs = [stage.submit("steps", key=str(n), steps=1) for n in range(3)]
    for _ in range(7):
        deadly, *_others = store.claim(10)
        store.begin(deadly)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.003)")
    work()
    statuses = sorted(stage.run(run.id).status for run in runs)
    assert statuses.count("succeeded") >= 2


def test_refuses_an_ending_that_leaves_steps_unread(stage: Stage) -> None:
    run = stage.submit("steps", steps=3)
    work()
    Run.objects.filter(id=run.id).update(status="queued", finished_at=None)
    Job.objects.filter(id=run.job_id).update(input={"steps": 1})
    work()
    ended = stage.run(run.id)
    assert ended.problem_code == "nondeterministic"
    assert "ended before step 1" in ended.problem


def test_works_on_after_its_connection_was_cut(stage: Stage) -> None:
    run = stage.submit("steps", steps=1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [pid] = cursor.fetchone() or [0]
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    other.close()
    with pytest.raises(OperationalError):
        work()
    # What Celery does between two tasks.
    connection.close_if_unusable_or_obsolete()
    work()
    assert stage.run(run.id).status == "succeeded"


def test_gives_a_workflow_the_same_answer_the_first_time_as_on_replay(stage: Stage) -> None:
    run = stage.submit("careful")
    work()
    stage.decide(run.id, "approve")
    wake_run(run.id)
    work()
    assert stage.run(run.id).result == ["a", "bb", "ccc"]
