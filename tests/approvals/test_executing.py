"""Executing carries out what was approved, as approved, once; or drops it and says why."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, transaction

from approvals import queries
from approvals.models import Decision, Execution, Proposal
from approvals.operations.executing import carry_out_due
from approvals.operations.recalling import TooLate, recall
from approvals.operations.verifying import WorldChanged
from console.access.operations.granting import revoke_role
from console.doorbell.models import Ring
from console.errors import Forbidden, Invalid, NotFound
from console.locking import Busy
from snapshots.diff import Change
from tests.story import Cast, now

pytestmark = pytest.mark.django_db
HOLD = timedelta(seconds=90)


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


@pytest.fixture
def at() -> datetime:
    return now()


@pytest.fixture
def held(cast: Cast, at: datetime) -> UUID:
    """A payment of 70 that Ana approved and that is held for 90 seconds."""
    cast.policy(hold_seconds=90)
    proposal_id = cast.ask(amount=70, wake_task="agents.wake", at=at)
    assert cast.decide(cast.ana, proposal_id, at=at) == "approved"
    return proposal_id


def execution(proposal_id: UUID) -> Execution:
    return Execution.objects.filter(proposal=proposal_id).latest("revision")


class TestAtOnce:
    """Without a hold, the vote that settles it also carries it out."""

    def test_recomputes_the_effect_and_refuses_another_one(self, cast: Cast) -> None:
        proposal_id = cast.ask(amount=70)
        cast.release_pay(lambda document, params: {**document, "balance": 0})
        with pytest.raises(WorldChanged, match="would not do what was approved"):
            cast.decide(cast.ana, proposal_id)
        assert cast.content()["balance"] == 1000
        assert not Execution.objects.exists()
        assert not Decision.objects.exists()
        assert cast.answer(proposal_id).status == "pending"

    def test_does_not_mind_another_way_to_the_same_effect(self, cast: Cast) -> None:
        proposal_id = cast.ask(amount=70)

        def differently(document: Any, params: dict[str, Any]) -> Any:
            paid = {"amount": params["amount"], "vendor": params["vendor"]}
            return {"payments": [paid], "balance": 1000 - 70, "vendors": document["vendors"]}

        cast.release_pay(differently)
        assert cast.decide(cast.ana, proposal_id) == "approved"
        assert cast.content()["balance"] == 930

    def test_names_the_proposal_as_the_cause_of_the_snapshot(self, cast: Cast) -> None:
        proposal_id = cast.ask()
        cast.decide(cast.ana, proposal_id)
        assert cast.cause() == ("proposal", str(proposal_id), "Pay 70 to Northwind", "Ana")

    def test_carries_out_stated_changes_as_they_were_shown(self, cast: Cast) -> None:
        changes = (
            Change("replace", "/balance", 1000, 1000.5),
            Change("add", "/payments/0", value={"amount": 1.0, "note": None, "tags": []}),
            Change("remove", "/vendors/V9", {"name": "Quickfix", "trusted": False}),
        )
        proposal_id = cast.state_change(*changes)
        shown = cast.look(proposal_id).changes
        cast.decide(cast.ana, proposal_id)
        assert sorted(shown, key=lambda each: each.path) == sorted(
            changes, key=lambda each: each.path
        )
        [payment] = cast.content()["payments"]
        assert repr(sorted(payment.items())) == "[('amount', 1.0), ('note', None), ('tags', [])]"
        assert (cast.content()["balance"], list(cast.content()["vendors"])) == (1000.5, ["V7"])

    @pytest.mark.parametrize("number", [0.1 + 0.2, 1e15 + 0.5, 5e-324, 1e-7, -0.5, 3.0, 3])
    def test_keeps_a_number_the_way_it_was_shown(self, cast: Cast, number: float) -> None:
        proposal_id = cast.state_change(Change("replace", "/balance", 1000, number))
        cast.decide(cast.ana, proposal_id)
        assert repr(cast.content()["balance"]) == repr(number)

    def test_leaves_others_to_be_looked_at_again(self, cast: Cast) -> None:
        first, second = cast.ask(amount=70), cast.ask(amount=41)
        cast.decide(cast.ana, first)
        with pytest.raises(WorldChanged):
            cast.decide(cast.ana, second)
        assert queries.outdated_states() == [(cast.workspace.id, cast.book.state_id)]

    def test_is_done_once_says_the_database(self, cast: Cast) -> None:
        cast.decide(cast.ana, cast.ask())
        row = Execution.objects.get()
        row.pk = UUID(int=1)
        with (
            pytest.raises(DatabaseError, match="a_revision_is_executed_once"),
            transaction.atomic(),
        ):
            row.save(force_insert=True)


class TestHeld:
    """With a hold, the sender carries it out when its time has come."""

    def test_waits_for_its_time(self, cast: Cast, held: UUID, at: datetime) -> None:
        assert (execution(held).status, execution(held).due_at) == ("held", at + HOLD)
        assert carry_out_due(now=at + HOLD - timedelta(microseconds=1)) == 0
        assert cast.content()["balance"] == 1000
        assert not cast.answer(held).is_final
        assert queries.final_among([held]) == set()

    def test_is_carried_out_by_the_sender_once(self, cast: Cast, held: UUID, at: datetime) -> None:
        assert [carry_out_due(now=at + HOLD) for _ in range(2)] == [1, 0]
        assert (cast.content()["balance"], cast.head().number) == (930, 2)
        assert cast.cause() == ("proposal", str(held), "Pay 70 to Northwind", "Sender")
        assert cast.answer(held).is_final
        assert cast.answer(held).snapshot_number == 2

    def test_rings_again_when_it_is_done(self, cast: Cast, held: UUID, at: datetime) -> None:
        Ring.objects.all().delete()
        carry_out_due(now=at + HOLD)
        assert ("agents.wake", "1") in set(Ring.objects.values_list("task", "key"))

    def test_is_dropped_when_the_world_moved(self, cast: Cast, held: UUID, at: datetime) -> None:
        cast.move_world(Change("replace", "/balance", 1000, 900))
        Ring.objects.all().delete()
        assert carry_out_due(now=at + HOLD) == 1
        assert cast.content()["balance"] == 900
        assert (execution(held).status, execution(held).snapshot_number) == ("failed", None)
        answer = cast.answer(held)
        assert (answer.status, answer.is_final) == ("stale", True)
        assert "record changed" in answer.reason
        assert cast.said(f"proposal:{held}")[-1] == "execution.failed"
        assert Ring.objects.filter(task="agents.wake").exists()
        assert carry_out_due(now=at + HOLD) == 0

    def test_is_dropped_when_it_would_do_something_else(
        self, cast: Cast, held: UUID, at: datetime
    ) -> None:
        cast.release_pay(lambda document, params: {**document, "balance": 0})
        carry_out_due(now=at + HOLD)
        assert cast.content()["balance"] == 1000
        assert "would not do what was approved" in cast.answer(held).reason

    def test_is_dropped_when_its_approver_lost_the_right(
        self, cast: Cast, held: UUID, at: datetime
    ) -> None:
        revoke_role(cast.ada, cast.workspace.id, cast.user(cast.ana), "reviewer")
        carry_out_due(now=at + HOLD)
        assert cast.content()["balance"] == 1000
        assert "Too few of those who approved" in cast.answer(held).reason

    def test_is_dropped_when_its_effect_is_gone(self, cast: Cast, held: UUID, at: datetime) -> None:
        cast.lose_pay()
        carry_out_due(now=at + HOLD)
        assert (execution(held).status, cast.answer(held).status) == ("failed", "stale")

    def test_one_that_cannot_be_done_does_not_stop_the_next(
        self, cast: Cast, held: UUID, at: datetime
    ) -> None:
        cast.open_drawer("ledger/drawer")
        other = cast.state_change(Change("add", "/memo", value="x"), state_key="ledger/drawer")
        cast.decide(cast.ben, other, at=at + timedelta(seconds=1))
        cast.move_world(Change("replace", "/balance", 1000, 900))
        assert carry_out_due(now=at + 2 * HOLD) == 2
        assert [execution(each).status for each in (held, other)] == ["failed", "succeeded"]

    def test_lets_nobody_approve_another_one_on_the_same_state(
        self, cast: Cast, held: UUID, at: datetime
    ) -> None:
        second, third = cast.ask(amount=41), cast.ask(amount=42)
        with pytest.raises(Busy, match="Pay 70 to Northwind") as refused:
            cast.decide(cast.ben, second)
        assert (refused.value.status, refused.value.code) == (409, "state_busy")
        assert cast.decide(cast.ben, third, "reject") == "rejected"
        later = now()
        recall(actor=cast.ana, proposal_id=held, reason="wrong", now=later)
        assert cast.decide(cast.ben, second, at=later) == "approved"
        assert carry_out_due(now=later + HOLD) == 1
        assert cast.content()["balance"] == 959

    def test_keeps_the_ledger_whole(self, cast: Cast, held: UUID, at: datetime) -> None:
        carry_out_due(now=at + HOLD)
        assert cast.ledger_objection() is None


class TestRecalling:
    """Until it is sent, whoever approved it, or an admin, may take it back."""

    def take_back(
        self, cast: Cast, held: UUID, who: str = "ana", reason: str = "wrong month"
    ) -> None:
        recall(actor=getattr(cast, who), proposal_id=held, reason=reason, now=now())

    @pytest.mark.parametrize("who", ["ana", "ada"])
    def test_reopens_it_as_a_new_revision_without_its_approvals(
        self, cast: Cast, held: UUID, at: datetime, who: str
    ) -> None:
        self.take_back(cast, held, who)
        seen = cast.look(held)
        assert (seen.proposal.status, seen.revision.number) == ("pending", 2)
        assert (execution(held).status, execution(held).problem) == ("recalled", "wrong month")
        assert carry_out_due(now=at + HOLD) == 0
        assert cast.content()["balance"] == 1000
        later = now()
        assert cast.decide(cast.ben, held, at=later) == "approved"
        assert carry_out_due(now=later + HOLD) == 1
        assert cast.content()["balance"] == 930

    def test_lets_the_one_who_recalled_decide_again(
        self, cast: Cast, held: UUID, at: datetime
    ) -> None:
        self.take_back(cast, held)
        assert cast.decide(cast.ana, held, "reject") == "rejected"

    def test_is_told_in_the_ledger(self, cast: Cast, held: UUID) -> None:
        self.take_back(cast, held)
        assert cast.said(f"proposal:{held}")[-1] == "execution.recalled"
        assert cast.ledger_objection() is None

    @pytest.mark.parametrize("who", ["ben", "cleo", "eve", "scout", "setup"])
    def test_is_refused_to_everybody_else(self, cast: Cast, held: UUID, who: str) -> None:
        with pytest.raises(Forbidden):
            self.take_back(cast, held, who)
        assert execution(held).status == "held"

    def test_finds_nothing_from_another_workspace(self, cast: Cast, held: UUID) -> None:
        with pytest.raises(NotFound):
            self.take_back(cast, held, "zoe")

    def test_comes_too_late_after_it_was_carried_out(
        self, cast: Cast, held: UUID, at: datetime
    ) -> None:
        carry_out_due(now=at + HOLD)
        with pytest.raises(TooLate) as refused:
            self.take_back(cast, held)
        assert (refused.value.status, refused.value.code) == (409, "too_late")
        assert cast.content()["balance"] == 930

    @pytest.mark.parametrize("reason", ["a\x00b", "x" * 501])
    def test_takes_only_a_reason_that_can_be_kept(
        self, cast: Cast, held: UUID, reason: str
    ) -> None:
        with pytest.raises(Invalid):
            self.take_back(cast, held, reason=reason)
        assert execution(held).status == "held"

    def test_comes_too_late_twice(self, cast: Cast, held: UUID) -> None:
        self.take_back(cast, held)
        with pytest.raises(TooLate):
            self.take_back(cast, held, "ada")

    def test_stops_it_also_when_the_world_has_made_it_impossible(
        self, cast: Cast, held: UUID, at: datetime
    ) -> None:
        cast.move_world(Change("replace", "/balance", 1000, 5))
        self.take_back(cast, held)
        assert execution(held).status == "recalled"
        assert carry_out_due(now=at + HOLD) == 0
        assert Proposal.objects.get(id=held).status == "stale"
