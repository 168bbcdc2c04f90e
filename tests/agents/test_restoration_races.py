"""Racing with a restoration: either it or the other one, in either order, and never both."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from agents import store
from agents.models import Restoration, Run
from agents.operations.restoring import carry_on
from agents.operations.running import lead
from agents.workflows import Context, Workflow, register_workflow
from approvals.models import Execution, Proposal
from approvals.operations.executing import carry_out_due
from approvals.operations.proposing import propose
from approvals.queries.invariants import broken
from console.canonical import Json
from console.errors import Refused
from snapshots.diff import Change
from snapshots.models import Snapshot
from tests.agents.turning_back import SCOUT, Scene
from tests.approvals.outside import Wiring, refuses
from tests.racing import Act, Race, race
from tests.story import now

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.race,
    pytest.mark.timeout(300),
]
NIGHTLY = pytest.param(1_000, marks=[pytest.mark.nightly, pytest.mark.timeout(1_200)])
PAIRS = pytest.mark.parametrize("pairs", [200, NIGHTLY])
FEWER = pytest.mark.parametrize("pairs", [20, NIGHTLY])


@pytest.fixture
def scene() -> Scene:
    return Scene.build()


@pytest.fixture
def both() -> Iterator[Race]:
    with race() as both:
        yield both


def carrying(planned: UUID) -> Act:
    """Prepare a worker's call."""
    return lambda: carry_on(planned, now=now())


def confirmed(scene: Scene, to: int, **more: Any) -> UUID:
    """Plan and confirm."""
    planned = scene.plan(to, **more)
    scene.confirm(planned)
    return planned


def approving(scene: Scene, proposal_id: UUID) -> Act:
    """Prepare Ana's click on what is shown now."""
    seen = scene.cast.look(proposal_id)
    return lambda: scene.cast.decide(scene.cast.ana, proposal_id, seen=seen)


def paid(proposal_id: UUID) -> bool:
    return Execution.objects.filter(proposal=proposal_id, status="succeeded").exists()


@PAIRS
def test_with_an_approval_one_of_both_happens(scene: Scene, both: Race, pairs: int) -> None:
    seen: Counter[tuple[str, str]] = Counter()
    for nth in range(pairs):
        before = scene.cast.content()
        start = scene.cast.head().number
        scene.cast.move_world(Change("add", "/note", value=nth))
        proposal_id = scene.cast.ask(1, origin="client:1")
        planned = confirmed(scene, start)
        acts = [carrying(planned), approving(scene, proposal_id)]
        # Whoever is called first is often first: take turns.
        ends = both.run(*acts) if nth % 2 else both.run(*acts[::-1])[::-1]
        seen[ends[0], ends[1]] += 1
        went_back, was_paid = scene.read(planned).status == "done", paid(proposal_id)
        assert went_back is not was_paid, ends
        if went_back:
            assert scene.cast.content() == before
            assert scene.cast.look(proposal_id).proposal.status == "invalidated"
        else:
            assert scene.read(planned).status == "refused"
            assert scene.cast.content()["balance"] == before["balance"] - 1
            scene.back(start)
    assert len(seen) > 1, seen
    assert scene.cast.ledger_objection() is None


@FEWER
def test_with_what_is_sent_outside_never_both(scene: Scene, both: Race, pairs: int) -> None:
    wiring = Wiring.of(scene.cast)
    wiring.bank.answers = [refuses]
    for nth in range(pairs):
        start = scene.cast.head().number
        scene.cast.move_world(Change("add", f"/note{nth}", value=nth))
        planned = confirmed(scene, start)
        found = wiring.approve(1, origin=f"run:{nth}")
        acts = [carrying(planned), wiring.send]
        ends = both.run(*acts) if nth % 2 else both.run(*acts[::-1])[::-1]
        # What is under way outside keeps the record where it is; what failed there does not.
        assert ends[1] == 1
        assert (Execution.objects.get(id=found).status, len(wiring.bank.came)) == (
            "failed",
            nth + 1,
        )
        if scene.read(planned).status == "done":
            assert f"note{nth}" not in scene.cast.content()
        else:
            assert scene.read(planned).status == "refused"
            scene.back(start)
    assert broken() == []


@FEWER
def test_with_what_was_held_the_effect_wins(scene: Scene, both: Race, pairs: int) -> None:
    for _ in range(pairs):
        start = scene.cast.head().number
        scene.cast.policy(hold_seconds=0)
        scene.pay(2)
        planned = confirmed(scene, start)
        scene.cast.policy(hold_seconds=60)
        held = scene.cast.ask(1, origin="client:1")
        scene.cast.decide(scene.cast.ana, held)
        due = now() + timedelta(seconds=61)
        both.run(carrying(planned), partial(carry_out_due, now=due))
        row = scene.read(planned)
        assert row.status == "refused"
        assert "on its way" in row.problem or "world changed" in row.problem
        assert paid(held)
        scene.back(start)
    assert scene.cast.ledger_objection() is None


@FEWER
def test_two_confirmations_of_one_state_are_one(scene: Scene, both: Race, pairs: int) -> None:
    for _ in range(pairs):
        start = scene.cast.head().number
        scene.pay(1)
        plans = [scene.plan(start), scene.plan(start)]
        ends = both.run(*[partial(scene.confirm, each) for each in plans])
        assert sorted(map(str, ends)) == ["None", "restoration_under_way"]
        for planned in plans:
            carry_on(planned, now=now())
    assert Snapshot.objects.filter(cause="rollback").count() == pairs


@FEWER
def test_two_workers_at_one_restoration_do_it_once(scene: Scene, both: Race, pairs: int) -> None:
    run = scene.job(1)
    for _ in range(pairs):
        start = scene.cast.head().number
        scene.cast.move_world(Change("add", "/note", value=1))
        planned = confirmed(scene, start)
        act = carrying(planned)
        assert set(both.run(act, act)) == {"done"}
        assert [line["step"] for line in scene.read(planned).log].count("done") == 1
    assert Snapshot.objects.filter(cause="rollback").count() == pairs
    assert Run.objects.filter(job=run.job_id).count() == pairs + 1


@FEWER
def test_a_record_and_a_memory_below_it_go_back_one_after_the_other_or_not_both(
    scene: Scene, both: Race, pairs: int
) -> None:
    memory = scene.memory()
    for nth in range(pairs):
        start = scene.cast.head().number
        scene.pay(1)
        memory = scene.memory(f"w{nth}")
        record = confirmed(scene, start)
        mind = confirmed(scene, memory.number - 1, state=memory.state_id)
        ends = both.run(carrying(record), carrying(mind))
        assert sorted(ends) == ["done", "refused"], ends
        assert f"w{nth}" not in scene.words(memory)
        if ends[0] == "refused":
            scene.back(start)


def busy(context: Context) -> Json:
    """Take something in, propose, and end, without ever waiting for long."""
    context.tool(agent=SCOUT, name="look", args={}, function=lambda: 1)
    if context.job_input["does"] == "observe":
        context.observe(name="tick", args={}, changes=[Change("add", "/tick", value=1)])
    elif context.job_input["does"] == "propose":
        context.propose(agent=SCOUT, action_type="pay", params={"vendor": "V7", "amount": 1})
    return None


def job(scene: Scene, does: str) -> store.Claim:
    """Submit a job that does one thing, and take its run into this worker's hands."""
    register_workflow(Workflow("busy", "Busy", busy))
    run = scene.submit(1, workflow="busy", does=does)
    [claimed] = store.claim(1)
    assert claimed.run_id == run.id
    return claimed


@FEWER
@pytest.mark.parametrize("does", ["propose", "observe", "end"])
def test_a_run_at_work_is_before_it_or_does_not_count(
    scene: Scene, both: Race, pairs: int, does: str
) -> None:
    for nth in range(pairs):
        start = scene.cast.head().number
        scene.cast.move_world(Change("add", f"/n{nth}", value=1))
        claimed = job(scene, does)
        planned = confirmed(scene, start)
        acts: list[Act] = [carrying(planned), partial(lead, claimed)]
        both.run(*acts) if nth % 2 else both.run(*acts[::-1])
        run, went_back = scene.run(claimed.run_id), scene.read(planned).status
        assert went_back == "done" or (does == "observe" and went_back == "refused")
        assert not Proposal.objects.filter(origin=f"run:{run.id}", status="pending").exists()
        if went_back == "done":
            assert "tick" not in scene.cast.content()
            assert f"n{nth}" not in scene.cast.content()
            assert run.status in {"superseded", "succeeded"}
        else:
            scene.back(start)
        settle(scene, claimed.job_id)
    assert scene.cast.ledger_objection() is None


def settle(scene: Scene, job_id: UUID) -> None:
    """End what starts the job anew, so that the next race has the floor to itself."""
    run = scene.run_of(job_id)
    if run.status not in {"succeeded", "superseded"}:
        assert (run.number, run.epoch) == (2, scene.cast.head().epoch)
        Run.objects.filter(id=run.id).update(status="terminated", finished_at=now())


@FEWER
def test_a_client_that_proposes_meanwhile_has_not_what_was(
    scene: Scene, both: Race, pairs: int
) -> None:
    for _ in range(pairs):
        start = scene.cast.head().number
        scene.pay(1)
        epoch = scene.cast.head().epoch
        planned = confirmed(scene, start)
        request = scene.cast.request(3, origin="client:9", epoch=epoch)
        _, made = both.run(
            carrying(planned),
            partial(propose, actor=scene.cast.scout, request=request, now=now()),
        )
        went_back = scene.read(planned).status
        if made == "epoch_passed":
            assert went_back == "done"
            continue
        if went_back == "refused":
            # Nobody was shown this proposal; planned again, it falls.
            scene.back(start)
        try:
            scene.cast.decide(scene.cast.ana, made)
        except Refused:
            assert not paid(made)
        else:
            pytest.fail("A proposal of the old epoch was approved.")
    assert Restoration.objects.filter(status="done").count() == pairs
