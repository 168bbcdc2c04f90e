"""Fairness: every workspace is served in turn, priorities count at home, limits are exact."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from agents import store
from agents.models import Halt, Job, Run, WorkflowSetting, WorkspaceBudget
from agents.operations.running import lead
from agents.workflows import Context, Workflow, register_workflow
from console.canonical import Json
from console.ids import new_id
from tests.agents import programs
from tests.agents.stage import Stage, now
from tests.racing import race

pytestmark = pytest.mark.django_db(transaction=True)
WORKERS, BATCH = 4, 10


def nothing(context: Context) -> Json:
    return None


@pytest.fixture(autouse=True)
def workflows() -> None:
    programs.register()
    register_workflow(Workflow("plain", "Plain", nothing))
    register_workflow(Workflow("narrow", "Narrow", nothing, at_once=3))


def queue(stage: Stage, runs: int, workflow: str = "plain", **more: Any) -> list[UUID]:
    """Write queued runs past the door that would count them, oldest first."""
    began = now() - timedelta(hours=1)
    jobs = [
        Job(
            id=new_id(),
            workspace_id=stage.setup.workspace_id,
            workflow=workflow,
            state_id=stage.book.state_id,
            input={},
            submitter="system:setup",
            submitter_name="Setup",
            lineage=[],
            idempotency_key=str(new_id()),
            body_digest="0" * 64,
            created_at=began,
        )
        for _ in range(runs)
    ]
    Job.objects.bulk_create(jobs)
    rows = [
        Run(
            workspace_id=stage.setup.workspace_id,
            job=job,
            created_at=began,
            **{"workflow": workflow, "queued_at": began + timedelta(milliseconds=n), **more},
        )
        for n, job in enumerate(jobs)
    ]
    Run.objects.bulk_create(rows)
    return [row.id for row in rows]


def claimed(at_most: int = BATCH) -> list[UUID]:
    return [each.run_id for each in store.claim(at_most)]


def settle(runs: list[UUID]) -> None:
    """Let runs be over, as if they had been led."""
    Run.objects.filter(id__in=runs).update(status="succeeded", finished_at=now(), lease_until=None)


def set_budget(stage: Stage, at_once: int) -> None:
    WorkspaceBudget.objects.create(
        workspace_id=stage.setup.workspace_id, at_once=at_once, actor={}, changed_at=now()
    )


class TestBetweenWorkspaces:
    """A long line of one workspace does not slow the others."""

    def test_one_run_starts_with_the_next_claim_beside_two_thousand(self) -> None:
        many, few = Stage.build("many"), Stage.build("few")
        queue(many, 2_000)
        assert len(claimed()) == BATCH
        [late] = queue(few, 1, queued_at=now())
        assert claimed()[0] == late

    def test_whoever_has_less_in_hand_comes_first(self) -> None:
        a, b = Stage.build("a"), Stage.build("b")
        queue(a, 8)
        assert len(claimed(4)) == 4
        theirs = set(queue(b, 8, queued_at=now()))
        assert len(theirs & set(claimed(6))) == 5

    def test_those_with_as_much_in_hand_are_served_in_turn(self) -> None:
        runs = {stage.setup.workspace_id: set(queue(stage, 9)) for stage in stages(5)}
        served: dict[UUID, int] = dict.fromkeys(runs, 0)
        for _ in range(15):
            [run] = claimed(1)
            served[next(place for place, theirs in runs.items() if run in theirs)] += 1
            settle([run])
        assert set(served.values()) == {3}

    def test_a_halted_workspace_keeps_nobody_waiting(self) -> None:
        halted, other = Stage.build("halted"), Stage.build("other")
        queue(halted, 50)
        [run] = queue(other, 1, queued_at=now())
        Halt.objects.create(
            workspace_id=halted.setup.workspace_id, reason="no", actor={}, created_at=now()
        )
        assert claimed() == [run]


class TestPriority:
    """A point is worth a minute of waiting, within a workspace."""

    def test_the_higher_comes_first(self) -> None:
        stage = Stage.build()
        queue(stage, 5)
        [urgent] = queue(stage, 1, priority=80, queued_at=now())
        assert claimed(2)[0] == urgent

    def test_counts_across_the_workflows_of_a_workspace(self) -> None:
        stage = Stage.build()
        queue(stage, 5)
        [urgent] = queue(stage, 1, "narrow", priority=80, queued_at=now())
        assert claimed(1) == [urgent]

    def test_says_nothing_to_other_workspaces(self) -> None:
        pushy, modest = Stage.build("pushy"), Stage.build("modest")
        queue(pushy, 20, priority=100)
        [run] = queue(modest, 1, priority=-100, queued_at=now())
        assert run in claimed(2)

    def test_lets_nobody_wait_for_ever(self) -> None:
        stage = Stage.build()
        [patient] = queue(stage, 1, queued_at=now() - timedelta(minutes=101))
        queue(stage, 5, priority=100, queued_at=now())
        assert claimed(1) == [patient]


class TestLimits:
    """No more runs are in hand than somebody has said."""

    def test_of_a_workflow_as_it_declares(self) -> None:
        stage = Stage.build()
        queue(stage, 10, "narrow")
        assert (len(claimed()), len(claimed())) == (3, 0)

    def test_of_a_workflow_as_its_workspace_has_set_it(self) -> None:
        stage, other = Stage.build("set"), Stage.build("unset")
        for each in (stage, other):
            queue(each, 10, "narrow")
        WorkflowSetting.objects.create(
            workspace_id=stage.setup.workspace_id,
            workflow="narrow",
            at_once=5,
            actor={},
            changed_at=now(),
        )
        taken = {each.workspace_id: 0 for each in (stage.setup, other.setup)}
        for claim in store.claim(50):
            taken[claim.workspace_id] += 1
        assert [*taken.values()] == [5, 3]

    def test_of_a_workspace_over_all_its_workflows(self) -> None:
        stage = Stage.build()
        set_budget(stage, 4)
        queue(stage, 10, "narrow")
        queue(stage, 10)
        first = claimed()
        assert (len(first), claimed()) == (4, [])
        settle(first[:2])
        assert len(claimed()) == 2

    def test_a_full_workflow_lets_the_others_of_its_workspace_pass(self) -> None:
        stage = Stage.build()
        queue(stage, 50, "narrow")
        late = queue(stage, 2, queued_at=now())
        assert set(claimed()) >= set(late)
        assert claimed() == []

    def test_runs_from_before_they_knew_their_workflow_are_led(self) -> None:
        stage = Stage.build()
        [old] = queue(stage, 1, workflow="")
        Job.objects.update(workflow="plain")
        [claim] = store.claim(BATCH)
        lead(claim)
        assert (claim.run_id, stage.run(old).status) == (old, "succeeded")

    def test_silent_runs_are_taken_over_before_new_ones_begin(self) -> None:
        stage = Stage.build()
        set_budget(stage, 1)
        queue(stage, 3)
        lost = claimed()
        Run.objects.filter(id__in=lost).update(lease_until=now() - timedelta(seconds=1))
        assert (claimed(), claimed()) == (lost, [])

    def test_are_not_passed_by_four_workers_at_once(self) -> None:
        a, b = Stage.build("a"), Stage.build("b")
        set_budget(a, 7)
        for stage in (a, b):
            queue(stage, 200, "narrow")
            queue(stage, 200)
        WorkflowSetting.objects.create(
            workspace_id=b.setup.workspace_id,
            workflow="plain",
            at_once=5,
            actor={},
            changed_at=now(),
        )
        seen, hand = 0, list[UUID]()
        with race(WORKERS) as line:
            for _ in range(25):
                taken = [run for runs in line.run(*[claimed] * WORKERS) for run in runs]
                assert len(set(taken)) == len(taken)
                counts = in_hand()
                assert counts[a.setup.workspace_id, ""] <= 7
                assert counts.get((a.setup.workspace_id, "narrow"), 0) <= 3
                assert counts.get((b.setup.workspace_id, "narrow"), 0) <= 3
                assert counts.get((b.setup.workspace_id, "plain"), 0) <= 5
                seen += len(taken)
                hand += taken
                half = len(hand) // 2 + 1
                settle(hand[:half])
                hand = hand[half:]
        assert seen > 100


def stages(count: int) -> list[Stage]:
    return [Stage.build(f"w{number}") for number in range(count)]


def in_hand() -> dict[tuple[UUID, str], int]:
    """Return how many runs are in hand, of each workflow, and of all under an empty name."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT workspace_id, coalesce(workflow, ''), count(*) FROM agents_run "
            "WHERE status = 'running' GROUP BY GROUPING SETS "
            "((workspace_id, workflow), (workspace_id))"
        )
        return {(place, workflow): runs for place, workflow, runs in cursor.fetchall()}
