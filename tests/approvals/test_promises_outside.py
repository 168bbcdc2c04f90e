"""The database promises … of what leaves the house, too, whoever writes the row."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction

from approvals.models import Attempt, Execution, Observation, Resolution, SendSwitch
from approvals.operations.dispatching import dispatch, take
from approvals.queries.invariants import broken, invariants
from console.access.models import Membership
from console.canonical import sha256
from tests.approvals.outside import Wiring, attempts, execution, stays_silent
from tests.story import Cast, now

pytestmark = [pytest.mark.django_db, pytest.mark.breaks_invariants]
BODY = b"{}"


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


@pytest.fixture
def wiring(cast: Cast) -> Wiring:
    return Wiring.of(cast, "keyed")


@pytest.fixture
def ready(wiring: Wiring) -> UUID:
    return wiring.approve()


@pytest.fixture
def claimed(ready: UUID) -> UUID:
    assert take(now=now())
    return ready


@pytest.fixture
def sent(wiring: Wiring) -> UUID:
    found = wiring.approve()
    taken = take(now=now())
    assert taken
    assert dispatch(taken, BODY, now=now())
    return found


@contextmanager
def refused(sentence: str) -> Iterator[None]:
    with pytest.raises(IntegrityError, match=sentence), transaction.atomic():
        yield


def change(found: UUID, **values: Any) -> None:
    Execution.objects.filter(id=found).update(**values)


def attempt(found: UUID, **more: Any) -> Attempt:
    """Write an attempt by hand."""
    row = execution(found)
    values = {
        "number": len(attempts(found)) + 1,
        "fence": row.fence,
        "connector": row.connector,
        "retry_class": row.retry_class,
        "request": BODY,
        "request_digest": sha256(BODY),
        "sent_at": now(),
        "deadline_at": now(),
        **more,
    }
    with transaction.atomic():
        return Attempt.objects.create(workspace_id=row.workspace_id, execution=row, **values)


def come_into_doubt(found: UUID) -> None:
    Attempt.objects.filter(execution=found).update(outcome="unknown", ended_at=now())
    change(found, status="in_doubt", doubt_due_at=now())


def without_promises(table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")


class TestExecution:
    """An execution moves as allowed, and what was sent has its attempt."""

    def test_is_not_sent_without_an_attempt(self, claimed: UUID) -> None:
        with refused("what is sent has its attempt, under its fence"):
            change(claimed, status="sent", sent_at=now())

    def test_is_not_sent_without_having_been_claimed(self, ready: UUID) -> None:
        with refused("a ready execution does not become sent"):
            change(ready, status="sent", sent_at=now())

    def test_is_not_sent_under_another_fence_than_its_attempt(self, claimed: UUID) -> None:
        attempt(claimed)
        change(claimed, fence=2)
        with refused("what is sent has its attempt, under its fence"):
            change(claimed, status="sent", sent_at=now(), request_digest=sha256(BODY))

    def test_is_not_sent_after_a_deciding_role_is_gone(self, cast: Cast, claimed: UUID) -> None:
        attempt(claimed)
        Membership.objects.filter(person=UUID(cast.ana.id)).delete()
        with refused("an execution has the decisions that its terms ask for"):
            change(claimed, status="sent", sent_at=now(), request_digest=sha256(BODY))

    def test_keeps_its_fence(self, claimed: UUID) -> None:
        with refused("a fence is never lowered"):
            change(claimed, fence=0)

    def test_keeps_its_bytes(self, sent: UUID) -> None:
        for digest in ("", "f" * 64):
            with refused("sent with the same bytes or not at all"):
                change(sent, request_digest=digest)

    @pytest.mark.parametrize("values", [{"connector": "other"}, {"retry_class": "blind"}])
    def test_keeps_its_way_out(self, ready: UUID, values: dict[str, Any]) -> None:
        with refused("an execution stays that of its revision"):
            change(ready, **values)

    def test_keeps_its_state(self, cast: Cast, ready: UUID) -> None:
        other = cast.open_drawer("ledger/drawer")
        with refused("an execution stays that of its revision"):
            change(ready, state=other.state_id)

    def test_succeeds_only_where_somebody_knows(self, sent: UUID) -> None:
        with refused("what happened outside is known from somebody"):
            change(sent, status="succeeded", problem="x")

    @pytest.mark.parametrize("outcome", ["", "unknown", "acknowledged"])
    def test_fails_only_where_its_provider_refused_it(self, sent: UUID, outcome: str) -> None:
        if outcome:
            Attempt.objects.filter(execution=sent).update(outcome=outcome, ended_at=now())
        with refused("what was sent fails because its provider refused it"):
            change(sent, status="failed")

    def test_fails_where_its_provider_refused_it(self, sent: UUID) -> None:
        Attempt.objects.filter(execution=sent).update(outcome="refused", ended_at=now())
        change(sent, status="failed")
        assert execution(sent).status == "failed"

    def test_two_are_not_under_way_on_one_state(self, cast: Cast, ready: UUID) -> None:
        other = execution(ready)
        proposal_id = cast.ask(41)
        cast.look(proposal_id)
        with refused("one_execution_is_under_way_per_state|of the current revision"):
            Execution.objects.create(
                workspace=cast.workspace,
                proposal_id=proposal_id,
                revision=1,
                digest=cast.look(proposal_id).revision.digest,
                state=other.state,
                status="held",
                created_at=now(),
                due_at=now(),
            )

    def test_goes_out_where_its_revision_says(self, cast: Cast, ready: UUID) -> None:
        row = execution(ready)
        row.pk, row.connector, row.retry_class = None, "elsewhere", "blind"
        with refused("leaves the house where its revision says"):
            Execution.objects.bulk_create([row])

    def test_is_on_the_state_of_its_proposal(self, cast: Cast, ready: UUID) -> None:
        row = execution(ready)
        row.pk, row.state_id = None, cast.open_drawer("ledger/drawer").state_id
        with refused("on the State of its proposal"):
            Execution.objects.bulk_create([row])


class TestAttempt:
    """An attempt is written once, answered once, and stays."""

    @pytest.mark.parametrize(
        ("values", "sentence"),
        [
            ({"fence": 7}, "an attempt is of what is claimed, under its fence"),
            ({"connector": "other"}, "goes out where its execution does"),
            ({"retry_class": "blind"}, "goes out where its execution does"),
            ({"request": b"[]"}, "sends the bytes of its execution"),
            ({"outcome": "unknown", "ended_at": now()}, "nothing is known of a new one"),
        ],
    )
    def test_is_of_what_is_claimed(
        self, claimed: UUID, values: dict[str, Any], sentence: str
    ) -> None:
        with refused(sentence):
            attempt(claimed, **values)

    def test_is_not_of_what_is_only_ready(self, ready: UUID) -> None:
        with refused("an attempt is of what is claimed"):
            attempt(ready)

    def test_is_not_of_another_workspace(self, cast: Cast, claimed: UUID) -> None:
        row = execution(claimed)
        row.workspace_id = cast.other.id
        with refused("an attempt is of what is claimed"):
            Attempt.objects.create(
                workspace_id=cast.other.id,
                execution=row,
                number=1,
                fence=row.fence,
                connector=row.connector,
                retry_class=row.retry_class,
                request=BODY,
                request_digest=sha256(BODY),
                sent_at=now(),
                deadline_at=now(),
            )

    def test_is_not_written_while_sending_is_stopped(self, cast: Cast, claimed: UUID) -> None:
        SendSwitch.objects.create(workspace=cast.workspace, is_stopped=True, at=now())
        with refused("nothing is sent while sending is stopped"):
            attempt(claimed)

    def test_sends_the_bytes_of_the_first(self, sent: UUID) -> None:
        come_into_doubt(sent)
        change(sent, fence=2)
        with refused("sends the bytes of its execution"):
            attempt(sent, request=b"[]", request_digest=sha256(b"[]"))
        assert attempt(sent).number == 2

    def test_of_a_blind_connector_is_the_only_one(self, cast: Cast) -> None:
        wiring = Wiring.of(cast, "blind")
        wiring.bank.answers = [stays_silent]
        found = wiring.sent()
        change(found, fence=2)
        [first] = attempts(found)
        body = {"request": bytes(first.request), "request_digest": first.request_digest}
        with refused("a_blind_connector_is_tried_once"):
            attempt(found, **body)

    @pytest.mark.parametrize("name", ["sent_at", "deadline_at", "request", "fence", "number"])
    def test_stays_as_it_was_sent(self, sent: UUID, name: str) -> None:
        values: dict[str, Any] = {"request": b"[]", "fence": 9, "number": 9}
        with refused("an attempt stays as it was sent"):
            Attempt.objects.filter(execution=sent).update(
                **{name: values.get(name, now() + timedelta(days=1))}
            )

    def test_is_answered_once(self, sent: UUID) -> None:
        rows = Attempt.objects.filter(execution=sent)
        rows.update(outcome="refused", ended_at=now())
        with refused("an attempt is answered once"):
            rows.update(outcome="acknowledged")

    def test_is_not_answered_under_a_newer_fence(self, sent: UUID) -> None:
        change(sent, fence=2)
        with refused("an attempt is answered once, under its fence"):
            Attempt.objects.filter(execution=sent).update(outcome="refused", ended_at=now())

    @pytest.mark.parametrize(
        "statement", ["DELETE FROM approvals_attempt", "TRUNCATE approvals_attempt CASCADE"]
    )
    def test_is_never_taken_away(self, sent: UUID, statement: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            with refused("append-only"):
                cursor.execute(statement)


class TestWords:
    """What was observed, and what somebody said, stays."""

    def test_an_observation_stays(self, cast: Cast, sent: UUID) -> None:
        Observation.objects.create(
            workspace=cast.workspace,
            execution_id=sent,
            source="inquiry",
            says="unclear",
            at=now(),
        )
        with refused("append-only"):
            Observation.objects.update(says="executed")
        with refused("append-only"):
            Observation.objects.all().delete()

    def test_a_resolution_stays(self, cast: Cast, sent: UUID) -> None:
        come_into_doubt(sent)
        Resolution.objects.create(
            workspace=cast.workspace,
            execution_id=sent,
            attempt_number=1,
            person_id=UUID(cast.ben.id),
            verdict="absent",
            evidence="asked them",
            at=now(),
        )
        with refused("append-only"):
            Resolution.objects.update(verdict="executed")


class TestInvariants:
    """The file of invariants finds what the promises let through."""

    def sentences(self) -> set[str]:
        return {item.sentence for item in broken()}

    def test_asks_sentences_of_life_apart(self) -> None:
        living = [each.sentence for each in invariants() if each.is_liveness]
        assert len(living) >= 5
        assert "what is due is carried out or sent within a minute" in living

    def test_finds_a_sending_while_it_was_stopped(self, cast: Cast, wiring: Wiring) -> None:
        from console.ledger.operations.appending import append  # noqa: PLC0415  (by hand)

        append(cast.ada, "sending.stopped", f"workspace:{cast.workspace.id}", {})
        wiring.sent()
        assert self.sentences() == {"nothing is sent while sending is stopped"}
        append(cast.ada, "sending.resumed", f"workspace:{cast.workspace.id}", {})
        wiring.sent(41)
        assert len(broken()[0].ids) == 1

    def test_finds_a_resolution_by_somebody_who_decided(self, cast: Cast, sent: UUID) -> None:
        come_into_doubt(sent)
        without_promises("approvals_resolution")
        Resolution.objects.create(
            workspace=cast.workspace,
            execution_id=sent,
            attempt_number=1,
            person_id=UUID(cast.ana.id),
            verdict="absent",
            evidence="asked them",
            at=now(),
        )
        assert self.sentences() == {
            "nobody says what became of what they took part in or decided on"
        }

    def test_finds_a_failure_that_nobody_knows_of(self, sent: UUID) -> None:
        Attempt.objects.filter(execution=sent).update(outcome="unknown", ended_at=now())
        without_promises("approvals_execution")
        change(sent, status="failed")
        found = self.sentences()
        assert "that something did not happen outside is known from somebody" in found

    def test_finds_a_key_that_was_too_old(self, sent: UUID) -> None:
        come_into_doubt(sent)
        change(sent, fence=2)
        attempt(sent, sent_at=now() + timedelta(seconds=0.79 * 86_400), outcome="")
        young = "what has a key is sent again by itself only while its key is young"
        assert young not in self.sentences()
        change(sent, fence=3)
        attempt(sent, sent_at=now() + timedelta(seconds=0.81 * 86_400), outcome="")
        assert young in self.sentences()

    def test_finds_what_was_sent_again_though_nobody_missed_it(
        self, cast: Cast, sent: UUID
    ) -> None:
        come_into_doubt(sent)
        row = execution(sent)
        for says, after in (("unclear", 70), ("absent", 50)):
            Observation.objects.create(
                workspace=cast.workspace,
                execution=row,
                source="inquiry",
                says=says,
                at=attempts(sent)[0].sent_at + timedelta(seconds=after),
            )
        Resolution.objects.create(
            workspace=cast.workspace,
            execution=row,
            attempt_number=1,
            person_id=UUID(cast.ben.id),
            verdict="send_again",
            evidence="asked them",
            at=now() + timedelta(seconds=100),
        )
        early = "a person has something sent again after its provider found it absent, in its own"
        assert any(each.startswith(early) for each in self.sentences())
        Observation.objects.create(
            workspace=cast.workspace,
            execution=row,
            source="inquiry",
            says="absent",
            at=attempts(sent)[0].sent_at + timedelta(seconds=61),
        )
        assert not any(each.startswith(early) for each in self.sentences())

    def test_finds_a_sending_that_no_ledger_tells_of(self, claimed: UUID) -> None:
        attempt(claimed)
        change(claimed, status="sent", sent_at=now(), request_digest=sha256(BODY))
        assert self.sentences() == {"every sending stands in the ledger"}

    def test_finds_an_attempt_that_hangs_in_the_air(self, sent: UUID) -> None:
        change(sent, status="in_doubt", doubt_due_at=now())
        assert self.sentences() == {"an attempt without an outcome is that of something just sent"}
