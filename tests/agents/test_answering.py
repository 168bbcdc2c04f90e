"""Answering: a person says how a paused run goes on; it happens once, and nobody else can."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection

from agents.declarations import Role
from agents.models import Agent, Pause, Restoration, Run, Step
from agents.operations.answering import (
    AlreadyAnswered,
    Choice,
    LimitUnusable,
    answer_pause,
    may_answer,
)
from agents.operations.cancelling import cancel
from agents.operations.halting import halt, lift
from agents.operations.pausing import ReasonUnusable, pause, resume
from agents.operations.planning import plan
from agents.operations.restarting import supersede
from agents.operations.restoring import carry_on, confirm
from agents.operations.running import work
from agents.operations.stopping import stop
from agents.restoring import Wanted
from console.actors import Actor
from console.errors import Forbidden, Invalid, NotFound
from console.ledger import queries as ledger
from tests.agents import programs, scripted
from tests.agents.control import member
from tests.agents.control import said as said_of
from tests.agents.scripted import CALLED, HEARD, kinds, look, looks, pauses, put, ran, said, think
from tests.agents.stage import Stage, now
from tests.agents.test_crashes import LEASE_SECONDS, worker
from tests.racing import race

pytestmark = pytest.mark.django_db(transaction=True)

THRICE = [look()] * 3


@pytest.fixture
def stage() -> Stage:
    CALLED.clear()
    HEARD.messages.clear()
    programs.register()
    scripted.register()
    return Stage.build()


@pytest.fixture
def ada(stage: Stage) -> Actor:
    return member(stage, "Ada", "admin")


def answered(
    actor: Actor, run: Run, choice: Choice = "continue", reason: str = "it is fine", **more: Any
) -> bool:
    [*_, last] = pauses(run)
    return answer_pause(
        actor=actor, pause_id=last.id, choice=choice, reason=reason, now=now(), **more
    )


def test_lets_a_run_go_on_and_counts_anew(stage: Stage) -> None:
    run = ran(stage, *THRICE, think(), look(), look())
    assert answered(stage.ana, run)
    assert (stage.run(run.id).status, stage.run(run.id).held_because) == ("queued", "")
    work()
    ended = stage.run(run.id)
    # Looked at again once it was let go, then answered from there, then too often again.
    assert (ended.status, len(CALLED)) == ("paused", 2)
    assert kinds(run)[3:] == [
        "guard identical_call",
        "guard answer",
        "tool_call look",
        "model_call heard",
        "tool_call look",
        "guard identical_call",
        "guard identical_call",
    ]
    first, second = pauses(run)
    assert (first.status, second.status, second.step) == ("continued", "open", 9)
    answer = Step.objects.get(run=run.id, name="answer")
    assert answer.input == {"pause": str(first.id)}
    assert answer.output == {
        "status": "continued",
        "by": "Ana",
        "reason": "it is fine",
        "raised": {},
    }
    assert answered(stage.ana, run)
    work()
    assert stage.run(run.id).status == "succeeded"
    assert ledger.verify(stage.setup.workspace_id).objection is None


def test_tells_the_agent_why_it_may_go_on(stage: Stage) -> None:
    run = ran(stage, *THRICE, think(), think())
    answered(stage.ana, run, reason="the vendor is slow today")
    work()
    first, second = HEARD.messages
    assert first.turns[0].content.endswith("Ana let the run go on: the vendor is slow today")
    assert not second.turns


def test_raises_a_limit_for_this_run_alone(stage: Stage, ada: Actor) -> None:
    scripted.register({"reads_of_one_tool": {"limit": 2}})
    run, other = ran(stage, *looks(range(6))), ran(stage, *looks(range(6)), key="two")
    assert answered(ada, run, "raise", raised=5)
    work()
    assert (len(pauses(run)), pauses(run)[0].raised) == (2, {"reads_of_one_tool": 5})
    assert pauses(run)[1].verdict["numbers"] == {"counted": 6, "limit": 5}
    assert answered(ada, run, "raise", raised=6)
    assert answered(ada, other)
    work()
    assert stage.run(run.id).status == "succeeded"
    assert stage.run(run.id).raised == {"reads_of_one_tool": 6}
    # Counted anew from the third on, with the limit as it was.
    assert pauses(other)[1].verdict["numbers"] == {"counted": 3, "limit": 2}


def test_ends_a_run_with_its_reason_and_the_step_that_began_it(stage: Stage) -> None:
    run = ran(stage, *THRICE)
    assert answered(stage.ana, run, "terminate", reason="it goes round in circles")
    ended = stage.run(run.id)
    assert (ended.status, ended.problem_code, ended.paused_by) == (
        "terminated",
        "identical_call",
        None,
    )
    assert ended.problem.startswith("Ana ended it: it goes round in circles — look")
    assert ended.problem.endswith("It began at step 0.")
    assert pauses(run)[0].status == "terminated"
    assert said_of(stage, f"run:{run.id}") == [
        "run.paused_by_guard",
        "run.terminated",
        "pause.terminated",
    ]


def test_goes_on_through_a_pause_after_a_step(stage: Stage) -> None:
    run = ran(stage, *[scripted.fail()] * 3, look())
    answered(stage.ana, run)
    work()
    assert stage.run(run.id).status == "succeeded"
    # What else would have stopped it at the same place begins anew as well.
    assert said(run)[-2:] == [("errors_in_a_row", "note"), ("failed_again", "pause")]


def test_ends_as_it_would_have_after_a_pause_at_the_end(stage: Stage) -> None:
    scripted.register(
        {"not_proposed": {"strength": "pause"}}, expects=lambda _: ["Nothing was proposed."]
    )
    run = ran(stage, look())
    answered(stage.ana, run)
    work()
    assert (stage.run(run.id).status, stage.run(run.id).result) == ("succeeded", {"ends": ["seen"]})


def test_never_lets_somebody_do_what_the_role_forbids(stage: Stage) -> None:
    scripted.register({"outside_role": {"limit": 1}}, roles=(Role("scout", "Rests", "Rest."),))
    run = ran(stage, look(), look(1))
    answered(stage.ana, run)
    work()
    assert (stage.run(run.id).status, CALLED) == ("paused", [])


# Who may, and what is refused.


def test_is_for_people_who_may_decide_or_operate(stage: Stage, ada: Actor) -> None:
    run = ran(stage, *THRICE)
    auditor, token = member(stage, "Olga", "auditor"), Actor("client", "t", "T", run.workspace_id)
    with pytest.raises(Forbidden):
        answered(auditor, run)
    with pytest.raises(Forbidden, match="no token can"):
        answered(token, run)
    with pytest.raises(Forbidden, match="raise a limit"):
        answered(stage.ana, run, "raise", raised=5)
    assert (may_answer(stage.ana, "raise"), may_answer(ada, "raise")) == (False, True)
    assert stage.run(run.id).status == "paused"


def test_says_what_cannot_be(stage: Stage, ada: Actor) -> None:
    scripted.register({"reads_of_one_tool": {"limit": 2}})
    run = ran(stage, *looks(range(3)))
    for raised in (None, 2, -1, float("nan"), float("inf"), True):
        with pytest.raises(LimitUnusable):
            answered(ada, run, "raise", raised=raised)
    with pytest.raises(ReasonUnusable):
        answered(ada, run, reason=" . ")
    with pytest.raises(Invalid):
        answered(ada, run, "sleep")  # type: ignore[arg-type]
    assert pauses(run)[0].status == "open"


def test_finds_nothing_in_another_workspace(stage: Stage) -> None:
    run = ran(stage, *THRICE)
    other = Stage.build("other")
    stranger = member(stage, "Eve", "reviewer")
    for actor in (other.ana, person_in(other, stranger)):
        with pytest.raises(NotFound):
            answered(actor, run)
    assert pauses(run)[0].status == "open"


def person_in(stage: Stage, actor: Actor) -> Actor:
    return Actor("person", actor.id, actor.name, stage.setup.workspace_id, actor.roles)


def test_hears_the_same_person_once(stage: Stage, ada: Actor) -> None:
    run = ran(stage, *THRICE)
    assert answered(stage.ana, run)
    assert not answered(stage.ana, run)
    with pytest.raises(AlreadyAnswered):
        answered(ada, run)
    with pytest.raises(AlreadyAnswered):
        answered(stage.ana, run, "terminate")
    assert said_of(stage, f"run:{run.id}").count("pause.continued") == 1


@pytest.mark.race
@pytest.mark.parametrize("other", ["continue", "terminate"])
def test_lets_one_of_two_people_answer(stage: Stage, ada: Actor, other: Choice) -> None:
    with race() as runners:
        for turn in range(4):
            run = ran(stage, *THRICE, key=f"turn {turn}")
            ends = runners.run(
                partial(answered, stage.ana, run), partial(answered, ada, run, other)
            )
            assert sorted(map(str, ends)) == ["True", "already_answered"]
            [row] = pauses(run)
            winner = "continued" if ends[0] is True else {"continue": "continued"}.get(other, "")
            assert row.status == (winner or "terminated")
            assert stage.run(run.id).status in {"queued", "terminated"}
    assert ledger.verify(stage.setup.workspace_id).objection is None


@pytest.mark.race
def test_is_heard_once_when_clicked_twice(stage: Stage) -> None:
    with race() as runners:
        run = ran(stage, *THRICE)
        ends = runners.run(partial(answered, stage.ana, run), partial(answered, stage.ana, run))
    assert sorted(ends) == [False, True]


# What else may happen to the run meanwhile.


@pytest.mark.parametrize(
    "end",
    [
        lambda stage, ada, run: cancel(actor=ada, job_id=run.job_id, now=now()),
        lambda stage, ada, run: supersede(actor=ada, run_id=run.id, reason="anew", now=now()),
        lambda stage, ada, run: stop(actor=ada, name="scout", reason="it loops", now=now()),
    ],
)
def test_is_void_once_the_run_has_ended(
    stage: Stage, ada: Actor, end: Callable[[Stage, Actor, Run], object]
) -> None:
    run = ran(stage, *THRICE)
    end(stage, ada, run)
    assert stage.run(run.id).status in {"terminated", "superseded"}
    assert (pauses(run)[0].status, stage.run(run.id).paused_by) == ("void", None)
    with pytest.raises(AlreadyAnswered, match="void"):
        answered(ada, run)


@pytest.mark.race
def test_ends_once_when_it_is_cancelled_and_continued_at_the_same_moment(
    stage: Stage, ada: Actor
) -> None:
    with race() as runners:
        for turn in range(4):
            run = ran(stage, *THRICE, key=f"turn {turn}")
            runners.run(
                partial(answered, stage.ana, run),
                partial(cancel, actor=ada, job_id=run.job_id, now=now()),
            )
            assert stage.run(run.id).status == "terminated"
            assert pauses(run)[0].status in {"continued", "void"}


def test_waits_for_the_guard_when_its_agent_may_work_again(stage: Stage, ada: Actor) -> None:
    run = ran(stage, *THRICE)
    pause(actor=ada, name="scout", reason="it loops", now=now())
    resume(actor=ada, name="scout", now=now())
    assert stage.run(run.id).status == "paused"
    halt(actor=ada, reason="a fire", typed="stage", now=now())
    lift(actor=ada, now=now())
    assert (stage.run(run.id).status, stage.run(run.id).paused_by) == ("paused", pauses(run)[0].id)
    assert stage.run(run.id).held_because == pauses(run)[0].verdict["sentence"]


def test_stays_held_for_its_agent_when_it_was_answered(stage: Stage, ada: Actor) -> None:
    run = ran(stage, *THRICE)
    pause(actor=ada, name="scout", reason="it loops", now=now())
    assert answered(stage.ana, run)
    held = stage.run(run.id)
    assert (held.status, held.paused_by, held.held_because) == (
        "paused",
        None,
        "Ada paused scout: it loops",
    )
    resume(actor=ada, name="scout", now=now())
    work()
    assert stage.run(run.id).status == "succeeded"
    assert Agent.objects.get(name="scout").status == "active"


def test_waits_in_the_queue_while_everything_is_stopped(stage: Stage, ada: Actor) -> None:
    run = ran(stage, *THRICE)
    halt(actor=ada, reason="a fire", typed="stage", now=now())
    assert answered(stage.ana, run)
    work()
    assert stage.run(run.id).status == "queued"
    lift(actor=ada, now=now())
    work()
    assert stage.run(run.id).status == "succeeded"


def test_is_restored_when_another_run_goes_on(stage: Stage, ada: Actor) -> None:
    run = ran(stage, *THRICE)
    wanted = Wanted("reinitialise", run=run.id, source="clean")
    row = Restoration.objects.get(id=plan(actor=ada, wanted=wanted, now=now()))
    reason, typed = "start it anew", row.plan["to_type"]
    confirm(actor=ada, restoration_id=row.id, reason=reason, typed=typed, now=now())
    carry_on(row.id, now=now())
    [answer] = pauses(run)
    assert (answer.status, answer.reason, (answer.decider or {})["name"]) == (
        "restored",
        "start it anew",
        "Ada",
    )
    assert stage.run(run.id).status == "superseded"


# Crashes.


@pytest.mark.race
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    ("turn", "place"),
    [(turn, n) for turn, writes in ((0, 5), (1, 3)) for n in range(1, writes + 1)],
)
def test_is_asked_once_whatever_a_worker_dies_of(
    stage: Stage, moment: str, turn: int, place: int
) -> None:
    run = stage.submit("circle")
    if turn:
        work()
        answered(stage.ana, run)
    assert worker(moment, str(place)) == -9
    for _ in range(3):
        time.sleep(LEASE_SECONDS)
        work()
    if not turn:
        assert (stage.run(run.id).status, len(pauses(run))) == ("paused", 1)
        answered(stage.ana, run)
        work()
    assert stage.run(run.id).status == "succeeded"
    assert kinds(run) == [
        "tool_call look",
        "tool_call look",
        "guard identical_call",
        "guard identical_call",
        "guard answer",
        "tool_call look",
    ]
    assert Pause.objects.count() == 1


def test_holds_the_database_to_it(stage: Stage) -> None:
    run = ran(stage, *THRICE, put(0))
    with pytest.raises(Exception, match="goes on when a person says so"), connection.cursor() as c:
        c.execute("UPDATE agents_run SET status = 'queued' WHERE id = %s", [run.id])
