"""Timing: an agent's turns are kept when its run ends well, without the time others took."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from agents.declarations import Role
from agents.forecasting import KEPT_AT_MOST
from agents.models import RoleTime, Run, Step
from agents.operations.running import work
from agents.operations.timing import keep_times
from agents.queries import times
from agents.workflows import Context, Workflow, register_workflow
from console.canonical import Json
from tests.agents import programs
from tests.agents.stage import Stage, now

pytestmark = pytest.mark.django_db
# Agent, kind, and from when to when, in seconds since the run began.
JOURNAL = [
    ("lead", "tool_call", 0, 1),
    ("lead", "model_call", 2, 5),
    ("lead", "handoff", 5, 5),
    ("clerk", "model_call", 6, 13),
    ("", "guard", 13, 20),
    ("clerk", "proposal", 20, 21),
    ("", "outcome", 21, 9_000),
    ("clerk", "model_call", 9_500, 9_502),
    ("lead", "model_call", 9_502, 9_506),
    ("", "event", 9_506, 9_600),
]


@pytest.fixture
def run() -> Run:
    programs.register()
    made = Stage.build().submit("steps", steps=0)
    Run.objects.filter(id=made.id).update(status="succeeded", finished_at=now())
    return made


def write(run_id: UUID, began: datetime) -> None:
    Step.objects.bulk_create(
        Step(
            run_id=run_id,
            index=index,
            kind=kind,
            name="x",
            agent=agent,
            input={},
            input_digest="0" * 64,
            fence=1,
            started_at=began + timedelta(seconds=first),
            ended_at=began + timedelta(seconds=last),
        )
        for index, (agent, kind, first, last) in enumerate(JOURNAL)
    )


def test_counts_the_steps_of_a_turn_and_nothing_in_between(run: Run) -> None:
    write(run.id, now())
    keep_times(run.id, now())
    kept = RoleTime.objects.filter(workflow="steps", workspace=run.workspace_id)
    found = sorted((each.agent, round(each.seconds, 3)) for each in kept)
    assert found == [("clerk", 10.0), ("lead", 4.0), ("lead", 4.0)]


def test_a_run_without_agents_leaves_nothing(run: Run) -> None:
    keep_times(run.id, now())
    assert RoleTime.objects.count() == 0


def test_a_run_that_was_cut_off_says_nothing_about_how_long_it_takes(run: Run) -> None:
    write(run.id, now())
    Run.objects.filter(id=run.id).update(status="terminated")
    keep_times(run.id, now())
    assert RoleTime.objects.count() == 0


def test_keeps_the_newest_turns_of_each_agent(run: Run) -> None:
    RoleTime.objects.bulk_create(
        RoleTime(
            workspace_id=run.workspace_id,
            workflow="steps",
            agent=agent,
            seconds=float(number),
            ended_at=now() - timedelta(minutes=number + 1),
        )
        for agent in ("lead", "idle")
        for number in range(KEPT_AT_MOST)
    )
    write(run.id, now())
    keep_times(run.id, now())
    known = times.history(run.workspace_id, "steps")
    assert {agent: len(turns) for agent, turns in known.items()} == {
        "lead": KEPT_AT_MOST,
        "idle": KEPT_AT_MOST,
        "clerk": 1,
    }
    assert max(known["lead"]) == KEPT_AT_MOST - 3


def test_foretells_from_what_was_kept_in_this_workspace_and_workflow(run: Run) -> None:
    for _ in range(3):
        keep_again(run)
    said = times.objection_to(run.workspace_id, "steps", ["lead"], 3.0)
    assert said == "lead: usually 4 s, up to 4 s; 3 s are left."
    assert times.objection_to(run.workspace_id, "steps", ["lead"], 4.0) is None
    assert times.objection_to(run.workspace_id, "steps", ["lead"], None) is None
    assert times.objection_to(run.workspace_id, "other", ["lead"], 3.0) is None
    other = Stage.build("other").setup.workspace_id
    assert times.objection_to(other, "steps", ["lead"], 3.0) is None


def keep_again(run: Run) -> None:
    if not Step.objects.filter(run=run.id).exists():
        write(run.id, now())
    keep_times(run.id, now())


@pytest.mark.django_db(transaction=True)
def test_is_done_for_every_run_of_declared_roles_that_ends_well() -> None:
    roles = (Role("scout", "Looks.", ""),)
    register_workflow(Workflow("roles", "Roles", looking, roles=roles))
    register_workflow(Workflow("plain", "Plain", looking))
    stage = Stage.build()
    for name in ("roles", "plain"):
        stage.submit(name, key=name)
    work()
    assert [(each.workflow, each.agent) for each in RoleTime.objects.all()] == [("roles", "scout")]


def looking(context: Context) -> Json:
    return bool(context.read(agent="scout"))
