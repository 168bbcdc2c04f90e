"""Withdrawing takes back what was proposed and not yet decided."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from approvals.operations.executing import carry_out_due
from approvals.operations.withdrawing import withdraw, withdraw_from
from console.doorbell.models import Ring
from console.errors import Forbidden, NotFound
from tests.story import Cast, now

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


@pytest.mark.parametrize("who", ["scout", "eve", "ada"])
def test_is_for_whoever_proposed_whoever_stands_behind_it_and_admins(cast: Cast, who: str) -> None:
    proposal_id = cast.ask()
    actor = getattr(cast, who)
    assert withdraw(actor=actor, proposal_id=proposal_id, reason="paid", now=now()) == "withdrawn"
    answer = cast.answer(proposal_id)
    assert (answer.status, answer.by, answer.reason) == ("withdrawn", actor.name, "paid")
    assert cast.said(f"proposal:{proposal_id}") == ["proposal.made", "proposal.withdrawn"]


@pytest.mark.parametrize("who", ["ana", "ben", "cleo"])
def test_is_refused_to_everybody_else(cast: Cast, who: str) -> None:
    proposal_id = cast.ask()
    with pytest.raises(Forbidden):
        withdraw(actor=getattr(cast, who), proposal_id=proposal_id, reason="no", now=now())
    assert cast.answer(proposal_id).status == "pending"


def test_is_refused_to_another_agent_of_the_same_person(cast: Cast) -> None:
    other = replace(cast.scout, id="magpie", name="magpie")
    with pytest.raises(Forbidden):
        withdraw(actor=other, proposal_id=cast.ask(), reason="mine", now=now())


def test_finds_nothing_from_another_workspace(cast: Cast) -> None:
    proposal_id = cast.ask()
    elsewhere = replace(cast.scout, workspace_id=cast.other.id)
    for actor, wanted in ((cast.zoe, proposal_id), (elsewhere, proposal_id), (cast.ada, uuid4())):
        with pytest.raises(NotFound):
            withdraw(actor=actor, proposal_id=wanted, reason="", now=now())
    assert cast.answer(proposal_id).status == "pending"


def test_leaves_what_is_settled_as_it_is(cast: Cast) -> None:
    approved, rejected = cast.ask(amount=1), cast.ask(amount=2)
    cast.decide(cast.ben, rejected, "reject")
    cast.decide(cast.ana, approved)
    for proposal_id, status in ((approved, "approved"), (rejected, "rejected")):
        assert withdraw(actor=cast.scout, proposal_id=proposal_id, reason="", now=now()) == status


def test_does_not_stop_what_is_approved_and_held(cast: Cast) -> None:
    cast.policy(hold_seconds=60)
    proposal_id, at = cast.ask(), now()
    cast.decide(cast.ana, proposal_id, at=at)
    withdraw(actor=cast.scout, proposal_id=proposal_id, reason="late", now=at)
    assert cast.answer(proposal_id).status == "approved"
    assert carry_out_due(now=at + timedelta(seconds=60)) == 1


def test_takes_back_everything_a_run_left_open_and_rings_for_each(cast: Cast) -> None:
    mine = [cast.ask(amount=n, origin="run:5", wake_task="agents.wake") for n in (1, 2)]
    other, done = cast.ask(amount=3, origin="run:6"), cast.ask(amount=4, origin="run:5")
    cast.decide(cast.ben, done, "reject")
    Ring.objects.all().delete()
    for expected in (2, 0):
        taken = withdraw_from(actor=cast.setup, origin="run:5", reason="The run ended.", now=now())
        assert taken == expected
    statuses = [cast.answer(each).status for each in (*mine, other, done)]
    assert statuses == ["withdrawn", "withdrawn", "pending", "rejected"]
    assert Ring.objects.filter(task="agents.wake", key="5").count() == 2


def test_leaves_a_run_of_another_workspace_alone(cast: Cast) -> None:
    proposal_id = cast.ask(origin="run:5")
    assert withdraw_from(actor=cast.zoe, origin="run:5", reason="", now=now()) == 0
    assert cast.answer(proposal_id).status == "pending"
