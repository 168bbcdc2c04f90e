"""Pausing: an agent stands still at once, no decision is lost, and it goes on where it was."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.test import override_settings

from agents import queries, store
from agents.models import Agent, Participation, Run
from agents.operations import participating
from agents.operations.cancelling import cancel
from agents.operations.pausing import ReasonUnusable, pause, resume
from agents.operations.running import lead, work
from agents.operations.waking import wake_run, wake_unheard
from agents.store import Claim, Fenced, Standing
from console.actors import Actor
from console.errors import Forbidden, NotFound
from tests.agents import control, programs
from tests.agents.control import BECAUSE, agent, approve, member, said, stands
from tests.agents.stage import Stage, now
from tests.agents.test_crashes import LEASE_SECONDS, worker
from tests.racing import race

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stage() -> Stage:
    return control.build()


@pytest.fixture
def ada(stage: Stage) -> Actor:
    return member(stage, "Ada", "admin")


def paused(actor: Actor, name: str = "scout") -> bool:
    return pause(actor=actor, name=name, reason=BECAUSE, now=now())


def resumed(actor: Actor, name: str = "scout") -> bool:
    return resume(actor=actor, name=name, now=now())


def test_knows_an_agent_since_it_first_acts(stage: Stage) -> None:
    run = stage.submit("steps", steps=0)
    work()
    assert not Agent.objects.exists()
    run = stage.submit("count", key="two")
    work()
    known = agent(stage)
    assert (known.status, known.seen_at <= now()) == ("active", True)
    assert list(Participation.objects.values_list("run_id", "agent_id")) == [(run.id, known.id)]


def test_costs_one_statement_for_an_agent_and_a_lead(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = store.meet
    met: list[tuple[UUID, str]] = []

    def meet(claimed: Claim, name: str) -> Standing:
        met.append((claimed.run_id, name))
        return plain(claimed, name)

    monkeypatch.setattr(store, "meet", meet)
    short, long = stage.submit("steps", steps=1), stage.submit("steps", key="two", steps=9)
    work()
    assert met == [(short.id, "scout"), (long.id, "scout")]


def test_sees_an_agent_again_at_most_every_few_seconds(stage: Stage) -> None:
    stage.submit("count")
    work()
    first = agent(stage).seen_at
    stage.submit("count", key="two")
    work()
    assert agent(stage).seen_at == first
    Agent.objects.update(seen_at=first - timedelta(minutes=5))
    stage.submit("count", key="three")
    work()
    assert agent(stage).seen_at > first


def test_fences_off_a_worker_in_the_middle_of_a_step(stage: Stage, ada: Actor) -> None:
    run = stage.submit("steps", steps=2)
    [claimed] = store.claim(1)
    plain = programs._look

    def look_and_be_paused(number: int) -> object:
        paused(ada)
        return plain(number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(programs, "_look", look_and_be_paused)
        lead(claimed)
    held = stage.run(run.id)
    assert (held.status, held.next_step, held.attempts) == ("paused", 0, 0)
    assert held.held_because == f"Ada paused scout: {BECAUSE}"
    assert (store.claim(5), held.lease_until) == ([], None)
    resumed(ada)
    work()
    assert stage.run(run.id).status == "succeeded"
    assert queries.steps(run.id)[1].fence == claimed.fence + 1


def test_holds_a_run_that_reaches_a_paused_agent(stage: Stage, ada: Actor) -> None:
    stage.submit("steps", steps=1)
    work()
    paused(ada)
    run = stage.submit("steps", key="two", steps=3)
    assert stands(stage, run) == ("queued", None)
    work()
    held = stage.run(run.id)
    assert (held.status, held.held_because) == ("paused", f"Ada paused scout: {BECAUSE}")
    assert (queries.steps(run.id), programs.CALLS) == ([], ["look 0"])
    assert resumed(ada)
    work()
    ended = stage.run(run.id)
    assert (ended.status, ended.held_because) == ("succeeded", "")


def test_keeps_what_a_run_waits_for(stage: Stage, ada: Actor) -> None:
    run = stage.submit("count")
    work()
    waited_for = stage.run(run.id).waiting_for
    assert paused(ada)
    assert stands(stage, run) == ("paused", waited_for)
    assert resumed(ada)
    assert stands(stage, run) == ("waiting", waited_for)
    assert said(stage, "agent:scout") == ["agent.paused", "agent.resumed"]


def test_lets_a_token_hold_but_never_resume(stage: Stage, ada: Actor) -> None:
    run = stage.submit("count")
    work()
    robot = Actor("client", "robot", "Robot", stage.setup.workspace_id)
    assert pause(actor=robot, name="scout", reason=BECAUSE, now=now())
    with pytest.raises(Forbidden, match="no token"):
        resume(actor=robot, name="scout", now=now())
    assert stands(stage, run)[0] == "paused"
    assert resumed(ada)


def test_loses_no_decision_that_falls_meanwhile(stage: Stage, ada: Actor) -> None:
    run = stage.submit("count")
    work()
    [(_, proposal_id)] = queries.waiting_of(run.id)
    paused(ada)
    approve(stage, proposal_id)
    assert (wake_run(run.id), wake_unheard()) == (0, 0)
    assert stands(stage, run) == ("paused", proposal_id)
    resumed(ada)
    assert stands(stage, run) == ("queued", None)


@pytest.mark.race
def test_loses_no_decision_in_a_race_with_pause_and_resume(stage: Stage, ada: Actor) -> None:
    with race(3) as runners:
        for number in range(15):
            run = stage.submit("count", key=f"race {number}")
            work()
            [(_, proposal_id)] = queries.waiting_of(run.id)

            def decide_and_ring(run: Run = run, proposal_id: UUID = proposal_id) -> None:
                approve(stage, proposal_id)
                wake_run(run.id)

            runners.run(decide_and_ring, lambda: paused(ada), lambda: resumed(ada))
            resumed(ada)
            assert stands(stage, run) == ("queued", None)
            work()
            assert [step.kind for step in queries.steps(run.id)][2] == "outcome"
            cancel(actor=ada, job_id=run.job_id, now=now())


@pytest.mark.race
def test_lets_no_run_slip_past_a_pause(stage: Stage, ada: Actor) -> None:
    stage.submit("steps", steps=1)
    work()
    with race() as runners:
        for number in range(12):
            run = stage.submit("steps", key=f"race {number}", steps=4)
            runners.run(lambda: paused(ada), work)
            status = stage.run(run.id).status
            assert status in {"paused", "succeeded", "queued"}
            resumed(ada)
            work()
            assert stage.run(run.id).status == "succeeded"


@pytest.mark.race
def test_frees_a_run_whose_two_agents_are_resumed_at_once(stage: Stage, ada: Actor) -> None:
    run = stage.submit("team")
    work()
    with race() as runners:
        for _ in range(8):
            paused(ada, "scout")
            paused(ada, "clerk")
            assert stands(stage, run)[0] == "paused"
            runners.run(lambda: resumed(ada, "scout"), lambda: resumed(ada, "clerk"))
            assert stands(stage, run)[0] == "waiting"


def test_leaves_a_run_held_while_another_of_its_agents_is(stage: Stage, ada: Actor) -> None:
    run = stage.submit("team")
    work()
    paused(ada, "scout")
    paused(ada, "clerk")
    resumed(ada, "scout")
    held = stage.run(run.id)
    assert (held.status, held.held_because) == ("paused", f"Ada paused clerk: {BECAUSE}")
    resumed(ada, "clerk")
    assert stands(stage, run)[0] == "waiting"


def test_is_done_once_however_often_it_is_clicked(stage: Stage, ada: Actor) -> None:
    stage.submit("count")
    work()
    assert [paused(ada), paused(ada)] == [True, False]
    assert [resumed(ada), resumed(ada)] == [True, False]
    assert said(stage, "agent:scout") == ["agent.paused", "agent.resumed"]


def test_takes_only_from_who_may_and_with_a_reason(stage: Stage, ada: Actor) -> None:
    stage.submit("count")
    work()
    for refused in (stage.ana, member(stage, "Cleo", "auditor")):
        with pytest.raises(Forbidden):
            paused(refused)
    with pytest.raises(ReasonUnusable):
        pause(actor=ada, name="scout", reason="  ", now=now())
    with pytest.raises(NotFound):
        paused(ada, "nobody")
    assert paused(member(stage, "Eve", "engineer"))


def test_does_not_count_a_pause_against_a_run(stage: Stage, ada: Actor) -> None:
    run = stage.submit("steps", steps=1)
    for _ in range(7):
        [claimed] = store.claim(1)
        store.begin(claimed)
        store.meet(claimed, "scout")
        paused(ada)
        resumed(ada)
    work()
    assert stage.run(run.id).status == "succeeded"


def test_refuses_every_write_of_a_run_that_is_held(stage: Stage, ada: Actor) -> None:
    run = stage.submit("count")
    [claimed] = store.claim(1)
    store.meet(claimed, "scout")
    paused(ada)
    with pytest.raises(Fenced):
        store.hold(claimed)
    with pytest.raises(Fenced):
        store.suspend(claimed, run.id)
    with pytest.raises(participating.Held, match="Ada paused scout"):
        participating.participate(claimed, "scout")
    assert (store.pause(claimed, "scout", "x"), store.release(claimed)) == (False, False)


def test_releases_a_run_whose_agent_was_resumed_before_it_was_held(
    stage: Stage, ada: Actor
) -> None:
    stage.submit("steps", steps=1)
    work()
    paused(ada)
    run = stage.submit("steps", key="two", steps=1)
    [claimed] = store.claim(1)
    plain = store.meet

    def meet_and_be_resumed(claimed: Claim, name: str) -> Standing:
        standing = plain(claimed, name)
        resumed(ada)
        return standing

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "meet", meet_and_be_resumed)
        lead(claimed)
    assert stands(stage, run) == ("queued", None)
    assert stage.run(run.id).attempts == 0


@pytest.mark.race
@override_settings(RUN_LEASE=timedelta(seconds=LEASE_SECONDS))
@pytest.mark.parametrize("place", [1, 2, 3, 4])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_worker_killed_around_a_pause_costs_nothing(
    stage: Stage, ada: Actor, moment: str, place: int
) -> None:
    run = stage.submit("count")
    assert worker(moment, str(place)) == -9
    assert paused(ada)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [LEASE_SECONDS])
    work()
    assert stands(stage, run)[0] == "paused"
    assert resumed(ada)
    for _ in range(2):
        work()
        stage.decide(run.id, "approve")
        paused(ada)
        wake_run(run.id)
        resumed(ada)
    work()
    assert stage.run(run.id).result == {"ends": ["approved", "approved"]}
    assert stage.content() == {"n": 2, "log": [0, 1]}
