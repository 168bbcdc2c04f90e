"""People who had no part in it say what became of an effect in doubt; two who agree settle it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction

from approvals.connectors.protocol import Finding
from approvals.doubt import (
    ASKED_AFTER,
    ASKED_AT_LATEST,
    Involved,
    Seen,
    Sending,
    Verdict,
    Word,
    agreed,
    ask_again_at,
    is_disputed,
    is_news,
    may_resend,
    objection_to_person,
    objection_to_sending_again,
)
from approvals.models import Attempt, Discrepancy, Execution, Observation, Resolution
from approvals.operations.alarming import resolvers
from approvals.operations.recording import observe
from approvals.operations.resolving import (
    AlreadyResolved,
    AttemptChanged,
    MayNotBeSent,
    NotInDoubt,
    NotToResolve,
    ResolutionInvalid,
    resolve,
    take_over,
)
from approvals.operations.rewording import reword
from approvals.operations.sending import send_due
from approvals.queries.outside import outside
from approvals.showing.doubt import acting
from console.access.models import Membership
from console.actors import Actor, system
from console.errors import NotFound
from tests.approvals.test_breaking_glass import smash
from tests.approvals.wires import DONE, SETTLE, SILENCE, Bank, doubtful, finders, furnish, read
from tests.racing import Race, race
from tests.story import NORTHWIND, Cast, now

AT = now()
SENT = Sending("queryable", AT, timedelta(seconds=60), timedelta(hours=10))

KEYED = Sending("keyed", AT, timedelta(seconds=60), timedelta(hours=1))


def word(person: str, verdict: Verdict, reference: str = "") -> Word:
    return Word(person, verdict, reference)


class TestAgreement:
    """Two people agree when they say the same and name no two references."""

    @pytest.mark.parametrize(
        ("words", "verdict", "reference"),
        [
            ([], None, ""),
            ([word("d", "executed")], None, ""),
            ([word("d", "executed"), word("f", "absent")], None, ""),
            ([word("d", "executed"), word("f", "executed")], "executed", ""),
            ([word("d", "executed"), word("f", "executed", "B-1")], "executed", "B-1"),
            ([word("d", "executed", "B-2"), word("f", "executed")], "executed", "B-2"),
            ([word("d", "executed", "B-1"), word("f", "executed", "B-2")], None, ""),
            ([word("d", "absent"), word("f", "absent")], "absent", ""),
            ([word("d", "absent"), word("d", "absent")], None, ""),
            ([word("d", "send_again"), word("f", "send_again")], None, ""),
            ([word("d", "executed"), word("f", "absent"), word("g", "absent")], "absent", ""),
            ([word("d", "executed"), word("f", "absent"), word("g", "executed")], "executed", ""),
        ],
    )
    def test_needs_two(self, words: list[Word], verdict: str | None, reference: str) -> None:
        found = agreed(words)
        assert (found.verdict if found else None) == verdict
        assert (found.reference if found else "") == reference

    @pytest.mark.parametrize(
        ("words", "disputed"),
        [
            ([word("d", "executed"), word("f", "executed", "B-1")], False),
            ([word("d", "executed"), word("f", "absent")], True),
            ([word("d", "executed", "B-1"), word("f", "executed", "B-2")], True),
        ],
    )
    def test_or_they_contradict_each_other(self, words: list[Word], *, disputed: bool) -> None:
        assert is_disputed(words) is disputed


def seen(says: str, seconds: float) -> Seen:
    return Seen(says, AT + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("sending", "observed", "words", "after", "says"),
    [
        (SENT, [seen("absent", 61)], [], 120, ""),
        (SENT, [seen("absent", 60)], [], 120, ""),
        (SENT, [seen("absent", 59)], [], 120, "has not said"),
        (SENT, [seen("absent", 61)], [], 59, "means nothing"),
        (SENT, [], [], 120, "has not said"),
        (SENT, [seen("absent", 61), seen("executed", 90)], [], 120, "has not said"),
        (SENT, [seen("executed", 61), seen("absent", 90)], [], 120, ""),
        (SENT, [seen("absent", 61), seen("unclear", 90)], [], 120, ""),
        (SENT, [seen("absent", 61)], [word("d", "executed")], 120, "Somebody says"),
        (SENT, [seen("absent", 61)], [word("d", "absent")], 120, ""),
        (KEYED, [seen("absent", 61)], [], 120, "by itself"),
        (KEYED, [seen("absent", 61)], [], 2_879, "by itself"),
        (KEYED, [seen("absent", 61)], [], 2_880, ""),
        (KEYED, [], [], 2_880, "has not said"),
        (Sending("blind", AT, SETTLE), [seen("absent", 61)], [], 120, "never"),
    ],
)
def test_is_sent_again_only_where_its_provider_says_that_it_is_absent(
    sending: Sending, observed: list[Seen], words: list[Word], after: float, says: str
) -> None:
    at = AT + timedelta(seconds=after)
    objection = objection_to_sending_again(sending, observed, words, at)
    assert says in objection if says else objection == ""


@pytest.mark.parametrize(
    ("retry_class", "retention", "age", "may"),
    [
        ("keyed", timedelta(hours=10), timedelta(hours=7, minutes=59), True),
        ("keyed", timedelta(hours=10), timedelta(hours=8), False),
        ("keyed", None, timedelta(0), False),
        ("queryable", timedelta(hours=10), timedelta(0), False),
        ("blind", timedelta(hours=10), timedelta(0), False),
    ],
)
def test_the_same_bytes_go_again_by_themselves_only_while_their_key_is_young(
    retry_class: str, retention: timedelta | None, age: timedelta, *, may: bool
) -> None:
    assert may_resend(Sending(retry_class, AT, SETTLE, retention), AT + age) is may


@pytest.mark.parametrize(
    ("age", "wait"),
    [
        (timedelta(0), ASKED_AFTER),
        (timedelta(seconds=9), ASKED_AFTER),
        (timedelta(seconds=22), timedelta(seconds=11)),
        (timedelta(minutes=29), timedelta(minutes=14, seconds=30)),
        (timedelta(hours=2), ASKED_AT_LATEST),
    ],
)
def test_a_provider_is_asked_less_and_less_often(age: timedelta, wait: timedelta) -> None:
    assert ask_again_at(AT, AT + age) == AT + age + wait


@pytest.mark.parametrize(
    ("before", "found", "news"),
    [
        (None, seen("unclear", 1), True),
        (seen("unclear", 1), seen("unclear", 2), False),
        (seen("unclear", 1), seen("absent", 2), True),
        (seen("absent", 2), seen("absent", 59), False),
        (seen("absent", 2), seen("absent", 60), True),
        (seen("absent", 60), seen("absent", 90), False),
        (seen("absent", 60), seen("executed", 90), True),
        (seen("executed", 60), Seen("executed", AT, "B-1"), True),
    ],
)
def test_what_was_said_before_is_no_news(before: Seen | None, found: Seen, *, news: bool) -> None:
    assert is_news(before, found, SENT) is news


@pytest.mark.parametrize(
    ("ref", "may", "says"),
    [
        ("person:dora", True, ""),
        ("person:eve", True, "took part"),
        ("person:ana", True, "decided"),
        ("person:dora", False, "by no program"),
        ("client:robot", True, "by no program"),
    ],
)
def test_whoever_had_a_part_in_it_has_no_say(ref: str, says: str, *, may: bool) -> None:
    objection = objection_to_person(ref, Involved(["person:eve"], ["person:ana"]), may_resolve=may)
    assert says in objection if says else objection == ""


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


@pytest.fixture
def bank(cast: Cast) -> Bank:
    return furnish(cast, Bank())


def say(who: Actor, execution_id: UUID, verdict: str = "executed", **more: Any) -> str:
    """Let somebody say what became of it."""
    said = {"attempt_number": 1, "reference": "", "evidence": "I telephoned.", "now": now()}
    return resolve(actor=who, execution_id=execution_id, verdict=verdict, **{**said, **more})


def put_in(who: Actor, row: Execution, verdict: str = "absent") -> None:
    """Write what somebody says by hand."""
    Resolution.objects.create(
        workspace_id=row.workspace_id,
        execution=row,
        attempt_number=1,
        person_id=UUID(who.id),
        verdict=verdict,
        evidence="x",
        at=now(),
    )


def sent_silently(cast: Cast, bank: Bank, proposal_id: UUID) -> UUID:
    """Let Ana approve it and nobody hear what became of it."""
    bank.receipt = SILENCE
    cast.decide(cast.ana, proposal_id)
    send_due(bank.connectors, now=now())
    return Execution.objects.get(proposal=proposal_id).id


def settled() -> datetime:
    """Return a time at which it means something that a provider does not know an order."""
    return now() + 2 * SETTLE


def absent_since(cast: Cast, execution_id: UUID, at: datetime) -> None:
    """Let the provider say that it does not know it."""
    observe(
        actor=cast.setup,
        execution_id=execution_id,
        source="inquiry",
        finding=Finding("absent"),
        now=at,
    )


@pytest.mark.django_db
class TestResolving:
    """One person’s word is kept, two settle it, and nobody’s is changed."""

    def test_one_is_not_enough(self, cast: Cast, bank: Bank) -> None:
        dora, *_ = finders(cast)
        found = doubtful(cast, bank)
        assert say(dora, found) == "in_doubt"
        assert cast.content()["balance"] == 1000

    def test_two_who_agree_make_it_the_records_next_snapshot(self, cast: Cast, bank: Bank) -> None:
        dora, finn, _ = finders(cast)
        found = doubtful(cast, bank)
        say(dora, found)
        assert say(finn, found, reference="B-7") == "succeeded"
        row = read(found)
        assert (row.reference, row.snapshot_number, cast.content()["balance"]) == ("B-7", 2, 930)
        assert cast.ledger_objection() is None
        assert "execution.resolved" in cast.said(f"proposal:{row.proposal_id}")

    def test_two_who_find_nothing_let_it_fail(self, cast: Cast, bank: Bank) -> None:
        dora, finn, _ = finders(cast)
        found = doubtful(cast, bank)
        say(dora, found, "absent")
        assert say(finn, found, "absent") == "failed"
        row = read(found)
        assert cast.content()["balance"] == 1000
        assert cast.answer(row.proposal_id).status == "stale"
        assert len(bank.sent) == 1

    def test_who_disagree_leave_it_in_doubt_until_a_third_agrees(
        self, cast: Cast, bank: Bank
    ) -> None:
        dora, finn, gus = finders(cast)
        found = doubtful(cast, bank)
        say(dora, found, "executed")
        assert say(finn, found, "absent") == "in_doubt"
        assert say(gus, found, "executed") == "succeeded"
        assert Resolution.objects.count() == 3

    def test_a_word_that_was_given_stays(self, cast: Cast, bank: Bank) -> None:
        dora, *_ = finders(cast)
        found = doubtful(cast, bank)
        say(dora, found, "executed")
        with pytest.raises(AlreadyResolved):
            say(dora, found, "absent")
        with pytest.raises(AlreadyResolved):
            say(dora, found, "executed", reference="B-8")

    def test_a_double_click_answers_like_the_first_one(self, cast: Cast, bank: Bank) -> None:
        dora, finn, _ = finders(cast)
        found = doubtful(cast, bank)
        assert [say(dora, found), say(dora, found)] == ["in_doubt", "in_doubt"]
        assert [say(finn, found), say(finn, found)] == ["succeeded", "succeeded"]
        assert Resolution.objects.count() == 2

    @pytest.mark.parametrize("who", ["ana", "eve", "cleo", "scout", "setup"])
    def test_is_not_for_everybody(self, cast: Cast, bank: Bank, who: str) -> None:
        found = doubtful(cast, bank)
        with pytest.raises(NotToResolve):
            say(getattr(cast, who), found)
        with pytest.raises(NotToResolve):
            take_over(actor=getattr(cast, who), execution_id=found, now=now())

    def test_is_not_for_whoever_decided_on_an_earlier_wording(self, cast: Cast, bank: Bank) -> None:
        asked = cast.ask(70, action_type="wire", origin="client:1")
        cast.decide(cast.ben, asked, "request_changes", "It was 60.")
        words = {"vendor": NORTHWIND, "amount": 60}
        reword(actor=cast.scout, proposal_id=asked, params=words, now=now())
        found = sent_silently(cast, bank, asked)
        self.bars(cast.ben, found)

    def test_is_not_for_whoever_broke_the_glass(self, cast: Cast, bank: Bank) -> None:
        cast.policy(level=2, approvals=2)
        asked = cast.ask(70, action_type="wire", origin="client:1")
        smash(cast, cast.ada, asked)
        bank.receipt = SILENCE
        send_due(bank.connectors, now=now())
        self.bars(cast.ada, Execution.objects.get(proposal=asked).id)

    def bars(self, who: Actor, found: UUID) -> None:
        """Say that all agree: whoever records it, tells people, shows it, and the database."""
        row = read(found)
        assert row.status == "in_doubt"
        with pytest.raises(NotToResolve):
            say(who, found)
        assert UUID(who.id) not in resolvers(row)
        shown = acting(outside(row.workspace_id, found), who, now())
        assert (shown["can_speak"], bool(shown["barred"])) == (False, True)
        with pytest.raises(DatabaseError, match="took part in or decided on"), transaction.atomic():
            put_in(who, row)

    def test_whoever_left_meanwhile_is_told_so_in_words(self, cast: Cast, bank: Bank) -> None:
        dora, *_ = finders(cast)
        found = doubtful(cast, bank)
        Membership.objects.filter(person=UUID(dora.id)).delete()
        with pytest.raises(NotToResolve):
            say(dora, found)
        assert not Resolution.objects.exists()

    def test_of_what_nobody_can_ask_about_no_row_says_send_again(self, cast: Cast) -> None:
        bank = furnish(cast, Bank("blind"))
        found = doubtful(cast, bank)
        refused = pytest.raises(DatabaseError, match="never sent again")
        with refused, transaction.atomic():
            put_in(cast.ben, read(found), "send_again")

    def test_a_stranger_finds_nothing(self, cast: Cast, bank: Bank) -> None:
        found = doubtful(cast, bank)
        with pytest.raises(NotFound):
            say(cast.zoe, found)

    @pytest.mark.parametrize(
        ("verdict", "more"),
        [
            ("maybe", {}),
            ("executed", {"evidence": " . "}),
            ("executed", {"evidence": "x" * 1001}),
            ("executed", {"evidence": "nul\x00here it is"}),
            ("executed", {"reference": "r" * 201}),
            ("executed", {"reference": "\x00"}),
        ],
    )
    def test_asks_for_evidence_that_can_be_kept(
        self, cast: Cast, bank: Bank, verdict: str, more: dict[str, str]
    ) -> None:
        found = doubtful(cast, bank)
        with pytest.raises(ResolutionInvalid):
            say(cast.ben, found, verdict, **more)

    def test_is_about_the_attempt_that_was_looked_at(self, cast: Cast, bank: Bank) -> None:
        found = doubtful(cast, bank)
        with pytest.raises(AttemptChanged):
            say(cast.ben, found, attempt_number=2)

    def test_comes_too_late_when_it_is_known(self, cast: Cast, bank: Bank) -> None:
        dora, finn, gus = finders(cast)
        found = doubtful(cast, bank)
        say(dora, found)
        say(finn, found)
        with pytest.raises(NotInDoubt):
            say(gus, found, "absent")

    def test_somebody_takes_it_over(self, cast: Cast, bank: Bank) -> None:
        found = doubtful(cast, bank)
        take_over(actor=cast.ben, execution_id=found, now=now())
        take_over(actor=cast.ben, execution_id=found, now=now())
        assert str(read(found).owner_id) == cast.ben.id
        assert cast.said().count("execution.taken_over") == 1
        take_over(actor=cast.ada, execution_id=found, now=now())
        assert str(read(found).owner_id) == cast.ada.id


@pytest.mark.django_db
class TestSendingAgain:
    """One person may have it sent again, where its provider itself says that it is absent."""

    def test_needs_its_provider(self, cast: Cast, bank: Bank) -> None:
        found = doubtful(cast, bank)
        with pytest.raises(MayNotBeSent, match="has not said"):
            say(cast.ben, found, "send_again", now=settled())
        assert not Resolution.objects.exists()

    def test_is_verified_and_sent_once_more(self, cast: Cast, bank: Bank) -> None:
        found = doubtful(cast, bank)
        absent_since(cast, found, settled())
        assert say(cast.ben, found, "send_again", now=settled()) == "ready"
        bank.receipt = DONE
        assert send_due(bank.connectors, now=settled()) == 1
        assert read(found).status == "succeeded"
        assert len(bank.sent) == 2
        assert bank.sent[0] == bank.sent[1]

    def test_is_about_the_first_attempt_alone(self, cast: Cast, bank: Bank) -> None:
        dora, finn, _ = finders(cast)
        found = doubtful(cast, bank)
        absent_since(cast, found, settled())
        say(cast.ben, found, "send_again", now=settled())
        send_due(bank.connectors, now=settled())
        assert read(found).status == "in_doubt"
        with pytest.raises(AttemptChanged):
            say(dora, found, now=settled())
        with pytest.raises(MayNotBeSent):
            say(dora, found, "send_again", attempt_number=2, now=settled())
        say(dora, found, attempt_number=2, now=settled())
        assert say(finn, found, attempt_number=2, now=settled()) == "succeeded"

    def test_stops_when_it_turns_out_to_have_happened(self, cast: Cast, bank: Bank) -> None:
        found = doubtful(cast, bank)
        absent_since(cast, found, settled())
        say(cast.ben, found, "send_again", now=settled())
        late = Finding("executed", "B-5")
        observe(actor=cast.setup, execution_id=found, source="late_answer", finding=late, now=now())
        assert read(found).status == "succeeded"
        assert send_due(bank.connectors, now=settled()) == 0
        assert len(bank.sent) == 1

    def test_never_happens_to_what_nobody_can_be_asked_about(self, cast: Cast) -> None:
        bank = furnish(cast, Bank("blind"))
        found = doubtful(cast, bank)
        absent_since(cast, found, settled())
        with pytest.raises(MayNotBeSent, match="never sent again"):
            say(cast.ben, found, "send_again", now=settled())


@pytest.mark.django_db
class TestLateTruth:
    """What a provider says late settles a doubt, and contradicts people who were wrong."""

    @pytest.mark.parametrize(
        ("says", "status"), [("executed", "succeeded"), ("refused", "failed"), ("absent", "")]
    )
    def test_settles(self, cast: Cast, bank: Bank, says: Any, status: str) -> None:
        found = doubtful(cast, bank)
        finding = Finding(says, "B-2")
        ends = observe(
            actor=cast.setup, execution_id=found, source="inquiry", finding=finding, now=now()
        )
        assert ends == (status or "in_doubt")
        assert Observation.objects.filter(execution=found, says=says).count() == 1

    @pytest.mark.parametrize(
        ("verdict", "says", "kind"),
        [("absent", "executed", "differs"), ("executed", "absent", "not_theirs")],
    )
    def test_becomes_a_difference_where_people_said_otherwise(
        self, cast: Cast, bank: Bank, verdict: str, says: Any, kind: str
    ) -> None:
        dora, finn, _ = finders(cast)
        found = doubtful(cast, bank)
        say(dora, found, verdict)
        say(finn, found, verdict)
        before = read(found).status
        for _ in range(2):
            observe(
                actor=cast.setup,
                execution_id=found,
                source="late_answer",
                finding=Finding(says, "B-2"),
                now=now(),
            )
        assert read(found).status == before
        row = Discrepancy.objects.get()
        assert (row.kind, row.execution_id, row.reconciliation) == (kind, found, None)


@pytest.mark.django_db
class TestPromises:
    """The database keeps it, whoever writes."""

    @pytest.mark.breaks_invariants
    @pytest.mark.parametrize(
        ("who", "says"),
        [
            ("ana", "took part in or decided on"),
            ("eve", "took part in or decided on"),
            ("zoe", "active member"),
        ],
    )
    def test_of_who_may_say_it(self, cast: Cast, bank: Bank, who: str, says: str) -> None:
        found = doubtful(cast, bank)
        with pytest.raises(DatabaseError, match=says), transaction.atomic():
            insert(cast, getattr(cast, who), found)

    def test_of_a_word_that_was_given(self, cast: Cast, bank: Bank) -> None:
        found = doubtful(cast, bank)
        say(cast.ben, found)
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            Resolution.objects.update(verdict="absent")
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            Resolution.objects.all().delete()

    @pytest.mark.parametrize(
        ("status", "says"),
        [
            ("succeeded", "known from somebody|by its provider or by two people"),
            ("failed", "by its provider or by two people"),
            ("ready", "because a person says so"),
        ],
    )
    def test_of_what_settles_a_doubt(self, cast: Cast, bank: Bank, status: str, says: str) -> None:
        found = doubtful(cast, bank)
        with pytest.raises(DatabaseError, match=says), transaction.atomic():
            Execution.objects.filter(id=found).update(status=status, snapshot_number=1)


def insert(cast: Cast, who: Actor, found: UUID) -> None:
    """Write a resolution past every rule."""
    Resolution.objects.create(
        workspace_id=cast.workspace.id,
        execution_id=found,
        attempt_number=1,
        person_id=UUID(who.id),
        verdict="executed",
        evidence="I say so.",
        at=now(),
    )


@pytest.fixture
def both() -> Iterator[Race]:
    with race() as both:
        yield both


@pytest.mark.django_db(transaction=True)
@pytest.mark.race
class TestRaces:
    """Two at the same instant."""

    def test_two_people_settle_it_once(self, cast: Cast, bank: Bank, both: Race) -> None:
        dora, finn, _ = finders(cast)
        for nth in range(4):
            found = doubtful(cast, bank, 1 + nth)
            ends = both.run(lambda: say(dora, found), lambda: say(finn, found))  # noqa: B023
            assert sorted(ends) == ["in_doubt", "succeeded"]
        assert cast.head().number == 5
        assert cast.content()["balance"] == 1000 - 10
        assert cast.ledger_objection() is None

    def test_late_truth_and_people_do_not_both_settle_it(
        self, cast: Cast, bank: Bank, both: Race
    ) -> None:
        dora, finn, _ = finders(cast)
        for nth in range(4):
            found = doubtful(cast, bank, 1 + nth)
            say(dora, found, "absent")
            ends = both.run(
                lambda: say(finn, found, "absent"),  # noqa: B023
                lambda: tell(cast, found),  # noqa: B023
            )
            row = read(found)
            assert ends in (["failed", "failed"], ["not_in_doubt", "succeeded"])
            # Whichever came first, the truth that came second is kept and shown.
            assert Discrepancy.objects.filter(execution=found).exists() is (row.status == "failed")

    def test_what_is_sent_again_is_not_settled_by_people_meanwhile(
        self, cast: Cast, bank: Bank, both: Race
    ) -> None:
        dora, *_ = finders(cast)
        for nth in range(3):
            found = doubtful(cast, bank, 1 + nth)
            absent_since(cast, found, settled())
            say(dora, found, "absent")
            ends = both.run(
                lambda: say(cast.ben, found, "send_again", now=settled()),  # noqa: B023
                lambda: say(cast.ada, found, "absent"),  # noqa: B023
            )
            assert ends in (["ready", "not_in_doubt"], ["not_in_doubt", "failed"])
            bank.receipt = DONE
            sent_again = send_due(bank.connectors, now=settled())
            assert sent_again == (ends[0] == "ready")
            assert Attempt.objects.filter(execution=found).count() == 1 + sent_again
        connection.close()


def tell(cast: Cast, found: UUID) -> str:
    """Let the truth come late."""
    return observe(
        actor=system("reconciler", cast.workspace.id),
        execution_id=found,
        source="late_answer",
        finding=Finding("executed", "B-3"),
        now=now(),
    )
