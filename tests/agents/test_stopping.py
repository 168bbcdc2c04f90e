"""Stopping: what an agent takes part in ends, what it proposed falls; only a person undoes it."""

from datetime import timedelta
from uuid import UUID

import pytest

from agents import queries
from agents.models import Run
from agents.operations import stopping
from agents.operations.ending import end
from agents.operations.pausing import pause, resume
from agents.operations.running import work
from agents.operations.stopping import end_left, stop
from agents.operations.waking import wake_run
from approvals import queries as approvals
from console.actors import Actor
from console.errors import Forbidden
from tests.agents import control
from tests.agents.control import BECAUSE, agent, approve, member, said, stands
from tests.agents.stage import Stage, now
from tests.racing import race

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stage() -> Stage:
    return control.build()


@pytest.fixture
def ada(stage: Stage) -> Actor:
    return member(stage, "Ada", "admin")


def stopped(actor: Actor, name: str = "scout") -> bool:
    return stop(actor=actor, name=name, reason=BECAUSE, now=now())


def robot(stage: Stage) -> Actor:
    return Actor("client", "robot", "Robot", stage.setup.workspace_id)


def test_ends_its_runs_and_withdraws_what_it_proposed(stage: Stage, ada: Actor) -> None:
    run = stage.submit("count")
    work()
    [(_, proposal_id)] = queries.waiting_of(run.id)
    assert stopped(ada)
    ended = stage.run(run.id)
    assert (ended.status, ended.problem_code) == ("terminated", "agent_stopped")
    assert (ended.problem, ended.held_because) == (f"Ada stopped scout: {BECAUSE}", "")
    assert approvals.answer(stage.setup.workspace_id, proposal_id).status == "withdrawn"
    assert agent(stage).status == "stopped"
    assert said(stage, "agent:scout") == ["agent.stopped"]
    assert said(stage, f"run:{run.id}") == ["run.terminated"]


def test_ends_runs_that_were_paused_before(stage: Stage, ada: Actor) -> None:
    run = stage.submit("team")
    work()
    pause(actor=ada, name="clerk", reason="wait", now=now())
    assert stopped(ada)
    assert stands(stage, run) == ("terminated", None)


def test_holds_what_reaches_it_later_until_a_person_resumes_it(stage: Stage, ada: Actor) -> None:
    stage.submit("count")
    work()
    stopped(ada)
    run = stage.submit("steps", key="two", steps=2)
    work()
    assert stage.run(run.id).held_because == f"Ada stopped scout: {BECAUSE}"
    assert not stopped(ada)
    assert stands(stage, run)[0] == "paused"
    for other in (robot(stage), stage.setup):
        with pytest.raises(Forbidden):
            resume(actor=other, name="scout", now=now())
    assert resume(actor=ada, name="scout", now=now())
    work()
    assert stands(stage, run)[0] == "succeeded"


def test_is_not_undone_by_a_pause(stage: Stage, ada: Actor) -> None:
    stage.submit("count")
    work()
    stopped(ada)
    assert not pause(actor=ada, name="scout", reason="x", now=now())
    assert agent(stage).status == "stopped"


def test_ends_what_is_left_when_it_is_asked_again_after_a_crash(
    stage: Stage, ada: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [stage.submit("count", key=str(number)) for number in range(5)]
    work()
    ended: list[UUID] = []

    def end_two(run: Run, *args: object, **kwargs: object) -> bool:
        if len(ended) == 2:
            raise MemoryError
        ended.append(run.id)
        return end(run, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(stopping, "_AT_ONCE", 1)
    with monkeypatch.context() as patch:
        patch.setattr(stopping, "end", end_two)
        with pytest.raises(MemoryError):
            stopped(ada)
    statuses = sorted(stage.run(run.id).status for run in runs)
    assert statuses == ["paused", "paused", "paused", "terminated", "terminated"]
    assert not stopped(ada)
    assert {stage.run(run.id).status for run in runs} == {"terminated"}
    assert said(stage, "agent:scout") == ["agent.stopped"]


def test_ends_what_was_met_after_the_click_by_a_clock_that_is_behind(
    stage: Stage, ada: Actor
) -> None:
    run = stage.submit("count")
    work()
    assert stop(actor=ada, name="scout", reason=BECAUSE, now=now() - timedelta(hours=1))
    assert stands(stage, run) == ("terminated", None)


def test_the_timer_ends_what_a_crash_has_left(
    stage: Stage, ada: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [stage.submit("count", key=str(number)) for number in range(3)]
    work()
    with monkeypatch.context() as patch:
        patch.setattr(stopping, "_end_all", lambda *_: None)
        stopped(ada)
    waits = stage.submit("steps", steps=1)
    work()
    assert end_left(now=now()) == 0
    later = now() + timedelta(minutes=2)
    assert [end_left(now=later), end_left(now=later)] == [3, 0]
    assert {stage.run(run.id).status for run in runs} == {"terminated"}
    assert stage.run(runs[0].id).problem == f"Ada stopped scout: {BECAUSE}"
    assert stands(stage, waits)[0] == "paused"


def test_leaves_other_workspaces_and_other_agents_alone(stage: Stage, ada: Actor) -> None:
    elsewhere = Stage.build("elsewhere")
    mine, theirs = stage.submit("count"), elsewhere.submit("count")
    work()
    stopped(ada)
    assert stands(stage, mine)[0] == "terminated"
    assert elsewhere.run(theirs.id).status == "waiting"


@pytest.mark.race
def test_happens_before_a_decision_or_after_it_never_between(stage: Stage, ada: Actor) -> None:
    with race() as runners:
        for number in range(12):
            before = stage.content()
            run = stage.submit("count", key=f"race {number}")
            work()
            [(_, proposal_id)] = queries.waiting_of(run.id)

            def decide_and_ring(run: Run = run, proposal_id: UUID = proposal_id) -> None:
                approve(stage, proposal_id)
                wake_run(run.id)

            runners.run(decide_and_ring, lambda: stopped(ada))
            answer = approvals.answer(stage.setup.workspace_id, proposal_id)
            assert stands(stage, run) == ("terminated", None)
            assert (answer.status == "approved") == (stage.content() != before)
            assert answer.status in {"approved", "withdrawn"}
            resume(actor=ada, name="scout", now=now())
