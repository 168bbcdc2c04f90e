"""Restarting: a run that was set aside writes nothing more, and its job gets one new run."""

import pytest

from agents import queries, store
from agents.models import Job, Run
from agents.operations.cancelling import cancel
from agents.operations.ending import Outdated, end
from agents.operations.putting import Putting
from agents.operations.restarting import start_again, supersede
from agents.operations.running import lead, work
from agents.store import Fenced
from approvals import queries as approvals
from console.actors import Actor
from snapshots.models import State
from tests.agents import control, programs
from tests.agents.control import member, said, stands
from tests.agents.stage import Stage, now
from tests.racing import race

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stage() -> Stage:
    return control.build()


@pytest.fixture
def ada(stage: Stage) -> Actor:
    return member(stage, "Ada", "admin")


def set_aside(ada: Actor, run: Run) -> bool:
    return supersede(actor=ada, run_id=run.id, reason="Rolled back to 3.", now=now())


def bring_back(stage: Stage) -> None:
    """Let the State enter its next epoch, as a rollback does that knows no run."""
    State.objects.filter(id=stage.book.state_id).update(epoch=1)


def current(run: Run) -> Run:
    return queries.current_run(Job.objects.get(id=run.job_id))


def test_sets_a_waiting_run_aside_and_withdraws_what_it_proposed(stage: Stage, ada: Actor) -> None:
    run = stage.submit("count")
    work()
    [(_, proposal_id)] = queries.waiting_of(run.id)
    assert [set_aside(ada, run), set_aside(ada, run)] == [True, False]
    ended = stage.run(run.id)
    assert (ended.status, ended.problem) == ("superseded", "Rolled back to 3.")
    assert approvals.answer(stage.setup.workspace_id, proposal_id).status == "withdrawn"
    assert said(stage, f"run:{run.id}") == ["run.superseded"]


def test_fences_off_the_worker_of_a_run_that_was_set_aside(stage: Stage, ada: Actor) -> None:
    run = stage.submit("steps", steps=1)
    [claimed] = store.claim(1)
    set_aside(ada, run)
    with pytest.raises(Fenced):
        store.hold(claimed)
    lead(claimed)
    assert (stands(stage, run), programs.CALLS) == (("superseded", None), [])


def test_does_not_start_a_job_again_that_was_cancelled_meanwhile(stage: Stage, ada: Actor) -> None:
    run = stage.submit("count")
    work()
    set_aside(ada, run)
    assert cancel(actor=ada, job_id=run.job_id, now=now()) == "terminated"
    assert start_again(actor=ada, job_id=run.job_id, now=now()) is None
    assert (current(run).id, current(run).problem) == (run.id, "Cancelled by Ada.")
    assert said(stage, f"run:{run.id}") == ["run.superseded", "run.terminated"]


def test_cancels_the_run_that_a_job_has_by_now(stage: Stage, ada: Actor) -> None:
    run = stage.submit("count")
    set_aside(ada, run)
    start_again(actor=ada, job_id=run.job_id, now=now())
    assert cancel(actor=ada, job_id=run.job_id, now=now()) == "terminated"
    assert (current(run).number, current(run).status) == (2, "terminated")
    assert stands(stage, run)[0] == "superseded"


def test_starts_again_once_with_the_epoch_of_now(stage: Stage, ada: Actor) -> None:
    run = stage.submit("count")
    work()
    set_aside(ada, run)
    bring_back(stage)
    made = start_again(actor=ada, job_id=run.job_id, now=now())
    assert start_again(actor=ada, job_id=run.job_id, now=now()) is None
    new = current(run)
    assert (new.id, new.number, new.epoch, new.status) == (made, 2, 1, "queued")
    assert said(stage, f"run:{new.id}") == ["run.started_again"]
    work()
    assert stands(stage, new)[0] == "waiting"
    assert queries.steps(new.id)[0].index == 0


def test_starts_nothing_again_that_was_not_set_aside(stage: Stage, ada: Actor) -> None:
    run = stage.submit("steps", steps=1)
    assert start_again(actor=ada, job_id=run.job_id, now=now()) is None
    work()
    assert start_again(actor=ada, job_id=run.job_id, now=now()) is None
    assert current(run).id == run.id


@pytest.mark.race
def test_starts_one_run_when_two_ask_at_once(stage: Stage, ada: Actor) -> None:
    run = stage.submit("count")
    with race() as runners:
        for number in range(2, 10):
            last = current(run)
            set_aside(ada, last)
            made = runners.run(*[lambda: start_again(actor=ada, job_id=run.job_id, now=now())] * 2)
            assert len([new for new in made if new]) == 1
            assert current(run).number == number


def test_keeps_the_epoch_of_the_state_that_a_job_was_submitted_to(stage: Stage) -> None:
    bring_back(stage)
    assert stage.submit("count").epoch == 1


def test_lets_a_run_that_has_done_nothing_stand_on_the_state_as_it_is(stage: Stage) -> None:
    run = stage.submit("steps", steps=1)
    bring_back(stage)
    work()
    ended = stage.run(run.id)
    assert (ended.status, ended.epoch) == ("succeeded", 1)


def test_supersedes_an_ending_on_a_state_that_was_brought_back(stage: Stage) -> None:
    run = stage.submit("steps", steps=2)
    [claimed] = store.claim(1)
    plain = programs._look

    def look_and_be_brought_back(number: int) -> object:
        if number == 1:
            bring_back(stage)
        return plain(number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(programs, "_look", look_and_be_brought_back)
        lead(claimed)
    ended = stage.run(run.id)
    assert (ended.status, ended.result) == ("superseded", None)
    assert ended.problem == "Its State was brought back while it ran."
    new = current(run)
    assert (new.number, new.epoch, new.status) == (2, 1, "queued")
    work()
    assert stands(stage, new)[0] == "succeeded"


def test_ends_a_failing_run_as_failed_whatever_the_epoch(stage: Stage, ada: Actor) -> None:
    run = stage.submit("count")
    work()
    bring_back(stage)
    with pytest.raises(Outdated):
        end(run, "succeeded", actor=ada, now=now())
    assert end(run, "failed", actor=ada, now=now())
    assert stands(stage, run)[0] == "failed"


def test_sets_aside_what_says_itself_that_it_is_outdated(stage: Stage) -> None:
    run = stage.submit("count")
    plain = Putting._propose

    def propose_on_what_is_gone(putting: Putting, *asked: object) -> object:
        if current(run).number == 1:
            raise Outdated("Rolled back meanwhile.")
        return plain(putting, *asked)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Putting, "_propose", propose_on_what_is_gone)
        work()
    assert stage.run(run.id).problem == "Rolled back meanwhile."
    assert (current(run).number, current(run).status) == (2, "waiting")
