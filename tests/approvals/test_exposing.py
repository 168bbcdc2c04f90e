"""Exposing: what waits and what was done in a bucket, and what is asked for beyond a limit."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from approvals import exposing
from approvals.effects import Measure
from approvals.models import Bucket, Exposure
from approvals.operations.deciding import Act as Decided
from approvals.operations.deciding import Seen, decide
from approvals.operations.executing import carry_out_due
from approvals.operations.expiring import expire_due
from approvals.operations.previewing import EffectImpossible
from approvals.operations.proposing import Request, propose
from approvals.operations.rebasing import rebase
from approvals.operations.recalling import recall
from approvals.operations.verifying import LimitExceeded
from approvals.operations.withdrawing import withdraw
from approvals.policy import Threshold
from console.actors import Actor
from snapshots.diff import Change
from tests.racing import Act, race
from tests.story import now
from tests.terms import asking
from tests.transfers import DAY, Bank, limit

pytestmark = pytest.mark.django_db
TWO_ADMINS = (Threshold(approve=2, roles=("admin",)),)


def statuses(proposal_id: UUID) -> list[str]:
    return list(Exposure.objects.filter(proposal=proposal_id).values_list("status", flat=True))


def seen_by(bank: Bank, proposal_id: UUID) -> Seen:
    revision = bank.cast.look(proposal_id).revision
    return Seen(revision.number, revision.digest)


class TestRule:
    """Arithmetic, without a database."""

    TERMS = asking(limits=(limit(),))
    EUR = Measure(Decimal(10_000), "EUR", "Quickfix")

    def share(self, **about: str) -> exposing.Share:
        [share] = exposing.shares(self.TERMS, self.EUR, {"counterparty": "Quickfix", **about})
        return share

    @pytest.mark.parametrize(
        ("spent", "beyond"), [("0", False), ("10000", False), ("10000.01", True), ("20000", True)]
    )
    def test_is_beyond_from_the_first_cent_over_it(self, spent: str, beyond: bool) -> None:
        assert exposing.is_beyond(self.share(), Decimal(spent)) is beyond

    def test_counts_by_what_the_limit_is_per(self) -> None:
        other = exposing.shares(self.TERMS, self.EUR, {"counterparty": "Northwind"})
        assert other[0].key != self.share().key
        assert self.share(subject="elsewhere").key == self.share().key

    @pytest.mark.parametrize("spelled", ["quickfix", "Quick fix", " QUICKFIX\u00a0"])
    def test_counts_a_payee_once_however_it_is_spelled(self, spelled: str) -> None:
        [other] = exposing.shares(self.TERMS, self.EUR, {"counterparty": spelled})
        assert other.key == self.share().key

    @pytest.mark.parametrize(
        "measure", [Measure(), Measure(Decimal(10_000), "USD", "Quickfix"), Measure(None, "EUR")]
    )
    def test_leaves_alone_what_has_no_such_amount(self, measure: Measure) -> None:
        assert exposing.shares(self.TERMS, measure, {}) == []

    def test_counts_what_is_taken_back_like_what_is_given(self) -> None:
        [share] = exposing.shares(self.TERMS, Measure(Decimal(-7), "EUR"), {})
        assert share.amount == 7

    def test_asks_for_more_and_never_for_less(self) -> None:
        strict = asking(level=3, approvals=3)
        raised = exposing.raised(strict, [limit(level=2, thresholds=TWO_ADMINS)])
        assert (raised.level, raised.thresholds) == (3, strict.thresholds)
        raised = exposing.raised(asking(), [limit(level=2, thresholds=TWO_ADMINS)])
        assert (raised.level, raised.thresholds) == (2, TWO_ADMINS)

    def test_lets_no_escalation_ask_fewer(self) -> None:
        terms = asking(then="escalate", escalate_to=(Threshold(approve=1),))
        assert exposing.raised(terms, [limit(thresholds=TWO_ADMINS)]).escalate_to == ()
        assert exposing.raised(terms, []).escalate_to == terms.escalate_to

    def test_says_the_sum_in_words(self) -> None:
        said = exposing.sentence(self.share(), Decimal(20_000))
        assert said == (
            "Together EUR 30,000 for counterparty Quickfix within 1 day (10,000 here, 20,000 "
            "waiting or done); the limit is EUR 20,000."
        )


class TestReading:
    """What a proposer states as amount is counted, or it is not proposed."""

    @pytest.mark.parametrize("amount", ["30 000", "30,000.00", "NaN", "Infinity", "much"])
    def test_refuses_an_amount_that_cannot_be_read(self, amount: str) -> None:
        with pytest.raises(EffectImpossible, match="not a plain number"):
            Bank.build().send(amount)

    @pytest.mark.parametrize("currency", ["eur", "EURO", "", "E"])
    def test_refuses_an_amount_of_no_currency(self, currency: str) -> None:
        with pytest.raises(EffectImpossible, match="needs a currency"):
            Bank.build().send(currency=currency)

    def test_leaves_alone_what_names_no_amount(self) -> None:
        bank = Bank.build(limits=(limit(),))
        assert bank.cast.look(bank.send("")).proposal.amount is None


class TestSplit:
    """30,000 in three payments of 10,000 is 30,000."""

    @pytest.fixture
    def bank(self) -> Bank:
        return Bank.build(limits=(limit(level=2, thresholds=TWO_ADMINS),))

    def test_asks_stricter_for_the_third(self, bank: Bank) -> None:
        first, second, third = (bank.send() for _ in range(3))
        looks = [bank.cast.look(each) for each in (first, second, third)]
        assert [look.proposal.level for look in looks] == [1, 1, 2]
        assert looks[2].terms.thresholds == TWO_ADMINS
        assert [bank.check(each)["passed"] for each in (first, second, third)] == [
            True,
            True,
            False,
        ]
        assert "Together EUR 30,000" in bank.check(third)["sentence"]

    def test_is_caught_in_one_piece_too(self, bank: Bank) -> None:
        assert bank.cast.look(bank.send("30000.00")).proposal.level == 2

    def test_counts_what_was_carried_out(self, bank: Bank) -> None:
        for _ in range(2):
            assert bank.cast.decide(bank.cast.ana, bank.send()) == "approved"
        assert set(Exposure.objects.values_list("status", flat=True)) == {"done"}
        assert bank.cast.look(bank.send()).proposal.level == 2

    def test_counts_by_payee_and_currency(self, bank: Bank) -> None:
        bank.send("15000.00")
        others: list[dict[str, Any]] = [{"payee": "Northwind"}, {"currency": "USD"}]
        for other in others:
            assert bank.cast.look(bank.send("15000.00", **other)).proposal.level == 1

    def test_forgets_what_was_carried_out_before_the_window(self, bank: Bank) -> None:
        for _ in range(2):
            bank.cast.decide(bank.cast.ana, bank.send())
        Exposure.objects.update(at=now() - timedelta(seconds=DAY + 1))
        assert bank.cast.look(bank.send()).proposal.level == 1

    def test_remembers_what_waits_however_long(self, bank: Bank) -> None:
        bank.policy(expires_seconds=5 * DAY, limits=(limit(level=2),))
        long_ago = now() - timedelta(seconds=2 * DAY)
        bank.send(at=long_ago)
        bank.send(at=long_ago)
        assert bank.cast.look(bank.send()).proposal.level == 2

    def test_denies_where_the_limit_says_so(self, bank: Bank) -> None:
        bank.policy(limits=(limit(then="deny"),))
        bank.send("20000.00")
        denied = bank.send("0.01", wake_task="agents.wake")
        row = bank.cast.look(denied).proposal
        assert (row.status, row.settled_by) == ("denied", "Policy one reviewer")
        assert "Together EUR 20,000.01" in row.settled_reason
        assert bank.cast.said(f"proposal:{denied}") == ["proposal.made", "proposal.denied"]
        assert statuses(denied) == []
        assert bank.cast.answer(denied).is_final

    @pytest.mark.parametrize("end", ["reject", "withdraw", "expire"])
    def test_lets_go_of_what_will_not_be_carried_out(self, bank: Bank, end: str) -> None:
        at = now()
        gone = bank.send("20000.00", at=at)
        if end == "reject":
            bank.cast.decide(bank.cast.ben, gone, "reject")
        elif end == "withdraw":
            withdraw(actor=bank.cast.scout, proposal_id=gone, reason="no", now=now())
        else:
            assert expire_due(now=at + timedelta(hours=1)) == 1
        assert statuses(gone) == ["released"]
        assert bank.cast.look(bank.send("20000.00")).proposal.level == 1

    def test_keeps_what_is_recalled_and_drops_what_fails(self, bank: Bank) -> None:
        bank.policy(hold_seconds=60, limits=(limit(level=2),))
        at = now()
        held = bank.send("20000.00", at=at)
        bank.cast.decide(bank.cast.ana, held, at=at)
        recall(actor=bank.cast.ana, proposal_id=held, reason="wait", now=now())
        assert statuses(held) == ["waiting"]
        later = now()
        bank.cast.decide(bank.cast.ben, held, at=later)
        bank.cast.move_world(Change("replace", "/balance", 1000, 1))
        carry_out_due(now=later + timedelta(minutes=2))
        assert (bank.cast.answer(held).status, statuses(held)) == ("stale", ["released"])


class TestAgain:
    """The sum is counted again when people decide, and when it is carried out."""

    def lowered(self, bank: Bank, proposal_id: UUID) -> None:
        """Let something that waited before it weigh more than it did."""
        row = Exposure.objects.exclude(proposal=proposal_id).get()
        row.amount = Decimal(15_000)
        row.save()

    def test_a_vote_is_refused_when_it_is_beyond_by_now(self) -> None:
        bank = Bank.build(approvals=2, limits=(limit(level=2),))
        bank.send()
        second = bank.send()
        self.lowered(bank, second)
        with pytest.raises(LimitExceeded, match="Together EUR 25,000") as refused:
            bank.cast.decide(bank.cast.ana, second)
        assert (refused.value.status, refused.value.code) == (412, "limit_exceeded")
        assert rebase(actor=bank.cast.ana, proposal_id=second, now=now()) == 2
        seen = bank.cast.look(second)
        assert (seen.proposal.level, seen.revision.why) == (
            2,
            "The policies or their limits ask for something else now.",
        )
        ticked = [check["name"] for check in seen.revision.checks]
        assert bank.cast.decide(bank.cast.ana, second, ticked=ticked) == "pending"

    def test_a_later_one_does_not_block_an_earlier_one(self) -> None:
        bank = Bank.build(limits=(limit(level=2),))
        first = bank.send("15000.00")
        bank.send("15000.00")
        assert bank.cast.decide(bank.cast.ana, first) == "approved"

    def test_what_is_held_goes_back_to_people(self) -> None:
        bank = Bank.build(hold_seconds=60, limits=(limit(level=2),))
        at = now()
        bank.send(at=at)
        held = bank.send(at=at)
        assert bank.cast.decide(bank.cast.ana, held, at=at) == "approved"
        self.lowered(bank, held)
        carry_out_due(now=at + timedelta(minutes=2))
        seen = bank.cast.look(held)
        assert (seen.proposal.status, seen.proposal.level, seen.revision.number) == (
            "pending",
            2,
            2,
        )
        assert "Not carried out: Together EUR 25,000" in seen.revision.why
        assert bank.cast.said(f"proposal:{held}")[-1] == "execution.given_back"
        assert "sent_2" not in bank.cast.content()

    def test_what_is_held_is_dropped_where_the_limit_denies(self) -> None:
        bank = Bank.build(hold_seconds=60, limits=(limit(then="deny"),))
        at = now()
        bank.send(at=at)
        held = bank.send(at=at)
        bank.cast.decide(bank.cast.ana, held, at=at)
        self.lowered(bank, held)
        carry_out_due(now=at + timedelta(minutes=2))
        assert bank.cast.answer(held).status == "stale"
        assert "sent_2" not in bank.cast.content()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("then", ["raise", "deny"])
def test_of_two_at_once_that_are_together_beyond_exactly_one_is_within(then: str) -> None:
    bank = Bank.build(limits=(limit(then=then, level=2),))
    at = now()
    with race() as both:
        for number in range(20):
            payee = f"Payee {number}"
            wanted = [
                bank.cast.request(
                    action_type="transfer",
                    params={"amount": "15000.00", "payee": payee, "currency": "EUR"},
                    stated=(Change("add", f"/{number}_{which}", value=1),),
                )
                for which in "ab"
            ]
            made = both.run(*[_proposing(bank, request, at) for request in wanted])
            looks = [bank.cast.look(each).proposal for each in made]
            assert sorted((row.level, row.status) for row in looks) == (
                [(1, "denied"), (1, "pending")]
                if then == "deny"
                else [(1, "pending"), (2, "pending")]
            )
    assert Bucket.objects.count() == 20


def _proposing(bank: Bank, request: Request, at: datetime) -> Act:
    return lambda: propose(actor=bank.cast.scout, request=request, now=at)


@pytest.mark.django_db(transaction=True)
def test_of_two_decided_at_once_in_one_bucket_both_are_counted() -> None:
    bank = Bank.build(limits=(limit(level=2),))
    bank.cast.open_drawer("ledger/drawer")
    first, second = bank.send(), bank.send(state_key="ledger/drawer")

    def click(who: Actor, proposal_id: UUID) -> Act:
        seen = seen_by(bank, proposal_id)
        return lambda: decide(
            proposal_id=proposal_id, seen=seen, actor=who, act=Decided("approve"), now=now()
        )

    with race() as both:
        assert both.run(click(bank.cast.ana, first), click(bank.cast.ben, second)) == [
            "approved",
            "approved",
        ]
    assert list(Exposure.objects.values_list("status", flat=True)) == ["done", "done"]
