"""Expiring closes what nobody decided in time, and never approves anything."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from approvals.models import Decision, Execution
from approvals.operations.asking import ask
from approvals.operations.deciding import AlreadySettled, NotEligible
from approvals.operations.executing import carry_out_due
from approvals.operations.expiring import NOBODY_DECIDED, expire_due
from approvals.operations.rebasing import rebase
from approvals.policy import Threshold
from console.doorbell.models import Ring
from snapshots.diff import Change
from tests.story import Cast, now

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


@pytest.fixture
def at() -> datetime:
    return now()


def test_leaves_what_still_has_time(cast: Cast, at: datetime) -> None:
    proposal_id = cast.ask(at=at)
    assert expire_due(now=at + HOUR - timedelta(microseconds=1)) == 0
    assert cast.answer(proposal_id).status == "pending"


def test_closes_what_is_due_and_tells_the_proposer(cast: Cast, at: datetime) -> None:
    proposal_id = cast.ask(at=at, wake_task="agents.wake", origin="run:5")
    later = cast.ask(amount=71, at=at + HOUR)
    Ring.objects.all().delete()
    assert expire_due(now=at + HOUR) == 1
    answer = cast.answer(proposal_id)
    assert (answer.status, answer.by, answer.reason) == ("expired", "Timer", NOBODY_DECIDED)
    assert answer.is_final
    assert cast.answer(later).status == "pending"
    assert list(Ring.objects.values_list("task", "key")) == [("agents.wake", "5")]
    assert cast.said(f"proposal:{proposal_id}") == ["proposal.made", "proposal.expired"]


def test_twice_is_once(cast: Cast, at: datetime) -> None:
    cast.ask(at=at)
    assert [expire_due(now=at + HOUR) for _ in range(2)] == [1, 0]
    assert cast.ledger_objection() is None


def test_never_approves_not_even_with_one_of_two_approvals(cast: Cast, at: datetime) -> None:
    cast.policy(approvals=2)
    proposal_id = cast.ask(at=at)
    cast.decide(cast.ana, proposal_id, at=at)
    expire_due(now=at + 100 * HOUR)
    with pytest.raises(AlreadySettled):
        cast.decide(cast.ben, proposal_id, at=at + 100 * HOUR)
    assert carry_out_due(now=at + 100 * HOUR) == 0
    assert not Execution.objects.exists()
    assert (Decision.objects.count(), cast.content()["balance"]) == (1, 1000)


def test_does_not_touch_what_was_approved_in_time_and_is_held(cast: Cast, at: datetime) -> None:
    cast.policy(hold_seconds=7_200)
    proposal_id = cast.ask(at=at)
    cast.decide(cast.ana, proposal_id, at=at + HOUR / 2)
    assert expire_due(now=at + 2 * HOUR) == 0
    assert cast.answer(proposal_id).status == "approved"


def test_closes_the_most_overdue_first_and_no_more_than_it_is_told(
    cast: Cast, at: datetime
) -> None:
    made = [cast.ask(amount=n, at=at - n * HOUR) for n in (1, 3, 2)]
    assert expire_due(now=at + HOUR, at_most=2) == 2
    assert [cast.answer(each).status for each in made] == ["pending", "expired", "expired"]


class TestEscalating:
    """Where the terms say so, others are asked when time is over; only then it expires."""

    @pytest.fixture
    def proposal_id(self, cast: Cast, at: datetime) -> UUID:
        cast.policy(
            approvals=2,
            then="escalate",
            escalate_to=(Threshold(1, roles=("admin",)),),
            escalate_seconds=1_800,
        )
        return cast.ask(at=at, wake_task="agents.wake")

    def test_asks_others_until_a_new_deadline(
        self, cast: Cast, proposal_id: UUID, at: datetime
    ) -> None:
        rank = cast.look(proposal_id).proposal.rank
        Ring.objects.all().delete()
        assert expire_due(now=at + HOUR) == 1
        row = cast.look(proposal_id).proposal
        assert (row.status, row.escalated_at) == ("pending", at + HOUR)
        assert row.due_at == at + HOUR * 1.5
        assert row.rank > rank
        assert cast.said(f"proposal:{proposal_id}")[-1] == "proposal.escalated"
        assert not Ring.objects.filter(task="agents.wake").exists()
        with pytest.raises(NotEligible, match="needs the role admin"):
            cast.decide(cast.ana, proposal_id, at=at + HOUR)
        assert cast.decide(cast.ada, proposal_id, at=at + HOUR) == "approved"

    def test_gives_them_their_time_however_late_the_timer_comes(
        self, cast: Cast, proposal_id: UUID, at: datetime
    ) -> None:
        assert expire_due(now=at + 9 * HOUR) == 1
        assert cast.look(proposal_id).proposal.due_at == at + HOUR * 9.5

    def test_never_approves_by_itself(self, cast: Cast, proposal_id: UUID, at: datetime) -> None:
        cast.decide(cast.ada, proposal_id, at=at)
        expire_due(now=at + HOUR)
        assert cast.answer(proposal_id).status == "pending"
        assert not Execution.objects.exists()

    def test_expires_after_that(self, cast: Cast, proposal_id: UUID, at: datetime) -> None:
        assert [expire_due(now=at + HOUR), expire_due(now=at + HOUR)] == [1, 0]
        assert expire_due(now=at + HOUR * 1.5) == 1
        assert cast.answer(proposal_id).status == "expired"

    def test_stays_escalated_when_the_record_moves(
        self, cast: Cast, proposal_id: UUID, at: datetime
    ) -> None:
        expire_due(now=at + HOUR)
        cast.move_world(Change("replace", "/balance", 1000, 999))
        rebase(actor=cast.ada, proposal_id=proposal_id, now=at + HOUR)
        assert cast.decide(cast.ada, proposal_id, at=at + HOUR) == "approved"

    def test_has_nobody_to_escalate_what_its_proposer_is_to_word_anew(
        self, cast: Cast, proposal_id: UUID, at: datetime
    ) -> None:
        cast.decide(cast.ana, proposal_id, "request_changes", at=at)
        expire_due(now=at + HOUR)
        assert cast.answer(proposal_id).status == "expired"


def test_leaves_alone_what_waits_for_an_answer(cast: Cast, at: datetime) -> None:
    proposal_id = cast.ask(at=at)
    ask(actor=cast.ana, proposal_id=proposal_id, question="Why so much?", now=at)
    assert expire_due(now=at + 9 * HOUR) == 0
    assert cast.answer(proposal_id).status == "info_requested"
