"""Sending leads an approved effect out of the house: once, as approved, and honestly in doubt."""

from datetime import timedelta
from uuid import UUID

import pytest

from approvals.connectors.protocol import Finding, Order, Receipt, RetryClass, Word
from approvals.models import Observation, Resolution
from approvals.operations import sending
from approvals.operations.announcing import announce_connectors
from approvals.operations.dispatching import NotMine, Taken, dispatch, take
from approvals.operations.doubting import doubt_overdue
from approvals.operations.ordering import order_of
from approvals.operations.previewing import EffectImpossible
from approvals.operations.proposing import propose
from approvals.operations.quarantining import try_again
from approvals.operations.recalling import TooLate, recall
from approvals.operations.recording import NOT_SENT, Source, observe, record
from approvals.operations.verifying import OutletChanged
from approvals.retrying import LATE_AT_MOST
from console.access.operations.granting import revoke_role
from console.canonical import sha256
from console.locking import Busy
from snapshots.diff import Change
from tests.approvals.outside import (
    BANK,
    WIRE,
    Answer,
    Wiring,
    acknowledges,
    attempts,
    crashes,
    execution,
    refuses,
    soon,
    status,
    stays_silent,
)
from tests.story import Cast, now

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


@pytest.fixture
def wiring(cast: Cast) -> Wiring:
    return Wiring.of(cast)


class TestOnce:
    """What is approved goes out once, and becomes the next snapshot when it is acknowledged."""

    def test_sends_what_was_approved_to_where_it_was_shown(self, wiring: Wiring) -> None:
        found = wiring.sent(70)
        assert wiring.bank.came == [wiring.bank.build(order_of_execution(found))]
        row, [attempt] = execution(found), attempts(found)
        assert (row.status, row.snapshot_number, row.reference) == ("succeeded", 2, "ref-1")
        assert (attempt.outcome, attempt.answer_status, attempt.answer) == (
            "acknowledged",
            201,
            "done",
        )
        assert attempt.request_digest == sha256(wiring.bank.came[0]) == row.request_digest
        assert wiring.cast.content()["balance"] == 930
        assert wiring.cast.cause()[:2] == ("proposal", str(row.proposal_id))
        assert wiring.bank.hung_up == 1

    def test_nothing_changes_before_it_is_acknowledged(self, wiring: Wiring) -> None:
        found = wiring.approve(70)
        assert (status(found), wiring.cast.head().number) == ("ready", 1)
        assert not wiring.cast.answer(execution(found).proposal_id).is_final

    def test_is_told_in_the_ledger(self, wiring: Wiring) -> None:
        found = execution(wiring.sent())
        said = wiring.cast.said(f"proposal:{found.proposal_id}")
        assert said[-2:] == ["execution.sent", "execution.succeeded"]
        assert wiring.cast.ledger_objection() is None

    def test_finds_nothing_more_to_send(self, wiring: Wiring) -> None:
        wiring.sent()
        assert wiring.send(at=soon(3600)) == 0
        assert len(wiring.bank.came) == 1

    def test_waits_for_its_hold(self, wiring: Wiring) -> None:
        wiring.cast.policy(hold_seconds=90)
        at = now()
        found = wiring.approve(at=at)
        assert status(found) == "held"
        assert wiring.send(at=at + timedelta(seconds=89)) == 0
        assert wiring.send(at=at + timedelta(seconds=90)) == 1
        assert status(found) == "succeeded"

    def test_lets_nobody_onto_its_state_meanwhile(self, wiring: Wiring) -> None:
        wiring.approve(70)
        other = wiring.cast.ask(41)
        with pytest.raises(Busy, match="Wire 70 to Northwind"):
            wiring.cast.decide(wiring.cast.ben, other)

    def test_seals_where_it_goes(self, wiring: Wiring) -> None:
        found = execution(wiring.approve())
        outlet = wiring.cast.look(found.proposal_id).revision.outlet
        assert outlet == {
            "connector": BANK,
            "kind": "memory",
            "retry_class": "blind",
            "address": "memory://bank",
            "digest": wiring.bank.public.digest,
        }
        assert (found.connector, found.retry_class) == (BANK, "blind")
        sealed = bytes(wiring.cast.look(found.proposal_id).revision.sealed)
        assert wiring.bank.public.digest.encode() in sealed


class TestNotSent:
    """What could not leave has not left, and costs nothing but time."""

    def test_a_provider_that_is_down_costs_no_attempt(self, wiring: Wiring) -> None:
        wiring.bank.is_up = False
        found, at = wiring.approve(), now()
        for second in range(1, 5):
            wiring.send(at=at + timedelta(minutes=second))
        row = execution(found)
        assert (row.status, row.tries, attempts(found)) == ("ready", 0, [])
        assert "connection refused" in row.problem
        wiring.bank.is_up = True
        assert wiring.send(at=at + timedelta(minutes=12)) == 1
        assert (status(found), execution(found).problem) == ("succeeded", "")

    def test_is_not_knocked_at_again_at_once(self, wiring: Wiring) -> None:
        wiring.bank.is_up = False
        at = now()
        wiring.sent(at=at)
        assert wiring.send(at=at) == 0
        assert wiring.send(at=at + timedelta(seconds=3)) == 1

    def test_fails_when_it_has_waited_too_long(self, wiring: Wiring) -> None:
        wiring.cast.policy(expires_seconds=60)
        wiring.bank.is_up = False
        found, at = wiring.approve(), now()
        wiring.send(at=at)
        wiring.send(at=at + LATE_AT_MOST + timedelta(minutes=2))
        assert status(found) == "failed"
        assert "before its deadline" in execution(found).problem

    def test_waits_while_the_sender_has_no_settings_for_it(self, wiring: Wiring) -> None:
        found = wiring.approve()
        assert sending.send_due({}, now=now()) == 1
        assert (status(found), execution(found).problem) == ("ready", sending.UNKNOWN_HERE)

    def test_fails_where_no_request_can_be_made(self, wiring: Wiring) -> None:
        wiring.bank.can_build = False
        found = wiring.sent()
        assert (status(found), attempts(found)) == ("failed", [])
        assert "there is no template for it" in execution(found).problem

    def test_is_dropped_when_its_approver_lost_the_right(self, wiring: Wiring) -> None:
        found, cast = wiring.approve(), wiring.cast
        revoke_role(cast.ada, cast.workspace.id, cast.user(cast.ana), "reviewer")
        wiring.send()
        assert (status(found), wiring.bank.came) == ("failed", [])

    def test_is_dropped_when_the_world_moved(self, wiring: Wiring) -> None:
        found = wiring.approve()
        wiring.cast.move_world(Change("replace", "/balance", 1000, 900))
        wiring.send()
        assert (status(found), wiring.bank.came) == ("failed", [])

    def test_goes_back_to_people_when_it_would_go_elsewhere(self, wiring: Wiring) -> None:
        found = wiring.approve()
        wiring.bank = wiring.bank.moved("memory://elsewhere")
        announce_connectors(wiring.connectors, now=now())
        wiring.send()
        seen = wiring.cast.look(execution(found).proposal_id)
        assert (status(found), wiring.bank.came) == ("recalled", [])
        assert (seen.proposal.status, seen.revision.number) == ("pending", 2)
        assert (seen.revision.outlet or {})["address"] == "memory://elsewhere"

    def test_nobody_approves_what_would_go_elsewhere_than_was_shown(self, wiring: Wiring) -> None:
        proposal_id = wiring.cast.ask(action_type=WIRE)
        announce_connectors({BANK: wiring.bank.moved("memory://elsewhere")}, now=now())
        with pytest.raises(OutletChanged):
            wiring.cast.decide(wiring.cast.ana, proposal_id)

    def test_nobody_proposes_what_no_connector_carries_out(self, cast: Cast) -> None:
        Wiring.of(cast, actions=("refund",))
        with pytest.raises(EffectImpossible, match="No connector 'bank' carries out 'wire'"):
            propose(actor=cast.scout, request=cast.request(action_type=WIRE), now=now())

    def test_is_recalled_until_the_last_moment(self, wiring: Wiring) -> None:
        found = wiring.approve()
        row = execution(found)
        taken = take(now=now())
        assert taken is not None
        recall(actor=wiring.cast.ana, proposal_id=row.proposal_id, reason="no", now=now())
        with pytest.raises(NotMine):
            dispatch(taken, b"{}", now=now())
        assert (status(found), attempts(found)) == ("recalled", [])

    def test_cannot_be_recalled_after_it(self, wiring: Wiring) -> None:
        wiring.bank.answers = [stays_silent]
        row = execution(wiring.sent())
        with pytest.raises(TooLate):
            recall(actor=wiring.cast.ana, proposal_id=row.proposal_id, reason="no", now=now())


class TestAnswers:
    """What comes back decides; what does not come back is in doubt."""

    def test_a_refusal_is_a_failure(self, wiring: Wiring) -> None:
        wiring.bank.answers = [refuses]
        found = wiring.sent()
        assert (status(found), attempts(found)[0].outcome) == ("failed", "refused")
        assert "no such account" in execution(found).problem
        assert wiring.cast.answer(execution(found).proposal_id).status == "stale"
        assert wiring.cast.head().number == 1

    @pytest.mark.parametrize("answer", [stays_silent, crashes])
    def test_silence_is_doubt_with_a_time(self, wiring: Wiring, answer: Answer) -> None:
        wiring.bank.answers = [answer]
        found = wiring.sent()
        row = execution(found)
        assert (row.status, attempts(found)[0].outcome) == ("in_doubt", "unknown")
        assert row.doubt_due_at
        assert row.doubt_due_at > now() + timedelta(hours=3)
        assert not wiring.cast.answer(row.proposal_id).is_final
        assert wiring.cast.said(f"proposal:{row.proposal_id}")[-1] == "execution.in_doubt"

    def test_what_is_in_doubt_keeps_others_off(self, wiring: Wiring) -> None:
        wiring.bank.answers = [stays_silent]
        wiring.sent()
        other = wiring.cast.ask(41)
        with pytest.raises(Busy, match="nobody knows yet what became of it"):
            wiring.cast.decide(wiring.cast.ben, other)

    def test_nothing_is_sent_after_its_deadline(
        self, wiring: Wiring, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = wiring.approve()

        def slept(*_args: object, **_more: object) -> None:
            monkeypatch.setattr(sending.Clock, "now", lambda _self: soon(60))

        monkeypatch.setattr(sending, "fp", slept)
        dispatched = dispatch

        def late(taken: Taken, request: bytes, **_more: object) -> object:
            return dispatched(taken, request, now=now())

        monkeypatch.setattr(sending, "dispatch", late)
        wiring.send()
        assert wiring.bank.came == []
        assert (status(found), execution(found).problem) == (
            "failed",
            NOT_SENT,
        )

    def test_success_is_recorded_where_the_record_moved_elsewhere(self, wiring: Wiring) -> None:
        cast = wiring.cast
        wiring.bank.answers = [moving(wiring, Change("add", "/memo", value="x"))]
        found = wiring.sent()
        assert (status(found), execution(found).snapshot_number) == ("succeeded", 3)
        assert (cast.content()["balance"], cast.content()["memo"]) == (930, "x")

    def test_success_is_a_truth_also_where_the_record_cannot_follow(self, wiring: Wiring) -> None:
        wiring.bank.answers = [moving(wiring, Change("replace", "/balance", 1000, 900))]
        found = wiring.sent()
        row = execution(found)
        assert (row.status, row.snapshot_number, row.reference) == ("succeeded", None, "ref-1")
        assert "the record could not follow" in row.problem
        assert wiring.cast.content()["balance"] == 900
        assert wiring.cast.answer(row.proposal_id).is_final


class TestLate:
    """What comes after its time is kept, and what is true settles a doubt."""

    @pytest.fixture
    def doubted(self, wiring: Wiring) -> UUID:
        wiring.bank.answers = [stays_silent]
        return wiring.sent()

    def late(self, found: UUID, receipt: Receipt) -> str:
        return record(attempts(found)[-1], receipt, now=now())

    def test_an_answer_that_says_it_was_done_settles_it(
        self, wiring: Wiring, doubted: UUID
    ) -> None:
        assert self.late(doubted, Receipt("acknowledged", "ref-9")) == "succeeded"
        assert execution(doubted).reference == "ref-9"
        assert wiring.cast.content()["balance"] == 930
        [seen] = Observation.objects.filter(execution=doubted)
        assert (seen.source, seen.says) == ("late_answer", "executed")

    def test_an_answer_that_says_it_was_refused_settles_it(self, doubted: UUID) -> None:
        assert self.late(doubted, Receipt("refused", says="no")) == "failed"

    def test_an_answer_that_says_nothing_is_kept(self, doubted: UUID) -> None:
        assert self.late(doubted, Receipt("unknown", says="502")) == "in_doubt"
        assert Observation.objects.get(execution=doubted).says == "unclear"

    def test_an_answer_after_it_was_settled_is_kept(self, wiring: Wiring) -> None:
        found = wiring.sent()
        assert self.late(found, Receipt("acknowledged", "ref-1")) == "succeeded"
        assert Observation.objects.filter(execution=found).count() == 1
        assert wiring.cast.head().number == 2

    @pytest.mark.parametrize(
        ("source", "says", "reference", "ends"),
        [
            ("inquiry", "executed", "", "succeeded"),
            ("inquiry", "refused", "", "failed"),
            ("callback", "executed", "ref-7", "succeeded"),
            ("callback", "executed", "", "in_doubt"),
            ("statement", "refused", "", "in_doubt"),
            ("inquiry", "absent", "ref-7", "in_doubt"),
            ("person", "executed", "ref-7", "in_doubt"),
        ],
    )
    def test_what_is_learned_settles_it_where_it_is_certain(
        self,
        wiring: Wiring,
        doubted: UUID,
        source: Source,
        says: Word,
        reference: str,
        ends: str,
    ) -> None:
        found = observe(
            actor=wiring.cast.setup,
            execution_id=doubted,
            source=source,
            finding=Finding(says, reference),
            now=now(),
        )
        assert found == ends


class TestAgain:
    """What its provider takes once by its key goes out again with the same bytes; nothing else."""

    @pytest.mark.parametrize("retry_class", ["blind", "queryable"])
    def test_never_by_itself_where_it_could_happen_twice(
        self, cast: Cast, retry_class: RetryClass
    ) -> None:
        wiring = Wiring.of(cast, retry_class)
        wiring.bank.answers = [stays_silent]
        wiring.sent()
        assert [wiring.resend(at=soon(each)) for each in (10, 100, 1000)] == [0, 0, 0]
        assert len(wiring.bank.came) == 1

    def test_the_same_bytes_under_a_higher_fence(self, cast: Cast) -> None:
        wiring = Wiring.of(cast, "keyed")
        wiring.bank.answers = [stays_silent, acknowledges]
        found = wiring.sent()
        assert wiring.resend(at=now()) == 0
        assert wiring.resend(at=soon(11)) == 1
        one, other = attempts(found)
        assert (status(found), [one.outcome, other.outcome]) == (
            "succeeded",
            ["unknown", "acknowledged"],
        )
        assert wiring.bank.came[0] == wiring.bank.came[1]
        assert one.fence < other.fence

    def test_not_when_its_key_is_too_old(self, cast: Cast) -> None:
        wiring = Wiring.of(cast, "keyed", retention_seconds=100.0)
        wiring.bank.answers = [stays_silent]
        wiring.sent()
        assert wiring.resend(at=soon(60)) == 1
        assert wiring.resend(at=soon(100)) == 0
        assert len(wiring.bank.came) == 2

    def test_not_when_the_world_moved(self, cast: Cast) -> None:
        wiring = Wiring.of(cast, "keyed")
        wiring.bank.answers = [stays_silent]
        found = wiring.sent()
        cast.move_world(Change("replace", "/balance", 1000, 900))
        assert wiring.resend(at=soon(11)) == 1
        assert (status(found), len(wiring.bank.came)) == ("in_doubt", 1)
        assert "Not sent again" in execution(found).problem

    def test_a_refusal_of_the_second_says_nothing_of_the_first(self, cast: Cast) -> None:
        wiring = Wiring.of(cast, "keyed")
        wiring.bank.answers = [stays_silent, refuses]
        found = wiring.sent()
        wiring.resend(at=soon(11))
        assert (status(found), attempts(found)[1].outcome) == ("in_doubt", "refused")

    def test_keeps_the_time_at_which_it_came_into_doubt(self, cast: Cast) -> None:
        wiring = Wiring.of(cast, "keyed")
        wiring.bank.answers = [stays_silent]
        found = wiring.sent()
        due = execution(found).doubt_due_at
        wiring.resend(at=soon(11))
        assert (execution(found).doubt_due_at, len(attempts(found))) == (due, 2)

    def test_learns_from_the_first_while_the_second_is_under_way(self, cast: Cast) -> None:
        wiring = Wiring.of(cast, "keyed")
        found: list[UUID] = []

        def late(_body: bytes) -> Receipt:
            record(attempts(found[0])[0], Receipt("acknowledged", "ref-1"), now=now())
            return Receipt("unknown")

        wiring.bank.answers = [stays_silent, late]
        found.append(wiring.sent())
        wiring.resend(at=soon(11))
        assert (status(found[0]), execution(found[0]).reference) == ("succeeded", "ref-1")

    def test_after_a_person_agreed_that_it_is_absent(self, cast: Cast) -> None:
        wiring = Wiring.of(cast, "queryable")
        wiring.bank.answers = [stays_silent, refuses]
        found = wiring.sent()
        observe(
            actor=cast.setup,
            execution_id=found,
            source="inquiry",
            finding=Finding("absent"),
            now=soon(3000),
        )
        Resolution.objects.create(
            workspace=cast.workspace,
            execution_id=found,
            attempt_number=1,
            person_id=UUID(cast.ben.id),
            verdict="send_again",
            evidence="asked them",
            at=soon(3001),
        )
        row = execution(found)
        row.status, row.next_at, row.tries = "ready", now(), 0
        row.save(update_fields=["status", "next_at", "tries"])
        assert wiring.send(at=soon(3600)) == 1
        assert (status(found), wiring.bank.came[0]) == ("failed", wiring.bank.came[1])


class TestCrashes:
    """What a dead sender leaves behind is taken up, or comes into doubt; nothing is sent twice."""

    def test_what_was_only_claimed_is_taken_up_after_its_lease(self, wiring: Wiring) -> None:
        found, at = wiring.approve(), now()
        assert take(now=at)
        assert wiring.send(at=at + timedelta(seconds=29)) == 0
        assert wiring.send(at=at + timedelta(seconds=31)) == 1
        assert (status(found), execution(found).fence) == ("succeeded", 2)

    def test_what_was_dispatched_comes_into_doubt(self, wiring: Wiring) -> None:
        found, at = wiring.approve(), now()
        taken = take(now=at)
        assert taken
        assert dispatch(taken, b"{}", now=at)
        assert doubt_overdue(now=at + timedelta(seconds=29)) == 0
        assert doubt_overdue(now=at + timedelta(seconds=31)) == 1
        assert status(found) == "in_doubt"
        assert wiring.send(at=soon(100)) == 0

    def test_whoever_comes_back_after_its_lease_sends_nothing(self, wiring: Wiring) -> None:
        wiring.approve()
        at = now()
        first = take(now=at)
        second = take(now=at + timedelta(seconds=31))
        assert first
        assert second
        with pytest.raises(NotMine):
            dispatch(first, b"{}", now=at + timedelta(seconds=31))
        with pytest.raises(NotMine):
            dispatch(second, b"{}", now=at + timedelta(seconds=62))

    def test_what_fails_again_and_again_is_set_aside(self, wiring: Wiring) -> None:
        found, cast = wiring.approve(), wiring.cast

        def explode() -> None:
            raise ZeroDivisionError

        wiring.bank.on_reach = explode
        at = now()
        counted = [wiring.send(at=at + timedelta(minutes=each)) for each in range(5)]
        assert counted == [1, 1, 1, 0, 0]
        assert (status(found), attempts(found)) == ("quarantined", [])
        wiring.bank.on_reach = lambda: None
        try_again(actor=cast.ada, execution_id=found, reason="It is repaired.", now=now())
        assert wiring.send(at=soon()) == 1
        assert status(found) == "succeeded"


def order_of_execution(found: UUID) -> Order:
    row = execution(found)
    return order_of(Taken(row.id, row.workspace_id, row.connector, row.fence, row.created_at))


def moving(wiring: Wiring, change: Change) -> Answer:
    """Let the record move while the bank answers."""

    def answer(_body: bytes) -> Receipt:
        wiring.cast.move_world(change)
        return Receipt("acknowledged", "ref-1")

    return answer
