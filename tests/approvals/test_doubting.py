"""What was sent and never answered comes into doubt, with a time and people who are told."""

from datetime import timedelta

import pytest
from django.conf import settings

from approvals.models import Attempt, Execution
from approvals.operations import doubting
from approvals.operations.dispatching import dispatch, take
from approvals.operations.doubting import NO_ANSWER, doubt_overdue, tell_doubts_overdue
from approvals.operations.ordering import order_of
from approvals.operations.recording import record
from approvals.operations.sending import send_due
from console.breakers.models import Breaker
from console.ledger import queries as ledger
from console.locking import Busy
from console.notices.models import Event, Notice
from snapshots.operations.creating import create_state
from tests.approvals.wires import DONE, Bank, doubtful, finders, furnish, read
from tests.story import Cast, now

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


@pytest.fixture
def bank(cast: Cast) -> Bank:
    return furnish(cast, Bank())


def cut_off(cast: Cast, bank: Bank) -> Attempt:
    """Let the sender die after its point of no return."""
    at = now()
    proposal_id = cast.ask(70, action_type="wire", at=at)
    cast.decide(cast.ana, proposal_id, at=at)
    taken = take(now=at)
    assert taken is not None
    attempt = dispatch(taken, bank.build(order_of(taken)), now=at)
    assert attempt is not None
    return attempt


def test_leaves_alone_what_may_still_be_answered(cast: Cast, bank: Bank) -> None:
    attempt = cut_off(cast, bank)
    almost = attempt.sent_at + settings.SEND_LEASE - timedelta(milliseconds=1)
    assert doubt_overdue(now=almost) == 0
    assert read(attempt.execution_id).status == "sent"


def test_marks_what_is_over_its_lease(cast: Cast, bank: Bank) -> None:
    attempt = cut_off(cast, bank)
    at = attempt.sent_at + settings.SEND_LEASE
    assert doubt_overdue(now=at) == 1
    row = read(attempt.execution_id)
    assert (row.status, row.doubted_at, row.doubt_due_at) == (
        "in_doubt",
        at,
        at + settings.DOUBT_SLA,
    )
    attempt.refresh_from_db()
    assert (attempt.outcome, attempt.ended_at) == ("unknown", at)
    assert doubt_overdue(now=at) == 0
    assert "execution.in_doubt" in cast.said(f"proposal:{row.proposal_id}")


def test_an_answer_that_comes_afterwards_still_counts(cast: Cast, bank: Bank) -> None:
    attempt = cut_off(cast, bank)
    doubt_overdue(now=attempt.sent_at + settings.SEND_LEASE)
    assert record(attempt, DONE, now=now()) == "succeeded"
    row = read(attempt.execution_id)
    assert (row.reference, cast.content()["balance"]) == ("B-1", 930)


def test_tells_who_may_resolve_it_and_nobody_who_had_a_part(cast: Cast, bank: Bank) -> None:
    dora, finn, gus = finders(cast)
    found = doubtful(cast, bank)
    told = Notice.objects.filter(event__name="execution.in_doubt")
    people = {str(row.person_id) for row in told}
    # Ben and Ada review, too; Ana decided, Eve stands behind Scout, Cleo only looks.
    assert people == {each.id for each in (cast.ben, cast.ada, dora, finn, gus)}
    assert Event.objects.get(name="execution.in_doubt").path == f"/w/acme/outside/{found}/"


def test_tells_once_of_a_doubt_that_lasts_too_long(cast: Cast, bank: Bank) -> None:
    row = read(doubtful(cast, bank))
    assert row.doubt_due_at is not None
    assert tell_doubts_overdue(now=row.doubt_due_at - timedelta(seconds=1)) == 0
    assert tell_doubts_overdue(now=row.doubt_due_at) == 1
    assert tell_doubts_overdue(now=row.doubt_due_at) == 0
    assert Event.objects.filter(name="doubt.overdue").count() == 1


def test_tells_of_those_behind_the_ones_that_were_told_of(
    cast: Cast, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doubting, "LOOKED_AT", 1)
    document = cast.content()
    create_state(actor=cast.setup, key="ledger/second", document=document, reason="", now=now())
    first = read(doubtful(cast, bank))
    assert first.doubt_due_at is not None
    assert tell_doubts_overdue(now=first.doubt_due_at, at_most=1) == 1
    asked = cast.ask(70, action_type="wire", origin="client:1", state_key="ledger/second")
    cast.decide(cast.ana, asked)
    Breaker.objects.all().delete()
    send_due(bank.connectors, now=now())
    second = Execution.objects.get(proposal=asked)
    assert second.doubt_due_at is not None
    assert tell_doubts_overdue(now=second.doubt_due_at, at_most=1) == 1
    assert tell_doubts_overdue(now=second.doubt_due_at, at_most=1) == 0


def test_keeps_everything_else_off_its_state(cast: Cast, bank: Bank) -> None:
    doubtful(cast, bank)
    other = cast.ask(5)
    with pytest.raises(Busy, match="nobody knows yet what became of it"):
        cast.decide(cast.ben, other)


def test_says_why_in_the_ledger(cast: Cast, bank: Bank) -> None:
    attempt = cut_off(cast, bank)
    doubt_overdue(now=attempt.sent_at + settings.SEND_LEASE)
    entry = ledger.entries(cast.workspace.id).filter(verb="execution.in_doubt").get()
    assert entry.body["reason"] == NO_ANSWER
    assert Execution.objects.filter(status="in_doubt").count() == 1
