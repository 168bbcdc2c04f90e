"""What a policy lets through or denies by itself, and the share that people look at afterwards."""

from datetime import timedelta

import pytest

from approvals import policy
from approvals.models import Decision, Execution, Proposal, Review, Verdict
from approvals.operations import automating, proposing
from approvals.operations.automating import is_drawn
from approvals.operations.executing import carry_out_due
from approvals.operations.proposing import TooManyAttempts
from approvals.operations.recalling import recall
from approvals.rulebook import Rule
from console.doorbell.models import Ring
from console.locking import Busy
from snapshots.diff import Change
from tests.story import Cast, now
from tests.terms import set_rules

pytestmark = pytest.mark.django_db
HOLD = timedelta(minutes=1)


@pytest.fixture
def cast() -> Cast:
    cast = Cast.build()
    cast.policy(level=0)
    return cast


class TestApproved:
    """Level 0: made, approved and carried out in one transaction, by the policy in its name."""

    def test_is_carried_out_at_once(self, cast: Cast) -> None:
        proposal_id = cast.ask(amount=70, wake_task="agents.wake")
        row = cast.look(proposal_id).proposal
        assert (row.status, row.settled_by, row.level) == ("approved", "Policy one reviewer", 0)
        assert cast.content()["balance"] == 930
        assert cast.answer(proposal_id).is_final
        assert Ring.objects.filter(task="agents.wake").exists()
        assert not Decision.objects.exists()
        assert cast.said(f"proposal:{proposal_id}") == [
            "proposal.made",
            "proposal.approved",
            "execution.succeeded",
        ]
        assert [(said.mode, said.would) for said in Verdict.objects.all()] == [("enforced", "auto")]

    def test_waits_for_its_hold(self, cast: Cast) -> None:
        cast.policy(level=0, hold_seconds=60)
        at = now()
        held = cast.ask(at=at)
        assert (Execution.objects.get().status, cast.content()["balance"]) == ("held", 1000)
        carry_out_due(now=at + HOLD)
        assert (cast.answer(held).status, cast.content()["balance"]) == ("approved", 930)

    def test_goes_to_people_when_an_admin_recalls_it(self, cast: Cast) -> None:
        cast.policy(level=0, hold_seconds=60)
        held = cast.ask()
        recall(actor=cast.ada, proposal_id=held, reason="no", now=now())
        seen = cast.look(held)
        assert (seen.proposal.status, seen.proposal.level) == ("pending", 1)
        assert cast.decide(cast.ana, held) == "approved"

    def test_goes_to_people_when_the_policy_asks_them_meanwhile(self, cast: Cast) -> None:
        cast.policy(level=0, hold_seconds=60)
        at = now()
        held = cast.ask(at=at)
        cast.policy(level=1, hold_seconds=60)
        carry_out_due(now=at + HOLD)
        assert (cast.answer(held).status, cast.content()["balance"]) == ("pending", 1000)

    def test_is_carried_out_when_another_policy_is_added(self, cast: Cast) -> None:
        terms = cast.policy(level=0, hold_seconds=60)
        at = now()
        cast.ask(at=at)
        set_rules(cast.setup, Rule('action == "refund"', terms), Rule("true", terms))
        carry_out_due(now=at + HOLD)
        assert cast.content()["balance"] == 930

    def test_is_never_what_people_are_to_decide(self, cast: Cast) -> None:
        proposal_id = cast.ask(by_people=True)
        row = cast.look(proposal_id).proposal
        assert (row.status, row.level) == ("pending", 1)

    def test_is_never_what_cannot_be_shown(self, cast: Cast) -> None:
        memo = "a" + "\u0301" * 200
        proposal_id = cast.state_change(Change("add", "/memo", value=memo))
        expected = "pending" if _is_unshowable(cast, memo) else "approved"
        assert cast.answer(proposal_id).status == expected

    def test_waits_while_something_else_is_on_its_way(self, cast: Cast) -> None:
        cast.policy(level=0, hold_seconds=60)
        cast.ask(amount=70)
        with pytest.raises(Busy, match="Pay 70 to Northwind"):
            cast.ask(amount=71)
        assert Proposal.objects.count() == 1

    def test_waits_where_the_record_moved_while_it_was_worked_out(
        self, cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hold_still = automating.hold_still

        def late(shown: object) -> object:
            cast.move_world(Change("replace", "/balance", 1000, 999))
            return hold_still(shown)  # type: ignore[arg-type]

        monkeypatch.setattr(proposing, "hold_still", late)
        with pytest.raises(Busy):
            cast.ask()
        assert not Proposal.objects.exists()


def _is_unshowable(cast: Cast, memo: str) -> bool:
    from approvals import deceptive  # noqa: PLC0415

    return bool(deceptive.cannot_be_shown(memo, identifies=False))


class TestSample:
    """A share, which nobody can foresee, is looked at afterwards."""

    @pytest.mark.parametrize(("share", "owed"), [(1.0, 1), (0.0, 0)])
    def test_owes_a_look(self, cast: Cast, share: float, owed: int) -> None:
        cast.policy(level=0, sample=share)
        cast.ask()
        assert Review.objects.filter(cause="sample", number=1, verdict="").count() == owed

    def test_draws_about_as_many_as_asked(self) -> None:
        drawn = sum(is_drawn(0.25) for _ in range(4_000))
        assert 850 < drawn < 1_150

    def test_owes_none_for_what_people_decided(self, cast: Cast) -> None:
        cast.policy(level=1, sample=1.0)
        cast.decide(cast.ana, cast.ask())
        assert not Review.objects.exists()


class TestDenied:
    """A policy that cannot be asked denies; the proposal is there, settled, and says why."""

    def test_says_why_and_changes_nothing(self, cast: Cast) -> None:
        set_rules(cast.setup, Rule("params.unheard_of > 1", policy.REVIEW_BY_TWO))
        proposal_id = cast.ask(wake_task="agents.wake", origin="run:9")
        row = cast.look(proposal_id).proposal
        assert row.status == "denied"
        assert row.settled_by.startswith("Policy ")
        assert "could not be asked" in row.settled_reason
        assert cast.said(f"proposal:{proposal_id}") == ["proposal.made", "proposal.denied"]
        assert list(Ring.objects.filter(task="agents.wake").values_list("key", flat=True)) == ["9"]
        assert (cast.answer(proposal_id).is_final, cast.content()["balance"]) == (True, 1000)


class TestAttempts:
    """Who was rejected again and again may not ask again."""

    @pytest.fixture
    def cast(self, settings: object) -> Cast:
        settings.REJECTIONS_AT_MOST = 3  # type: ignore[attr-defined]
        return Cast.build()

    def reject(self, cast: Cast, *amounts: int, **more: str) -> None:
        for amount in amounts:
            cast.decide(cast.ben, cast.ask(amount=amount, **more), "reject")

    def test_refuses_the_fourth_and_says_so(self, cast: Cast) -> None:
        self.reject(cast, 1, 2, 3)
        with pytest.raises(TooManyAttempts, match="3 times in a row") as refused:
            cast.ask(amount=4)
        assert (refused.value.status, refused.value.code) == (409, "too_many_attempts")

    def test_counts_by_origin_and_kind(self, cast: Cast) -> None:
        self.reject(cast, 1, 2, 3)
        cast.ask(amount=4, origin="run:2")
        cast.state_change(Change("add", "/memo", value="x"))

    def test_begins_anew_with_a_yes(self, cast: Cast) -> None:
        self.reject(cast, 1, 2)
        cast.decide(cast.ana, cast.ask(amount=3))
        self.reject(cast, 4, 5)
        cast.ask(amount=6)

    def test_a_client_may_ask_again_when_the_record_moved(self, cast: Cast) -> None:
        self.reject(cast, 1, 2, 3, origin="client:1")
        with pytest.raises(TooManyAttempts):
            cast.ask(amount=4, origin="client:1")
        cast.move_world(Change("replace", "/balance", 1000, 999))
        cast.ask(amount=4, origin="client:1")
