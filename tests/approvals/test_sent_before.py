"""What went out once and waits to go out again is not unsent: nobody takes it back unseen."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings

from approvals.connectors.protocol import Connector, Finding, Order, Public, Receipt
from approvals.models import Attempt, Discrepancy, Execution
from approvals.operations import dispatching
from approvals.operations.announcing import announce_connectors
from approvals.operations.inquiring import ask_due
from approvals.operations.recalling import TooLate, recall, recall_execution
from approvals.operations.recording import keep_answer, observe, record
from approvals.operations.resending import LEFT_TO_PEOPLE, take_again
from approvals.operations.resolving import MayNotBeSent, resolve
from approvals.operations.sending import resend_due, send_due
from approvals.operations.withdrawing import withdraw_from
from approvals.queries.invariants import broken
from approvals.showing.standing import Standing
from console.actors import Actor, system
from console.breakers.models import Breaker
from console.locking import Busy
from console.management.commands import send as command
from console.notices.models import Event
from tests.approvals.wires import DONE, SILENCE, Bank, doubtful, finders, furnish, read
from tests.story import Cast, now

pytestmark = pytest.mark.django_db
EXECUTED = Finding("executed", "B-1")


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


@pytest.fixture
def bank(cast: Cast) -> Bank:
    return furnish(cast, Bank())


@pytest.fixture
def at() -> datetime:
    return now()


def reconciler(cast: Cast) -> Actor:
    return system("reconciler", cast.workspace.id)


def say(who: Actor, execution_id: UUID, verdict: str, at: datetime) -> str:
    return resolve(
        actor=who,
        execution_id=execution_id,
        attempt_number=1,
        verdict=verdict,
        reference="",
        evidence="they say so",
        now=at,
    )


@pytest.fixture
def again(cast: Cast, bank: Bank, at: datetime) -> UUID:
    """Wire something that its provider says is absent, and that Dora has sent again."""
    found = doubtful(cast, bank, at=at)
    finding = Finding("absent")
    observe(
        actor=reconciler(cast),
        execution_id=found,
        source="inquiry",
        finding=finding,
        now=at + timedelta(minutes=5),
    )
    dora, _, _ = finders(cast)
    assert say(dora, found, "send_again", at + timedelta(minutes=6)) == "ready"
    Breaker.objects.all().delete()
    return found


def said(cast: Cast, execution_id: UUID) -> list[str]:
    return cast.said(f"proposal:{read(execution_id).proposal_id}")


def told() -> int:
    return Event.objects.filter(name="execution.in_doubt").count()


class TestTakingBack:
    """An approval of what has gone out is not recalled, withdrawn or dropped."""

    def test_nobody_recalls_it(self, cast: Cast, again: UUID) -> None:
        with pytest.raises(TooLate):
            recall(actor=cast.ana, proposal_id=read(again).proposal_id, reason="no", now=now())
        with pytest.raises(TooLate):
            recall_execution(actor=cast.ana, execution_id=again, reason="no", now=now())
        assert read(again).status == "ready"

    def test_no_page_offers_it(self) -> None:
        assert Standing("ready", "").may_be_recalled
        assert not Standing("ready", "", was_sent=True).may_be_recalled

    def test_a_run_that_ends_leaves_it(self, cast: Cast, again: UUID) -> None:
        actor = system("sweeper", cast.workspace.id)
        assert withdraw_from(actor=actor, origin="client:1", reason="over", now=now()) == 0
        assert read(again).status == "ready"

    def test_a_run_that_ends_takes_back_what_was_never_sent(self, cast: Cast, bank: Bank) -> None:
        proposal_id = cast.ask(70, action_type="wire", origin="run:9")
        cast.decide(cast.ana, proposal_id)
        actor = system("sweeper", cast.workspace.id)
        assert withdraw_from(actor=actor, origin="run:9", reason="over", now=now()) == 1
        row = Execution.objects.get(proposal=proposal_id)
        assert (row.status, row.next_at, row.lease_until) == ("recalled", None, None)
        assert cast.said(f"proposal:{proposal_id}")[-2:] == [
            "proposal.withdrawn",
            "execution.recalled",
        ]

    def test_too_many_tries_leave_it_in_doubt(
        self, cast: Cast, bank: Bank, again: UUID, at: datetime
    ) -> None:
        Execution.objects.filter(id=again).update(tries=3)
        before = told()
        later = at + timedelta(minutes=8)
        assert send_due(bank.connectors, now=later) == 0
        row = read(again)
        assert row.status == "in_doubt"
        assert row.doubt_due_at
        assert row.doubt_due_at >= later + settings.DOUBT_SLA
        assert (said(cast, again)[-1], told()) == ("execution.in_doubt", before + 1)


class TestLateTruth:
    """That it had happened is never lost on the way to a failure."""

    def test_the_first_answer_outweighs_a_refusal_of_the_second(
        self, bank: Bank, again: UUID, at: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Late:
            def send(self, _body: bytes) -> Receipt:
                first = Attempt.objects.get(execution=again, number=1)
                record(first, Receipt("acknowledged", "B-1", 201), now=at)
                return Receipt("refused", "", 422, "duplicate")

            def close(self) -> None:
                return None

        def reach(_order: Order, _until: float) -> Late:
            return Late()

        monkeypatch.setattr(bank, "reach", reach)
        send_due(bank.connectors, now=at + timedelta(minutes=8))
        assert (read(again).status, read(again).reference) == ("succeeded", "B-1")

    def test_it_comes_into_doubt_where_nothing_is_certain(
        self, cast: Cast, again: UUID, at: datetime
    ) -> None:
        before = told()
        finding = Finding("executed")
        actor = reconciler(cast)
        observe(actor=actor, execution_id=again, source="callback", finding=finding, now=at)
        assert (read(again).status, told()) == ("in_doubt", before + 1)
        assert said(cast, again)[-2:] == ["execution.in_doubt", "execution.observed"]

    def test_a_failure_in_spite_of_it_stands_open_as_a_difference(
        self, cast: Cast, bank: Bank, at: datetime
    ) -> None:
        found = doubtful(cast, bank, at=at)
        first = Attempt.objects.get(execution=found)
        keep_answer(first, Receipt("acknowledged", "B-1", 201), now=at)
        for who in finders(cast)[:2]:
            say(who, found, "absent", at + timedelta(minutes=5))
        assert read(found).status == "failed"
        assert Discrepancy.objects.get().reference == "B-1"
        assert broken() == []

    def test_two_find_it_absent_of_whom_one_had_it_sent_again(
        self, cast: Cast, bank: Bank, again: UUID, at: datetime
    ) -> None:
        send_due({}, now=at + timedelta(minutes=7) + settings.DOUBT_SLA)
        gus = cast.enlist("Gil", "reviewer")
        assert say(gus, again, "absent", now()) == "failed"
        assert broken() == []


class Moved(Bank):
    """The same name, and another place behind it."""

    @property
    def public(self) -> Public:
        return replace(super().public, digest="cd" * 32, address="https://other.example/")


class TestTrust:
    """What a connector says counts only while it is the one that was approved."""

    @pytest.fixture
    def other(self, at: datetime) -> Bank:
        return Moved(finding=Finding("absent"))

    def test_another_is_not_asked(self, cast: Cast, bank: Bank, other: Bank, at: datetime) -> None:
        found = doubtful(cast, bank, at=at)
        announce_connectors(other.connectors, now=at)
        assert ask_due(other.connectors, now=at + timedelta(minutes=2)) == 0
        assert (other.asked, read(found).observations.count()) == ([], 0)

    def test_nothing_is_sent_again_through_another(
        self, cast: Cast, bank: Bank, again: UUID, other: Bank, at: datetime
    ) -> None:
        announce_connectors(other.connectors, now=at)
        before, later = told(), at + timedelta(minutes=8)
        send_due(other.connectors, now=later)
        row = read(again)
        assert (row.status, other.sent, told()) == ("in_doubt", [], before + 1)
        assert "another way" in row.problem
        assert cast.answer(row.proposal_id).status == "approved"
        finn = cast.enlist("Fay", "reviewer")
        with pytest.raises(MayNotBeSent, match="another one by now"):
            say(finn, again, "send_again", later)

    def test_a_key_means_nothing_to_another(self, cast: Cast, at: datetime) -> None:
        bank = furnish(cast, Bank("keyed"))
        doubtful(cast, bank, at=at)
        other = Moved("keyed")
        announce_connectors(other.connectors, now=at)
        assert resend_due(other.connectors, now=at + timedelta(minutes=1)) == 0
        announce_connectors(bank.connectors, now=at)
        assert resend_due(bank.connectors, now=at + timedelta(minutes=20)) == 1


class TestWaiting:
    """Nothing waits for ever, and what is not its fault does not count."""

    def test_it_comes_back_into_doubt_when_its_connector_is_gone(
        self, cast: Cast, again: UUID, at: datetime
    ) -> None:
        asked_at, before = at + timedelta(minutes=6), told()
        assert send_due({}, now=asked_at + timedelta(hours=3)) == 1
        assert read(again).status == "ready"
        later = asked_at + settings.DOUBT_SLA
        send_due({}, now=later)
        row = read(again)
        assert row.status == "in_doubt"
        assert row.doubt_due_at
        assert row.doubt_due_at >= later + settings.DOUBT_SLA
        assert told() == before + 1

    def test_collisions_do_not_count(
        self, cast: Cast, bank: Bank, at: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def busy(*_args: Any) -> None:
            raise Busy

        proposal_id = cast.ask(70, action_type="wire", at=at)
        cast.decide(cast.ana, proposal_id, at=at)
        with monkeypatch.context() as patch:
            patch.setattr(dispatching, "find_execution", busy)
            for nth in range(5):
                send_due(bank.connectors, now=at + timedelta(minutes=2 * nth))
                row = Execution.objects.get(proposal=proposal_id)
                assert (row.status, row.tries) == ("ready", 0)
        send_due(bank.connectors, now=at + timedelta(minutes=14))
        assert Execution.objects.get(proposal=proposal_id).status == "succeeded"


class TestTurns:
    """What goes out again by itself has its turn, and is not tried for ever."""

    @pytest.fixture
    def keyed(self, cast: Cast) -> Bank:
        return furnish(cast, Bank("keyed"))

    def test_what_kills_its_sender_is_left_to_people(
        self, cast: Cast, keyed: Bank, at: datetime
    ) -> None:
        found = doubtful(cast, keyed, at=at)
        minute = timedelta(minutes=1)
        taken = [take_again(now=at + nth * minute) is not None for nth in range(1, 7)]
        assert taken == [True, True, True, False, False, False]
        row = read(found)
        assert (row.status, row.problem) == ("in_doubt", LEFT_TO_PEOPLE)
        assert row.lease_until is None

    def test_silence_does_not_count(self, cast: Cast, keyed: Bank, at: datetime) -> None:
        found = doubtful(cast, keyed, at=at)
        for nth in range(1, 6):
            Breaker.objects.all().delete()
            assert resend_due(keyed.connectors, now=at + timedelta(minutes=20 * nth)) == 1
        assert (read(found).status, len(keyed.sent)) == ("in_doubt", 6)

    def test_it_waits_for_its_turn(self, cast: Cast, keyed: Bank, at: datetime) -> None:
        found = doubtful(cast, keyed, at=at)
        Execution.objects.filter(id=found).update(lease_until=at + timedelta(minutes=2))
        assert take_again(now=at + timedelta(minutes=1)) is None
        taken = take_again(now=at + timedelta(minutes=3))
        assert taken is not None
        assert taken.execution_id == found


def slow(seconds: float) -> dict[str, Connector]:
    bank = Bank()
    public = replace(bank.public, deadline_seconds=seconds)
    kind: Callable[..., Any] = type("Slow", (Bank,), {"public": property(lambda _: public)})
    return {"bank": kind()}


def test_nothing_is_sent_where_a_deadline_is_longer_than_the_lease(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CONNECTOR_SETTINGS", "somewhere")
    monkeypatch.setattr(command, "load", lambda *_args: slow(10))
    assert command._connectors()
    monkeypatch.setattr(command, "load", lambda *_args: slow(30))
    assert command._connectors() == {}


def test_the_same_key_goes_out_again(bank: Bank, again: UUID, at: datetime) -> None:
    bank.receipt = DONE
    send_due(bank.connectors, now=at + timedelta(minutes=8))
    assert read(again).status == "succeeded"
    assert len({json.loads(body)["key"] for body in bank.sent}) == 1
    assert bank.receipt != SILENCE
