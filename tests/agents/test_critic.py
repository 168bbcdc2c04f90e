"""The critic: what is odd about an act after what a run did before, and where a reader finds it."""

from typing import Any

import pytest

from agents.critic import Act, acts, flags, subject_of
from agents.operations.running import work
from agents.workflows import Context, ToolFailed, Workflow, register_workflow
from approvals.models import Evidence
from benchmarks import proposals
from console.canonical import Json
from snapshots.diff import Change
from tests.agents.stage import Stage

RAISED: dict[str, Json] = {"op": "replace", "path": "/limit", "old": 5, "value": 9}
LOWERED: dict[str, Json] = {"op": "replace", "path": "/limit", "old": 9, "value": 5}
PAY = Act(1, "pay", {"invoice_id": "R-1", "amount": 3})


@pytest.mark.parametrize(
    ("act", "before", "kinds"),
    [
        (Act(4, "pay", {"invoice_id": "R-1", "amount": 4}), [PAY], ["repeated"]),
        (Act(4, "pay", {"invoice_id": "R-2", "amount": 3}), [PAY], []),
        (Act(4, "hold", {"invoice_id": "R-1"}), [PAY], []),
        (Act(4, "pay", {"amount": 3}), [Act(1, "pay", {"amount": 3})], []),
        (Act(4, "pay", {"to": "Ana"}), [Act(1, "pay", {"to": "Ana"})], ["repeated"]),
        (PAY, [Act(0, "pay", {"invoice_id": "R-9"}, failed=True)], ["failed_before"]),
        (PAY, [Act(0, "look", {"invoice_id": "R-1"}, failed=True)], []),
        (Act(4, "set", {}, [LOWERED]), [Act(1, "set", {}, [RAISED])], ["taken_back"]),
        (Act(4, "set", {}, [RAISED]), [Act(1, "set", {}, [RAISED])], []),
        (Act(4, "set", {}, [LOWERED]), [Act(1, "put", {}, [RAISED], failed=True)], []),
    ],
)
def test_flags_what_is_odd(act: Act, before: list[Act], kinds: list[str]) -> None:
    assert [flag.kind for flag in flags(act, before)] == kinds


def test_reads_a_journal() -> None:
    found = acts(
        [
            (0, "tool_call", "look", {"n": 1}, False),
            (1, "tool_call", "pay", {"n": 1}, True),
            (2, "proposal", "pay", {"params": {"n": 1}, "stated": [RAISED]}, False),
            (3, "proposal", "pay", {"params": {"n": 2}, "stated": []}, True),
        ]
    )
    assert [(act.step, act.failed, act.is_proposal) for act in found] == [
        (1, True, False),
        (2, False, True),
        (3, True, True),
    ]
    assert found[1].changes == [RAISED]


def test_knows_what_an_act_is_about() -> None:
    assert subject_of({"user_id": "u1", "order_id": 7, "note": "x"}) == (
        '{"order_id": 7, "user_id": "u1"}'
    )
    assert subject_of({"n": 1, "name": "Ana", "b": "c"}) == '{"name": "Ana"}'
    assert subject_of({"n": 1}) == ""


def _twice(context: Context) -> Json:
    def fail() -> Json:
        raise ToolFailed("no such order")

    for _ in range(2):
        try:
            context.tool(agent="scout", name="set", args={"order_id": "O1"}, function=fail)
        except ToolFailed:
            continue
    outcome = context.propose(
        agent="scout",
        action_type="set",
        params={"order_id": "O1"},
        stated=[Change("replace", "/n", 0, 1)],
    )
    return outcome.status


@pytest.mark.django_db(transaction=True)
def test_lays_its_flags_beside_the_proposal() -> None:
    register_workflow(Workflow("twice", "Twice", _twice))
    stage = Stage.build()
    stage.submit("twice")
    work()
    row = Evidence.objects.get()
    assert (row.label, row.source) == ("Critic's flags", "critic")
    assert row.content == "The same was tried in step 0 and failed."


@pytest.mark.data
@pytest.mark.skipif(not proposals.RUNS.exists(), reason="the folder ../shared/data is not here")
def test_is_scored_against_labelled_runs() -> None:
    """What it says now: right more often than chance where it speaks, and it speaks seldom."""
    part = proposals.measure(rounds=1, quick=True)
    told: dict[str, Any] = {figure.name: round(figure.value, 1) for figure in part.figures}
    assert told["all: wrong"] == 46.7
    assert told["all: impossible, 21, precision"] == 100.0
    assert told["all: failed_before, 10, precision"] == 80.0
    assert told["all: any, recall"] == 44.6
    assert told["those that could be carried out: wrong"] == 35.4
    assert told["those that could be carried out: any, recall"] == 11.4
