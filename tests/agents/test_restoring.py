"""Restoring: what belongs together happens together, what follows happens once, all is said."""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import IntegrityError, InterfaceError

from agents import store
from agents.models import Participation, Restoration, Run
from agents.operations import restoring
from agents.operations.pausing import pause
from agents.operations.restarting import start_again
from agents.operations.restoring import carry_on
from agents.operations.running import work
from agents.operations.waking import wake_run
from agents.queries import restorations
from agents.store import Fenced
from approvals import queries as approvals
from approvals.operations.deciding import AlreadySettled
from approvals.operations.invalidating import invalidate
from approvals.operations.proposing import propose
from approvals.operations.rebasing import rebase
from console.access.models import Membership
from console.doorbell.models import Ring
from snapshots import queries as snapshots
from snapshots.diff import Change
from snapshots.models import Snapshot, State
from snapshots.operations.committing import EpochPassed
from tests.agents.test_planning import astray
from tests.agents.turning_back import SCOUT, Scene
from tests.story import BOOK, now, opening

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene() -> Scene:
    return Scene.build()


def digest_at(scene: Scene, number: int) -> str:
    return snapshots.snapshot(scene.cast.workspace.id, scene.book, number).digest


def test_the_older_content_is_the_newest_snapshot_to_the_byte(scene: Scene) -> None:
    scene.pay(70)
    scene.pay(30)
    row = scene.back(2)
    head = scene.cast.head()
    assert (row.status, head.number, head.epoch) == ("done", 4, 1)
    assert head.digest == digest_at(scene, 2)
    assert scene.cast.content()["balance"] == 930
    assert scene.cast.cause() == ("rollback", str(row.id), "The agent went astray.", "Ada")
    assert scene.cast.ledger_objection() is None


def test_a_return_can_be_taken_back(scene: Scene) -> None:
    scene.pay(70)
    scene.back(1)
    scene.back(2)
    assert scene.cast.content()["balance"] == 930
    scene.back(3)
    assert scene.cast.content() == opening()
    assert (scene.cast.head().number, scene.cast.head().epoch) == (5, 3)


def test_every_step_is_told_in_order(scene: Scene) -> None:
    scene.pay(30, "wire")
    scene.job(5)
    row = scene.back(1)
    assert [line["step"] for line in row.log] == [
        "stopped",
        "voided",
        "restored",
        "compensated",
        "verified",
        "started",
        "done",
    ]
    says = [line["says"] for line in row.log]
    assert says[0] == "1 run was set aside."
    assert says[1] == "1 open proposal fell."
    assert says[2] == f"{BOOK} is what snapshot 1 was again, as snapshot 3."
    assert scene.cast.said(f"restoration:{row.id}") == [
        "restoration.planned",
        "restoration.confirmed",
        "restoration.restored",
        "restoration.done",
    ]


def test_many_jobs_start_anew_some_at_a_time(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.pay(70)
    old = [scene.submit(5) for _ in range(12)]
    monkeypatch.setattr(restoring, "STARTED_AT_ONCE", 5)
    monkeypatch.setattr(restoring, "TOLD_ONE_BY_ONE", 11)
    row = scene.back(1)
    assert [line["says"] for line in row.log if line["step"] == "started"] == [
        "5 jobs start anew (5 of 12).",
        "5 jobs start anew (10 of 12).",
        "2 jobs start anew (12 of 12).",
    ]
    anew = Run.objects.filter(job__in=[run.job_id for run in old], number=2, status="queued")
    assert anew.count() == 12


def test_a_crash_between_two_lots_starts_no_job_twice(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.pay(70)
    old = [scene.submit(5) for _ in range(7)]
    monkeypatch.setattr(restoring, "STARTED_AT_ONCE", 3)
    monkeypatch.setattr(restoring, "TOLD_ONE_BY_ONE", 6)

    def dies(**asked: Any) -> UUID | None:
        if Run.objects.filter(number=2).count() == 4:
            raise InterfaceError
        return start_again(**asked)

    monkeypatch.setattr(restoring, "start_again", dies)
    planned = scene.plan(1)
    with pytest.raises(InterfaceError):
        scene.go(planned)
    assert Run.objects.filter(number=2).count() == 3
    monkeypatch.setattr(restoring, "start_again", start_again)
    assert carry_on(planned, now=now()) == "done"
    anew = Run.objects.filter(job__in=[run.job_id for run in old])
    assert sorted(anew.values_list("number", flat=True)) == [1] * 7 + [2] * 7
    says = [line["says"] for line in scene.read(planned).log if line["step"] == "started"]
    assert [line.partition(" (")[2] for line in says] == ["3 of 7).", "6 of 7).", "7 of 7)."]


def test_what_is_kept_stays_and_what_is_not_goes(scene: Scene) -> None:
    scene.pay(70)
    scene.cast.move_world(Change("add", "/note", value="seen"))
    row = scene.back(1, keep=(3,))
    assert scene.cast.content() == {**opening(), "note": "seen"}
    assert "partly" in row.log[2]["says"]


def test_only_the_chosen_paths_go_back(scene: Scene) -> None:
    scene.pay(70)
    memory = scene.memory("late")
    scene.back(1, paths=("/balance",))
    assert scene.cast.content()["balance"] == 1000
    assert len(scene.cast.content()["payments"]) == 1
    assert scene.words(memory) == ["late"]


def test_the_memories_below_go_back_in_the_same_transaction(scene: Scene) -> None:
    early = scene.memory("early")
    scene.pay(70)
    scene.memory("late")
    new = scene.memory("new", agent="clerk")
    elsewhere = scene.memory("elsewhere", key="ledger/acme2")
    scene.back(1, below=True)
    assert (scene.words(early), scene.words(new)) == ([], [])
    assert scene.words(elsewhere) == ["elsewhere"]
    scene.back(2)
    assert scene.words(early) == ["early"]


def test_a_memory_alone_goes_back_and_only_its_agents_runs_start_anew(scene: Scene) -> None:
    memory = scene.memory("good", "bad")
    run = scene.job(5)
    untouched = scene.submit(6)
    before = scene.cast.head()
    row = scene.back(2, state=memory.state_id)
    assert scene.words(memory) == ["good"]
    assert scene.cast.head() == before
    assert scene.run(run.id).status == "superseded"
    assert scene.run(untouched.id).status == "queued"
    assert row.plan["to_type"] == memory.key
    scene.back("clean", state=memory.state_id)
    assert scene.words(memory) == []


def test_open_proposals_fall_with_the_reason(scene: Scene) -> None:
    scene.pay(70)
    waiting = scene.cast.ask(11, origin="client:2")
    seen = scene.cast.look(waiting)
    scene.back(1)
    fallen = scene.cast.look(waiting).proposal
    assert (fallen.status, fallen.settled_by) == ("invalidated", "Ada")
    assert fallen.settled_reason == "Rolled back by Ada: The agent went astray."
    with pytest.raises(AlreadySettled):
        scene.cast.decide(scene.cast.ana, waiting, seen=seen)
    answer = scene.cast.answer(waiting)
    assert (answer.status, answer.is_final) == ("invalidated", True)


def test_a_job_starts_anew_on_what_was_brought_back(scene: Scene) -> None:
    scene.pay(70)
    run = scene.job(5, 6)
    asked = scene.waits_for(run)
    scene.back(1)
    old, new = scene.run(run.id), scene.run_of(run.job_id)
    assert (old.status, old.waiting_for, old.problem) == (
        "superseded",
        None,
        "Rolled back by Ada: The agent went astray.",
    )
    assert (new.number, new.epoch, new.status, new.next_step) == (2, 1, "queued", 0)
    assert scene.cast.answer(asked).status == "invalidated"
    assert wake_run(run.id) == 0
    ended = scene.finish(new)
    assert ended.status == "succeeded"
    assert ended.result == {"ends": [[1000, "approved"], [995, "approved"]]}


@pytest.mark.parametrize("status", ["queued", "running", "waiting", "paused"])
def test_a_run_starts_anew_whatever_it_was_doing(scene: Scene, status: str) -> None:
    scene.pay(70)
    run = scene.job(5)
    if status == "paused":
        pause(actor=scene.cast.ada, name=SCOUT, reason="wait", now=now())
    elif status != "waiting":
        later = now() if status == "running" else None
        Run.objects.filter(id=run.id).update(status=status, waiting_for=None, lease_until=later)
    assert scene.run(run.id).status == status
    scene.back(1)
    assert scene.run(run.id).status == "superseded"
    assert (scene.run_of(run.job_id).status, scene.run_of(run.job_id).number) == ("queued", 2)


def test_an_ended_run_stays_as_it_is(scene: Scene) -> None:
    run = scene.finish(scene.job(5))
    row = scene.back(1)
    assert row.plan["runs"] == []
    assert scene.run_of(run.job_id).id == run.id


def test_a_worker_that_wakes_up_late_is_fenced_off(scene: Scene) -> None:
    scene.pay(70)
    run = scene.job(5)
    Run.objects.filter(id=run.id).update(status="queued", waiting_for=None)
    [claimed] = store.claim(1)
    assert (claimed.run_id, claimed.epoch) == (run.id, 0)
    scene.back(1)
    with pytest.raises(Fenced):
        store.begin(claimed)
    with pytest.raises(Fenced):
        store.hold(claimed)


def test_a_proposal_of_the_old_epoch_is_refused(scene: Scene) -> None:
    scene.pay(70)
    request = scene.cast.request(5, epoch=0)
    scene.back(1)
    with pytest.raises(EpochPassed):
        propose(actor=scene.cast.scout, request=request, now=now())
    renewed = scene.cast.request(5, epoch=1)
    made = propose(actor=scene.cast.scout, request=renewed, now=now())
    assert scene.cast.answer(made).status == "pending"


def test_a_proposal_that_slipped_through_is_not_brought_along(scene: Scene) -> None:
    scene.pay(70)
    slipped = scene.cast.ask(11, origin="client:2")
    scene.cast.move_world(Change("add", "/note", value="seen"))
    State.objects.filter(id=scene.book).update(epoch=1)
    rebase(actor=scene.cast.setup, proposal_id=slipped, now=now())
    assert scene.cast.look(slipped).proposal.status == "invalidated"


def test_a_run_made_just_before_notices_and_starts_anew_by_itself(scene: Scene) -> None:
    scene.pay(70)
    run = scene.job(5)
    scene.cast.decide(scene.cast.ana, scene.waits_for(run))
    # No restoration knew this run: only the epoch tells.
    State.objects.filter(id=scene.book).update(epoch=7)
    wake_run(run.id)
    work()
    assert scene.run(run.id).status == "superseded"
    assert (scene.run_of(run.job_id).number, scene.run_of(run.job_id).epoch) == (2, 7)


def test_what_left_the_house_is_put_before_people_once(scene: Scene) -> None:
    wired = scene.pay(30, "wire")
    row = scene.back(1)
    carry_on(row.id, now=now())
    key = f"{BOOK}/recoveries"
    place = snapshots.named(scene.cast.workspace.id, key)
    [open_one] = approvals.open_on(scene.cast.workspace.id, [place.state_id])
    assert open_one.title == "Recover what left the house: Wire 30 to Northwind"
    assert open_one.origin == f"restoration:{row.id}"
    scene.cast.decide(scene.cast.ana, open_one.id)
    found: Any = snapshots.content(place.state_id, 2)
    [(proposal, noted)] = found["recoveries"].items()
    assert (proposal, noted["snapshot"], noted["state"]) == (str(wired), 2, BOOK)
    scene.back(2)
    scene.back(1)
    assert len(approvals.open_on(scene.cast.workspace.id, [place.state_id])) == 1


def test_nothing_happens_where_the_world_has_moved_before_the_worker(scene: Scene) -> None:
    scene.pay(70)
    run = scene.job(5)
    planned = scene.plan(1)
    scene.confirm(planned)
    scene.pay(30)
    assert carry_on(planned, now=now()) == "refused"
    row = scene.read(planned)
    assert (row.status, row.problem) == (
        "refused",
        "The world changed: plan again. Nothing was restored.",
    )
    assert [line["step"] for line in row.log] == ["refused"]
    assert scene.cast.content()["balance"] == 900
    assert scene.run(run.id).status == "waiting"
    assert restorations.unfinished(confirmed_before=now()) == []
    assert scene.cast.said(f"restoration:{planned}")[-1] == "restoration.refused"


def test_the_worker_refuses_too_while_something_is_on_its_way(scene: Scene) -> None:
    scene.pay(70)
    planned = scene.plan(1)
    scene.confirm(planned)
    scene.cast.policy(hold_seconds=60)
    scene.cast.decide(scene.cast.ana, scene.cast.ask(30))
    assert carry_on(planned, now=now()) == "refused"
    assert "Pay 30 to Northwind" in scene.read(planned).problem
    assert scene.cast.content()["balance"] == 930


def test_a_right_that_was_taken_away_ends_it(scene: Scene) -> None:
    scene.pay(70)
    planned = scene.plan(1)
    scene.confirm(planned)
    Membership.objects.filter(person=UUID(scene.cast.ada.id)).delete()
    assert carry_on(planned, now=now()) == "refused"
    assert "may no longer" in scene.read(planned).problem
    assert scene.cast.content()["balance"] == 930


def test_what_nobody_foresaw_refuses_and_blocks_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.pay(70)
    planned = scene.plan(1)
    scene.confirm(planned)
    monkeypatch.setattr("agents.operations.restoring.lock_all", lambda *_: 1 / 0)
    assert carry_on(planned, now=now()) == "refused"
    assert scene.cast.content()["balance"] == 930
    monkeypatch.undo()
    assert scene.back(1).status == "done"


def test_jobs_start_anew_too_where_something_was_read_back_wrong(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.pay(70)
    run = scene.job(5)
    monkeypatch.setattr(restoring, "_misread", lambda *_: "It is not what was planned.")
    row = scene.back(1)
    assert (row.status, row.problem) == ("done", "It is not what was planned.")
    assert (scene.run_of(run.job_id).number, scene.run_of(run.job_id).status) == (2, "queued")


def test_what_takes_too_long_is_refused_with_that_reason(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*_: object) -> None:
        raise SoftTimeLimitExceeded

    scene.pay(70)
    monkeypatch.setattr(restoring, "lock_all", slow)
    row = scene.back(1)
    assert (row.status, row.problem) == ("refused", restoring.TOO_LONG)
    assert scene.cast.content()["balance"] == 930


def test_only_the_promise_about_restorations_says_that_one_is_under_way(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks_another(*_: object) -> None:
        Restoration.objects.update(status="unheard of")

    scene.pay(70)
    planned = scene.plan(1)
    monkeypatch.setattr(restoring, "ring_task", breaks_another)
    with pytest.raises(IntegrityError):
        scene.confirm(planned)


def test_what_is_written_anew_is_worked_out_before_the_ledger_is_locked(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.pay(70)
    scene.cast.move_world(Change("add", "/note", value="seen"))
    done: list[str] = []

    def noting(name: str, does: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*args: Any, **asked: Any) -> Any:
            done.append(name)
            return does(*args, **asked)

        return noted

    planned = scene.plan(1, keep=(3,))
    monkeypatch.setattr(restorations, "written_anew", noting("read", restorations.written_anew))
    monkeypatch.setattr(restoring, "invalidate", noting("write", invalidate))
    assert scene.go(planned).status == "done"
    assert done == ["read", "write"]


def test_carrying_on_twice_does_everything_once(scene: Scene) -> None:
    scene.pay(70)
    run = scene.job(5)
    row = scene.back(1)
    assert carry_on(row.id, now=now()) == "done"
    assert scene.read(row.id).log == row.log
    assert Snapshot.objects.filter(state=scene.book, cause="rollback").count() == 1
    assert Run.objects.filter(job=run.job_id).count() == 2


def test_a_plan_that_was_not_confirmed_is_not_carried_out(scene: Scene) -> None:
    scene.pay(70)
    planned = scene.plan(1)
    assert carry_on(planned, now=now()) == "planned"
    assert scene.cast.content()["balance"] == 930


def test_confirming_rings_for_the_worker_and_the_timer_finds_what_it_missed(scene: Scene) -> None:
    scene.pay(70)
    planned = scene.plan(1)
    scene.confirm(planned)
    assert Ring.objects.filter(task="agents.restore", key=str(planned)).exists()
    time.sleep(0.001)
    assert restorations.unfinished(confirmed_before=now()) == [planned]
    carry_on(planned, now=now())
    assert restorations.unfinished(confirmed_before=now()) == []


def test_an_agent_starts_anew_from_clean(scene: Scene) -> None:
    memory, other = scene.memory("bad"), scene.memory("fine", agent="clerk")
    run = scene.job(5)
    row = scene.go(astray(scene, source="clean"))
    assert (row.kind, row.agent, row.status) == ("reinitialise", SCOUT, "done")
    assert (scene.words(memory), scene.words(other)) == ([], ["fine"])
    assert scene.run(run.id).status == "superseded"
    assert scene.run(run.id).problem == "Started anew by Ada: The agent went astray."
    assert scene.run_of(run.job_id).number == 2
    assert snapshots.head(scene.cast.workspace.id, memory.state_id).epoch == 1


def test_an_agent_without_memory_only_has_its_runs_started_anew(scene: Scene) -> None:
    run = scene.job(5)
    before = scene.cast.head()
    row = scene.go(astray(scene, source=""))
    assert (row.plan["states"], row.status) == ([], "done")
    assert scene.run_of(run.job_id).number == 2
    assert scene.cast.head() == before


def test_one_run_starts_anew_and_no_other(scene: Scene) -> None:
    one, other = scene.job(5), scene.job(6)
    row = scene.go(astray(scene, agent="", run=one.id, source=""))
    assert (row.run_id, row.plan["to_type"]) == (one.id, BOOK)
    assert scene.run(one.id).status == "superseded"
    assert scene.run(other.id).status == "waiting"


def test_a_run_starts_anew_with_clean_memories(scene: Scene) -> None:
    run, memory = scene.job(5), scene.memory("bad")
    assert Participation.objects.filter(run=run, agent__name=SCOUT).exists()
    scene.go(astray(scene, agent="", run=run.id, source="clean"))
    assert scene.words(memory) == []
    assert scene.run_of(run.job_id).number == 2


def test_all_agents_of_a_record_start_anew(scene: Scene) -> None:
    minds = [scene.memory("bad"), scene.memory("bad", agent="clerk")]
    run = scene.job(5)
    before = scene.cast.head()
    scene.go(astray(scene, agent="", state=scene.book, source="clean"))
    assert [scene.words(mind) for mind in minds] == [[], []]
    assert scene.run_of(run.job_id).number == 2
    assert scene.cast.head() == before


def test_a_return_of_one_workspace_leaves_the_other_alone(scene: Scene) -> None:
    scene.pay(70)
    before = snapshots.head(scene.cast.other.id, scene.cast.other_book.state_id)
    scene.back(1)
    assert snapshots.head(scene.cast.other.id, scene.cast.other_book.state_id) == before


@pytest.mark.parametrize("changed", [{"plan": {}}, {"status": "planned"}, {"reason": "another"}])
def test_what_was_carried_out_stays_as_it_was(scene: Scene, changed: dict[str, Any]) -> None:
    scene.pay(70)
    row = scene.back(1)
    with pytest.raises(IntegrityError, match="a restoration that was carried out stays"):
        Restoration.objects.filter(id=row.id).update(**changed)


@pytest.mark.parametrize("fallen", [{"epoch": 0}, {"number": 1}])
def test_a_state_never_goes_back_in_number_or_epoch(scene: Scene, fallen: dict[str, int]) -> None:
    scene.pay(70)
    scene.back(1)
    with pytest.raises(IntegrityError, match="a State goes forward"):
        State.objects.filter(id=scene.book).update(**fallen)


def test_a_run_that_nobody_was_shown_is_not_set_aside(scene: Scene) -> None:
    scene.pay(70)
    planned = scene.plan(1)
    scene.confirm(planned)
    run = scene.job(5)
    assert carry_on(planned, now=now()) == "refused"
    assert "Another run has begun" in scene.read(planned).problem
    assert scene.run(run.id).status != "superseded"


def test_a_proposal_that_nobody_was_shown_does_not_fall(scene: Scene) -> None:
    scene.pay(70)
    planned = scene.plan(1)
    scene.confirm(planned)
    asked = scene.cast.ask(5, origin="client:3")
    assert carry_on(planned, now=now()) == "refused"
    assert scene.cast.answer(asked).status == "pending"
