"""Guarding: each guard has a run that it must catch and a near miss that it must leave alone."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from agents.breaker import Watch
from agents.declarations import Check, Contract, Finished, Memo, Role, Tool
from agents.modelling import Cut
from agents.models import Job, Pause, RoleTime, Run, Step, Usage, WorkflowSetting, WorkspaceBudget
from agents.operations import interrupting
from agents.operations.running import work
from agents.operations.waking import wake_run
from agents.workflows import (
    Context,
    Message,
    ModelFailed,
    Reply,
    Workflow,
    register_workflow,
)
from approvals.models import Proposal
from console.canonical import Json
from console.ledger import queries as ledger
from console.notices.models import Notice
from snapshots.diff import Change
from snapshots.operations.observing import observe
from tests.agents import scripted
from tests.agents.control import said as said_of
from tests.agents.scripted import (
    CALLED,
    HEARD,
    OUTSIDE,
    ends,
    fail,
    give,
    hand,
    kinds,
    look,
    looks,
    pauses,
    put,
    ran,
    said,
    think,
)
from tests.agents.stage import Stage, now

pytestmark = pytest.mark.django_db(transaction=True)

ANY = {"type": "object"}


@pytest.fixture
def stage() -> Stage:
    CALLED.clear()
    HEARD.messages.clear()
    scripted.register()
    return Stage.build()


def approve_all(stage: Stage, run: Run, times: int) -> Run:
    for _ in range(times):
        stage.decide(run.id, "approve")
        wake_run(run.id)
        work()
    return stage.run(run.id)


def test_answers_the_second_identical_call_from_the_journal(stage: Stage) -> None:
    run = ran(stage, look(answer={"n": 3}), look(answer="something else by now"))
    assert (run.status, run.result) == ("succeeded", {"ends": [{"n": 3}, {"n": 3}]})
    assert CALLED == ["look"]
    assert kinds(run) == ["tool_call look", "tool_call look", "guard identical_call"]
    verdict = Step.objects.get(run=run.id, index=2).input
    assert (verdict["strength"], verdict["began_at"], verdict["steps"]) == ("note", 0, [0, 1])


def test_pauses_before_the_third_identical_call(stage: Stage) -> None:
    run = ran(stage, look(), look(), look())
    [pause] = pauses(run)
    assert (run.status, run.paused_by, run.lease_until) == ("paused", pause.id, None)
    assert run.held_because == pause.verdict["sentence"]
    assert (pause.rule, pause.agent, pause.step, pause.status) == (
        "identical_call",
        "scout",
        3,
        "open",
    )
    assert (pause.verdict["began_at"], pause.verdict["steps"]) == (0, [0, 1])
    assert CALLED == ["look"]
    assert said(run) == [("identical_call", "note"), ("identical_call", "pause")]


def test_notes_every_identical_call_where_it_is_set_so(stage: Stage) -> None:
    scripted.register({"identical_call": {"strength": "note"}})
    run = ran(stage, look(), look(), look())
    # Answered, about to be made again, answered again.
    assert (run.status, said(run)) == ("succeeded", [("identical_call", "note")] * 3)


@pytest.mark.parametrize("between", [OUTSIDE, put(0)])
def test_looks_again_after_something_happened(stage: Stage, between: dict[str, Any]) -> None:
    run = ran(stage, look(), between, look(), between, look())
    ended = approve_all(stage, run, 2) if between is not OUTSIDE else run
    assert (ended.status, said(run), len(CALLED)) == ("succeeded", [], 3)


def test_looks_again_where_the_record_says_something_else(stage: Stage) -> None:
    def program(context: Context) -> Json:
        found: list[Json] = []
        for _ in range(2):
            seen: Any = context.read(agent="scout")
            found.append(look_at(context, "look", lambda: seen["n"]))  # noqa: B023
            look_at(context, "wait", lambda: moved(stage))
        return found

    register_workflow(Workflow("again", "Again", program))
    run = stage.submit("again")
    work()
    assert stage.run(run.id).result == [0, 7]


def look_at(context: Context, name: str, function: Callable[[], Json]) -> Json:
    return context.tool(agent="scout", name=name, args={}, function=function)


def moved(stage: Stage) -> None:
    """Let somebody else change the record, once."""
    changes = [Change("replace", "/n", 0, 7)]
    observe(
        actor=stage.setup,
        state_id=stage.book.state_id,
        changes=changes,
        cause_id="elsewhere",
        reason="It moved",
        now=now(),
    )


def test_counts_calls_for_a_tool_that_is_named_like_the_reading_of_the_record(
    stage: Stage,
) -> None:
    run = ran(stage, *[{**fail(number), "name": "read_state"} for number in range(3)])
    assert (run.status, said(run)) == ("paused", [("errors_in_a_row", "pause")])
    scripted.register(roles=(scout(),))
    run = ran(stage, {**look(), "name": "read_state"}, key="role")
    assert ([step[:8] for step in ends(run)], said(run)) == (
        ["failed: "],
        [("outside_role", "note")],
    )


def test_asks_a_tool_again_that_may_answer_otherwise(stage: Stage) -> None:
    tool = Tool("look", "Look", ANY, lambda record: None, rereads=True)
    scripted.register(roles=(Role("scout", "Looks", "Look.", (tool,), ("set",)),))
    assert ran(stage, look(), look(), key="near").status == "succeeded"
    assert len(CALLED) == 2
    run = ran(stage, look(), look(), look())
    assert (run.status, said(run)) == ("paused", [("identical_call", "pause")])


def test_leaves_alone_what_is_switched_off(stage: Stage) -> None:
    scripted.register({"identical_call": {"limit": None}})
    run = ran(stage, *[look()] * 5)
    assert (run.status, len(CALLED), said(run)) == ("succeeded", 5, [])


def test_tells_the_agent_of_the_second_failure_and_pauses_at_the_third(stage: Stage) -> None:
    scripted.register({"errors_in_a_row": {"limit": None}})
    run = ran(stage, fail(), fail(), think(), fail())
    assert (run.status, said(run)) == (
        "paused",
        [("failed_again", "nudge"), ("failed_again", "pause")],
    )
    [message] = HEARD.messages
    [notice] = message.turns
    assert notice.filled_by == "notice"
    assert "failed" in notice.content
    step = Step.objects.get(run=run.id, kind="model_call")
    assert step.input["turns"][0]["filled_by"] == "notice"


def test_tells_an_agent_once_and_no_other(stage: Stage) -> None:
    acts = [fail(), fail(), {"do": "nudges", "agent": "scout"}, think(agent="clerk"), think()]
    run = ran(stage, *acts, think(), {"do": "nudges", "agent": "scout"})
    assert [len(message.turns) for message in HEARD.messages] == [0, 1, 0]
    assert (len(ends(run)[2]), ends(run)[-1]) == (1, [])


def test_leaves_alone_a_call_that_fails_with_other_arguments(stage: Stage) -> None:
    run = ran(stage, fail(1), fail(2), look(), fail(1), look(4, answer="more"))
    # The first call failed again, which its agent is told.
    assert (run.status, said(run)) == ("succeeded", [("failed_again", "nudge")])


def test_pauses_after_three_errors_in_a_row(stage: Stage) -> None:
    assert ran(stage, fail(1), fail(2), look(3), fail(4), key="near").status == "succeeded"
    run = ran(stage, fail(1), fail(2), fail(3), look(4))
    assert (run.status, said(run)) == ("paused", [("errors_in_a_row", "pause")])
    assert pauses(run)[0].verdict["began_at"] == 0


def test_pauses_once_where_two_rules_fire(stage: Stage) -> None:
    run = ran(stage, fail(), fail(), fail())
    assert said(run)[1:] == [("errors_in_a_row", "note"), ("failed_again", "pause")]
    assert len(pauses(run)) == 1


def test_ends_a_run_that_makes_too_many_calls(stage: Stage) -> None:
    scripted.register({"calls": {"limit": 5}})
    assert ran(stage, *looks(range(5)), key="near").status == "succeeded"
    run = ran(stage, *looks(range(6)))
    assert (run.status, run.problem_code) == ("terminated", "calls")
    assert run.problem.endswith("It began at step 0.")
    assert said(run) == [("calls", "note"), ("calls", "terminate")]
    assert len(CALLED) == 10


def test_withdraws_what_a_run_left_open_that_it_ends(stage: Stage) -> None:
    scripted.register({"calls": {"limit": 1}})
    run = ran(stage, put(0), look())
    assert run.status == "waiting"
    # Decided and waiting still: it goes on, and ends at its next call.
    ended = approve_all(stage, run, 1)
    assert (ended.status, ended.problem_code) == ("terminated", "calls")
    assert not Proposal.objects.filter(status="pending").exists()


@pytest.mark.parametrize(
    ("setting", "caught", "near"),
    [
        ({"reads_of_one_tool": {"limit": 2}}, looks(range(3)), looks(range(2))),
        ({"errors": {"limit": 2}}, [fail(1), look(2), fail(3)], [fail(1), look(2)]),
        (
            {"nothing_new": {"limit": 3}},
            [look(n) for n in range(4)],
            [look(0), look(1), OUTSIDE, look(2), look(3)],
        ),
        ({"talk": {"limit": 3}}, [think()] * 3, [think(), think(), look(), think()]),
        (
            {"depth": {"limit": 2}},
            [hand("a", "b"), hand("b", "c"), hand("c", "d")],
            [hand("a", "b"), hand("b", "c"), hand("c", "b"), hand("b", "d")],
        ),
        (
            {"handoffs": {"limit": 2}},
            [hand("a", "b"), hand("a", "c"), hand("a", "d")],
            [hand("a", "b"), hand("a", "c")],
        ),
        (
            {"round_trips": {"limit": 2}},
            [hand("a", "b"), hand("b", "a", 1), hand("a", "b", 2), hand("b", "a", 3)],
            [hand("a", "b"), hand("b", "a", 1), look(), hand("a", "b", 2), hand("b", "a", 3)],
        ),
    ],
)
def test_catches_what_a_rule_is_about_and_leaves_the_near_miss(
    stage: Stage, setting: dict[str, Any], caught: list[Any], near: list[Any]
) -> None:
    scripted.register(setting)
    [rule] = setting
    assert ran(stage, *near, key="near").status == "succeeded"
    run = ran(stage, *caught)
    assert (run.status, [pause.rule for pause in pauses(run)]) == ("paused", [rule])


def test_pauses_before_too_many_proposals_of_one_kind(stage: Stage) -> None:
    scripted.register({"writes_of_one_kind": {"limit": 2}})
    assert approve_all(stage, ran(stage, put(0), put(1), key="near"), 2).status == "succeeded"
    run = approve_all(stage, ran(stage, put(2), put(3), put(4)), 2)
    assert (run.status, said(run)) == ("paused", [("writes_of_one_kind", "pause")])
    assert Proposal.objects.filter(origin=f"run:{run.id}").count() == 2


def test_keeps_the_limit_of_a_tool_itself(stage: Stage) -> None:
    tool = Tool("look", "Look", ANY, lambda record: None, max_calls=2)
    scripted.register(roles=(Role("scout", "Looks", "Look.", (tool,)),))
    assert ran(stage, *looks(range(2)), key="near").status == "succeeded"
    run = ran(stage, *looks(range(3)))
    assert (run.status, said(run)) == ("paused", [("reads_of_one_tool", "pause")])


# Roles.


def scout(**declared: Any) -> Role:
    look_tool = Tool("look", "Look", ANY, lambda record: None)
    return Role("scout", "Looks", "Look.", tools=(look_tool,), **declared)


def test_refuses_a_call_outside_the_role_and_pauses_at_the_second(stage: Stage) -> None:
    scripted.register(roles=(scout(),))
    dig = {**look(), "name": "dig"}
    near = ran(stage, look(), dig, look(1, answer="other"), key="near")
    assert (near.status, said(near)) == ("succeeded", [("outside_role", "note")])
    assert CALLED == ["look", "look"]
    assert "may not call dig" in ends(near)[1]
    refused = Step.objects.get(run=near.id, name="dig")
    assert (refused.output, refused.error[:21]) == (None, "scout may not call di")
    run = ran(stage, dig, look(), {**dig, "args": {"n": 2}})
    assert (run.status, said(run)) == (
        "paused",
        [("outside_role", "note"), ("outside_role", "pause")],
    )
    assert pauses(run)[0].verdict["steps"] == [0, 3]


def test_refuses_a_proposal_outside_the_role(stage: Stage) -> None:
    scripted.register(roles=(scout(),))
    run = ran(stage, put(0))
    assert (run.result, said(run)) == ({"ends": ["refused"]}, [("outside_role", "note")])
    assert not Proposal.objects.exists()
    scripted.register(roles=(scout(action_types=("set",)),))
    assert ran(stage, put(0), key="near").status == "waiting"


def test_binds_nobody_whose_role_is_not_declared(stage: Stage) -> None:
    scripted.register(roles=(scout(),))
    run = ran(stage, {**look(), "name": "dig", "agent": "clerk"})
    assert (run.status, said(run)) == ("succeeded", [])


# What speaks against a proposal, and what fills a window.


def test_says_that_nobody_approved_what_an_agent_says_was_approved(stage: Stage) -> None:
    run = ran(stage, put(0, rationale="The CFO has approved this already."))
    assert (run.status, said(run)) == ("waiting", [("false_authority", "note")])
    verdict = Step.objects.get(run=run.id, kind="guard").input
    assert (verdict["began_at"], "The CFO has approved" in verdict["sentence"]) == (0, True)
    near = ran(stage, put(1, rationale="The CFO has not approved this yet."), key="near")
    assert said(near) == []


def test_says_what_a_new_wording_claims_and_the_last_one_did_not(stage: Stage) -> None:
    def program(context: Context) -> Json:
        outcome = context.propose(
            agent="scout", action_type="set", params={"n": 1}, stated=[to(1)], converses=True
        )
        for n, why in ((2, "The CFO has approved this already."), (3, "As you wish.")):
            outcome = context.revise(
                outcome, agent="scout", params={"n": n}, stated=[to(n)], why=why
            )
        return outcome.status

    register_workflow(Workflow("claim", "Claim", program))
    run = stage.submit("claim")
    work()
    for _ in range(2):
        stage.decide(run.id, "request_changes")
        wake_run(run.id)
        work()
    assert kinds(run)[2:] == [
        "reply revise",
        "guard false_authority",
        "outcome revise",
        "reply revise",
    ]


def to(number: int) -> Change:
    return Change("replace", "/n", 0, number)


def test_says_what_it_has_to_though_its_worker_died_between_two_verdicts(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted.register({"false_authority": {"strength": "pause"}})
    pause = interrupting.pause
    monkeypatch.setattr(interrupting, "pause", dies)
    with pytest.raises(KeyboardInterrupt):
        ran(stage, put(0, rationale="The CFO has approved this already.", other=7))
    monkeypatch.setattr(interrupting, "pause", pause)
    run = Run.objects.get()
    assert kinds(run) == ["proposal set", "guard second_opinion"]
    # Its lease is over.
    Run.objects.update(lease_until=now())
    work()
    assert said(run) == [("second_opinion", "note"), ("false_authority", "pause")]
    assert stage.run(run.id).status == "paused"


def dies(*_: Any) -> None:
    raise KeyboardInterrupt


def test_says_where_a_second_opinion_differs(stage: Stage) -> None:
    run = ran(stage, put(0, other=7))
    assert (run.status, said(run)) == ("waiting", [("second_opinion", "note")])
    assert "/log/0" in Step.objects.get(run=run.id, kind="guard").input["sentence"]
    assert said(ran(stage, put(1, other=1), key="near")) == []


def test_lets_a_workflow_wait_where_a_second_opinion_differs(stage: Stage) -> None:
    scripted.register({"second_opinion": {"strength": "pause"}})
    run = ran(stage, put(0, other=7))
    assert (run.status, [pause.rule for pause in pauses(run)]) == ("paused", ["second_opinion"])


def test_notes_once_that_a_window_is_nearly_full(stage: Stage) -> None:
    scripted.register(roles=(scout(window_tokens=100),))
    near = ran(stage, think(about="x" * 300), key="near")
    assert said(near) == []
    run = ran(stage, think(about="x" * 320), think(about="x" * 390))
    assert (run.status, said(run)) == ("succeeded", [("window", "note")])


def test_ends_a_run_whose_answers_were_cut_off_too_often(stage: Stage) -> None:
    def program(context: Context) -> Json:
        for _ in range(3):
            with suppress(ModelFailed):
                context.model(agent="scout", message=Message("Be brief.", "?"), provider=Chatter())
        return None

    guards = {"tokens": {"limit": 1_000}}
    register_workflow(Workflow("chatter", "Chatter", program, guards=guards))
    run = stage.submit("chatter")
    work()
    run = stage.run(run.id)
    assert (run.status, run.problem_code) == ("terminated", "tokens")
    assert (run.tokens, run.money) == (1_200, Decimal("0.25"))
    cut = Step.objects.get(run=run.id, index=0)
    assert (cut.output, cut.error) == ({"tokens": 600, "cost": "0.125"}, "was cut off")


class Chatter:
    """A model that never comes to an end."""

    name = "chatter"

    def complete(self, message: Message) -> Reply:
        raise Cut("was cut off", 600, Decimal("0.125"))


# Contracts, memory, what is expected.


def positive(value: Any, record: Any) -> str | None:
    return None if value["n"] > record["n"] else f"{value['n']} is not above {record['n']}"


NUMBER = Contract(
    {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}},
    (Check("positive", positive),),
)


def test_tells_whoever_breaks_a_contract_and_pauses_at_the_second(stage: Stage) -> None:
    scripted.register(roles=(Role("clerk", "Writes", "Write.", takes=NUMBER, gives=NUMBER),))
    near = ran(
        stage, hand("scout", "clerk", {"n": "one"}), hand("scout", "clerk", {"n": 2}), key="near"
    )
    assert (near.status, said(near)) == ("succeeded", [("contract", "nudge")])
    assert [str(end)[:7] for end in ends(near)] == ["broken:", "None"]
    run = ran(stage, hand("scout", "clerk", {"n": 2}), give("clerk", None), give("clerk", {"n": 0}))
    assert (run.status, said(run)) == ("paused", [("contract", "nudge"), ("contract", "pause")])
    assert "0 is not above 0" in pauses(run)[0].verdict["sentence"]


def test_returns_what_keeps_its_contract(stage: Stage) -> None:
    scripted.register(roles=(Role("clerk", "Writes", "Write.", gives=NUMBER),))
    run = ran(stage, hand("scout", "clerk"), give("clerk", {"n": 1}))
    assert (run.result, said(run)) == ({"ends": [None, {"n": 1}]}, [])
    assert kinds(run) == ["handoff clerk", "handoff scout"]


def test_keeps_in_mind_only_what_fits_a_type(stage: Stage) -> None:
    memo = Memo("vendor/", {"type": "object", "required": ["iban"]})
    scripted.register(roles=(Role("scout", "Looks", "Look.", memory=(memo,)),))
    acts = [
        {"do": "remember", "subject": subject, "value": value}
        for subject, value in [("vendor/a", {"iban": 1}), ("vendor/b", {}), ("else", {"iban": 1})]
    ]
    run = ran(stage, *acts)
    assert [end[:7] for end in ends(run)] == ["kept", "failed:", "failed:"]


def wanted(finished: Finished) -> list[str]:
    done = [each.params["n"] for each in finished.proposals if each.status == "approved"]
    return [f"Nothing was set to {n}." for n in (0, 1) if n not in done]


def test_says_what_was_expected_and_not_proposed(stage: Stage) -> None:
    scripted.register(expects=wanted)
    run = approve_all(stage, ran(stage, put(0)), 1)
    assert (run.status, said(run)) == ("succeeded", [("not_proposed", "note")])
    verdict = Step.objects.get(run=run.id, kind="guard").input
    assert verdict["numbers"]["items"] == ["Nothing was set to 1."]
    near = approve_all(stage, ran(stage, put(0), put(1), key="near"), 2)
    assert (near.status, said(near)) == ("succeeded", [])


def test_pauses_at_the_end_where_it_is_set_so(stage: Stage) -> None:
    scripted.register({"not_proposed": {"strength": "pause"}}, expects=wanted)
    run = ran(stage, look())
    assert (run.status, run.result, said(run)) == ("paused", None, [("not_proposed", "pause")])


# Budgets.


def test_ends_a_run_that_used_up_its_tokens_and_says_so_at_four_fifths(stage: Stage) -> None:
    scripted.register({"tokens": {"limit": 1000}})
    near = ran(stage, think(700), think(150), think(100), key="near")
    assert (near.status, said(near)) == ("succeeded", [("tokens", "note")])
    run = ran(stage, think(700), think(400), think(1))
    assert (run.status, run.problem_code, len(HEARD.messages)) == ("terminated", "tokens", 5)
    assert said(run) == [("tokens", "terminate")]


def test_counts_money_to_the_millionth(stage: Stage) -> None:
    scripted.register({"money": {"limit": 0.3}})
    near = ran(stage, think(cost="0.1"), think(cost="0.199999"), key="near")
    assert (near.status, said(near)) == ("succeeded", [("money", "note")])
    run = ran(stage, think(cost="0.1"), think(cost="0.2"))
    assert (run.status, run.problem_code) == ("terminated", "money")


def test_counts_what_other_runs_of_the_job_used(stage: Stage) -> None:
    run = stage.submit("script", acts=[think(300)])
    Job.objects.filter(id=run.job_id).update(budget={"tokens": 1000})
    Run.objects.filter(id=run.id).update(number=2)
    Run.objects.create(
        workspace_id=run.workspace_id,
        job_id=run.job_id,
        number=1,
        status="superseded",
        tokens=699,
        created_at=now(),
        finished_at=now(),
    )
    work()
    assert (stage.run(run.id).status, said(run)) == ("succeeded", [("job_tokens", "note")])
    other = stage.submit("script", key="two", acts=[think(300), think(700)])
    Job.objects.filter(id=other.job_id).update(budget={"tokens": 1000})
    work()
    assert stage.run(other.id).problem_code == "job_tokens"


def test_counts_what_the_workspace_used_on_the_day(stage: Stage) -> None:
    WorkspaceBudget.objects.create(
        workspace_id=stage.setup.workspace_id,
        money=Decimal("2.5"),
        actor=stage.setup.to_json(),
        changed_at=now(),
    )
    today = datetime.now(UTC).date()
    Usage.objects.create(workspace_id=stage.setup.workspace_id, day=today, money=Decimal("1.8"))
    near = ran(stage, think(cost="0.1"), key="near")
    assert (near.status, said(near)) == ("succeeded", [])
    run = ran(stage, think(cost="0.2"), think(cost="0.5"), think())
    assert (run.status, run.problem_code) == ("terminated", "day_money")
    assert said(run) == [("day_money", "note"), ("day_money", "terminate")]


def test_does_not_count_the_time_that_people_take(stage: Stage) -> None:
    scripted.register({"seconds": {"limit": 3600}})
    run = ran(stage, put(0), look())
    Run.objects.filter(id=run.id).update(started_at=datetime(2026, 1, 1, tzinfo=UTC))
    ended = approve_all(stage, run, 1)
    assert (ended.status, said(run)) == ("succeeded", [])


def test_ends_a_run_whose_steps_took_too_long(stage: Stage) -> None:
    scripted.register({"seconds": {"limit": 0.000001}})
    run = ran(stage, look())
    assert (run.status, run.problem_code) == ("terminated", "seconds")


def test_has_no_time_for_who_takes_longer_than_is_left(stage: Stage) -> None:
    scripted.register(seconds=60)
    for n in range(8):
        for agent, seconds in [("slow", 100 + n), ("quick", 2)]:
            RoleTime.objects.create(
                workspace_id=stage.setup.workspace_id,
                workflow="script",
                agent=agent,
                seconds=seconds,
                ended_at=now(),
            )
    run = ran(stage, {"do": "time", "agent": "slow"}, {"do": "time", "agent": "quick"})
    assert run.result == {"ends": [False, True]}
    assert said(run) == [("latency", "note")]


# How it is set, and what happens when it cannot be asked.


def test_lets_the_workspace_set_it_over_the_workflow(stage: Stage) -> None:
    scripted.register({"reads_of_one_tool": {"limit": 1}})
    WorkflowSetting.objects.create(
        workspace_id=stage.setup.workspace_id,
        workflow="script",
        guards={"reads_of_one_tool": {"limit": 3, "strength": "note"}},
        actor=stage.setup.to_json(),
        changed_at=now(),
    )
    # Noted once, not at every further call.
    run = ran(stage, *looks(range(7)))
    assert (run.status, said(run)) == ("succeeded", [("reads_of_one_tool", "note")])


def test_pauses_when_a_guard_cannot_be_asked(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(_watch: Watch, _call: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Watch, "before", break_down)
    run = ran(stage, look())
    [pause] = pauses(run)
    assert (run.status, pause.rule) == ("paused", "guard_failed")
    assert pause.verdict["numbers"]["exception"] == "ZeroDivisionError"
    assert CALLED == []


def test_pauses_when_it_is_set_in_a_way_that_cannot_be(stage: Stage) -> None:
    WorkflowSetting.objects.create(
        workspace_id=stage.setup.workspace_id,
        workflow="script",
        guards={"calls": "many"},
        actor=stage.setup.to_json(),
        changed_at=now(),
    )
    run = ran(stage, look())
    assert (run.status, said(run)) == ("paused", [("guard_failed", "pause")])


def test_tells_people_and_the_ledger_of_a_pause(stage: Stage) -> None:
    run = ran(stage, *[look()] * 3)
    assert said_of(stage, f"run:{run.id}") == ["run.paused_by_guard"]
    assert Notice.objects.filter(event__name="run.paused").count() == 1
    assert ledger.verify(stage.setup.workspace_id).objection is None


def test_wakes_nobody_who_is_paused(stage: Stage) -> None:
    run = ran(stage, *[look()] * 3)
    assert work() == 0
    assert (stage.run(run.id).status, Pause.objects.count()) == ("paused", 1)


def test_goes_through_a_journal_with_verdicts_as_it_did_first(stage: Stage) -> None:
    acts = [fail(), fail(), think(), look(1), look(1), put(0), look(2, answer="more"), think()]
    ended = approve_all(stage, ran(stage, *acts), 1)
    assert (ended.status, said(ended)) == (
        "succeeded",
        [("failed_again", "nudge"), ("identical_call", "note")],
    )
    assert [len(message.turns) for message in HEARD.messages] == [1, 0]


def test_tells_what_is_expected_that_a_proposal_was_withdrawn(stage: Stage) -> None:
    seen: list[str] = []

    def note(finished: Finished) -> list[str]:
        seen.extend(each.status for each in finished.proposals)
        return []

    scripted.register(expects=note)
    run = ran(stage, put(0))
    stage.decide(run.id, "request_changes")
    wake_run(run.id)
    work()
    assert (ends(stage.run(run.id)), seen) == (["changes_requested"], ["withdrawn"])
