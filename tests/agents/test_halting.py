"""Halting: nothing of a workspace is begun and nothing goes on, until an admin lifts the halt."""

import time

import pytest

from agents import queries, store
from agents.models import Halt, Run
from agents.operations import halting
from agents.operations.halting import NotTyped, halt, hold_halted, lift
from agents.operations.pausing import ReasonUnusable, pause, resume
from agents.operations.running import lead, work
from agents.operations.waking import wake_run
from approvals.models import SendSwitch
from approvals.operations.stopping import resume_sending, stop_sending
from console.actors import Actor
from console.errors import Forbidden
from tests.agents import control, programs
from tests.agents.control import BECAUSE, approve, member, said, stands
from tests.agents.stage import Stage, now
from tests.racing import race

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stage() -> Stage:
    return control.build()


@pytest.fixture
def ada(stage: Stage) -> Actor:
    return member(stage, "Ada", "admin")


def halted(actor: Actor, typed: str = "stage") -> bool:
    return halt(actor=actor, reason=BECAUSE, typed=typed, now=now())


def lifted(actor: Actor) -> bool:
    return lift(actor=actor, now=now())


def test_begins_nothing_and_still_takes_jobs_in(stage: Stage, ada: Actor) -> None:
    halted(ada)
    run = stage.submit("steps", steps=1)
    assert work() == 0
    assert stands(stage, run) == ("queued", None)
    assert lifted(ada)
    assert work() == 1
    assert stands(stage, run)[0] == "succeeded"


def is_sending(stage: Stage) -> bool:
    stopped = SendSwitch.objects.filter(workspace=stage.setup.workspace_id, is_stopped=True)
    return not stopped.exists()


def test_lets_nothing_leave_the_house_meanwhile(stage: Stage, ada: Actor) -> None:
    halted(ada)
    halted(ada)
    assert not is_sending(stage)
    assert lifted(ada)
    assert is_sending(stage)
    assert said(stage, f"workspace:{stage.setup.workspace_id}")[-4:] == [
        "workspace.halted",
        "sending.stopped",
        "workspace.resumed",
        "sending.resumed",
    ]


def test_leaves_the_sending_stopped_that_somebody_stopped_besides(stage: Stage, ada: Actor) -> None:
    stop_sending(actor=ada, reason="The bank called.", typed="stage", now=now())
    halted(ada)
    lifted(ada)
    assert not is_sending(stage)
    assert resume_sending(actor=ada, reason="It is repaired.", now=now())
    assert is_sending(stage)


def test_fences_off_what_runs(stage: Stage, ada: Actor) -> None:
    run = stage.submit("steps", steps=2)
    [claimed] = store.claim(1)
    plain = programs._look

    def look_and_be_halted(number: int) -> object:
        halted(ada)
        return plain(number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(programs, "_look", look_and_be_halted)
        lead(claimed)
    held = stage.run(run.id)
    assert (held.status, held.next_step) == ("paused", 0)
    assert held.held_because == f"Ada stopped all agents: {BECAUSE}"
    lifted(ada)
    work()
    assert stands(stage, run)[0] == "succeeded"


def test_lets_a_wait_be_answered_and_goes_on_only_when_it_is_lifted(
    stage: Stage, ada: Actor
) -> None:
    run = stage.submit("count")
    work()
    halted(ada)
    [(_, proposal_id)] = queries.waiting_of(run.id)
    approve(stage, proposal_id)
    wake_run(run.id)
    assert work() == 0
    assert stands(stage, run) == ("queued", None)
    lifted(ada)
    assert work() == 1


def test_leaves_other_workspaces_alone(stage: Stage, ada: Actor) -> None:
    elsewhere = Stage.build("elsewhere")
    mine, theirs = stage.submit("steps", steps=1), elsewhere.submit("steps", steps=1)
    halted(ada)
    assert work() == 1
    assert (stands(stage, mine)[0], elsewhere.run(theirs.id).status) == ("queued", "succeeded")


def test_keeps_held_whose_agent_is_paused_itself(stage: Stage, ada: Actor) -> None:
    run = stage.submit("count")
    work()
    halted(ada)
    pause(actor=ada, name="scout", reason="look at it", now=now())
    lifted(ada)
    held = stage.run(run.id)
    assert (held.status, held.held_because) == ("paused", "Ada paused scout: look at it")
    resume(actor=ada, name="scout", now=now())
    assert stands(stage, run)[0] == "waiting"


def test_is_done_once_however_often_it_is_clicked(stage: Stage, ada: Actor) -> None:
    assert [halted(ada), halted(ada)] == [True, False]
    assert [lifted(ada), lifted(ada)] == [True, False]
    subject = f"workspace:{stage.setup.workspace_id}"
    verbs = [verb for verb in said(stage, subject) if verb.startswith("workspace.")]
    assert verbs[-2:] == ["workspace.halted", "workspace.resumed"]
    assert halted(ada)
    assert Halt.objects.count() == 2


def test_takes_an_admin_a_reason_and_the_typed_name(stage: Stage, ada: Actor) -> None:
    robot = Actor("client", "robot", "Robot", stage.setup.workspace_id)
    for refused in (stage.ana, member(stage, "Eve", "engineer"), stage.setup, robot):
        with pytest.raises(Forbidden):
            halted(refused)
        with pytest.raises(Forbidden):
            lifted(refused)
    with pytest.raises(NotTyped, match="Type stage"):
        halted(ada, typed="Stage!")
    with pytest.raises(ReasonUnusable):
        halt(actor=ada, reason="", typed="stage", now=now())
    assert not Halt.objects.exists()


def test_puts_back_what_was_claimed_just_before(stage: Stage, ada: Actor) -> None:
    run = stage.submit("steps", steps=1)
    [claimed] = store.claim(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(halting, "_hold_running", lambda _standing: [])
        halted(ada)
    lead(claimed)
    assert (stands(stage, run), programs.CALLS) == (("queued", None), [])
    assert not queries.has_work(unheard_for=now() - now())


def test_sweeps_up_what_a_halt_that_died_has_missed(stage: Stage, ada: Actor) -> None:
    run = stage.submit("steps", steps=1)
    [claimed] = store.claim(1)
    store.begin(claimed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(halting, "_hold_running", lambda _standing: [])
        halted(ada)
    assert stands(stage, run)[0] == "running"
    assert [hold_halted(), hold_halted()] == [1, 0]
    assert stands(stage, run)[0] == "paused"


@pytest.mark.race
def test_lets_nothing_run_once_it_has_answered(stage: Stage, ada: Actor) -> None:
    with race() as runners:
        for number in range(10):
            runs = [stage.submit("steps", key=f"{number} {n}", steps=20) for n in range(3)]
            runners.run(lambda: halted(ada), work)
            steps = [stage.run(run.id).next_step for run in runs]
            time.sleep(0.05)
            assert steps == [stage.run(run.id).next_step for run in runs]
            assert not Run.objects.filter(status="running").exists()
            lifted(ada)
            work()
            assert {stage.run(run.id).status for run in runs} == {"succeeded"}


@pytest.mark.race
def test_is_lifted_or_stands_however_both_are_clicked(stage: Stage, ada: Actor) -> None:
    with race() as runners:
        for number in range(8):
            run = stage.submit("steps", key=str(number), steps=1)
            [claimed] = store.claim(1)
            store.begin(claimed)
            halted(ada)
            runners.run(lambda: lifted(ada), lambda: halted(ada))
            stands_now = Halt.objects.filter(lifted_at=None).exists()
            status = stands(stage, run)[0]
            assert status in ({"paused", "queued"} if stands_now else {"queued"})
            lifted(ada)
            work()
            assert stands(stage, run)[0] == "succeeded"
