"""Asking: a question to the proposer stops the clock, and its answer is evidence."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from approvals.models import Evidence, InfoRequest, Proposal
from approvals.operations import asking
from approvals.operations.asking import AnswerInvalid, QuestionInvalid, answer, ask, take_back
from approvals.operations.deciding import AlreadySettled, NotEligible, NotPending
from approvals.operations.expiring import expire_due
from approvals.operations.lapsing import let_lapse
from approvals.operations.proposing import Exhibit, propose
from approvals.operations.withdrawing import withdraw
from approvals.queries.talking import info_requests, open_question
from console.actors import Actor, agent
from console.doorbell.models import Ring
from console.errors import Forbidden, NotFound, Refused
from tests.racing import race
from tests.story import Cast, now

pytestmark = pytest.mark.django_db
WHY = "Which invoice is this for?"
HOURS = timedelta(hours=3)


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


@pytest.fixture
def asked(cast: Cast) -> UUID:
    """A payment that two reviewers have to approve."""
    cast.policy(approvals=2)
    return cast.ask(wake_task="agents.wake")


def row(proposal_id: UUID) -> Proposal:
    return Proposal.objects.get(id=proposal_id)


def test_asking_stops_the_clock_and_wakes_the_proposer(cast: Cast, asked: UUID) -> None:
    at = now()
    assert ask(actor=cast.ana, proposal_id=asked, question=f" {WHY} ", now=at) == 1
    assert (row(asked).status, row(asked).paused_at) == ("info_requested", at)
    question = open_question(asked)
    assert question is not None
    assert (question.question, question.person.name, question.revision) == (WHY, "Ana", 1)
    assert Ring.objects.filter(task="agents.wake", key="1").count() == 1
    assert cast.said(f"proposal:{asked}")[-1] == "proposal.asked"


def test_nobody_decides_while_a_question_waits(cast: Cast, asked: UUID) -> None:
    ask(actor=cast.ana, proposal_id=asked, question=WHY, now=now())
    for who in (cast.ana, cast.ben):
        with pytest.raises(Refused) as refused:
            cast.decide(who, asked)
        assert refused.value.status == 409
    assert row(asked).status == "info_requested"


def test_a_question_outlasts_the_deadline_and_gives_the_time_back(cast: Cast, asked: UUID) -> None:
    at, due, rank = now(), row(asked).due_at, row(asked).rank
    ask(actor=cast.ana, proposal_id=asked, question=WHY, now=at)
    assert expire_due(now=due + HOURS) == 0
    answer(actor=cast.scout, proposal_id=asked, text="Invoice 7.", now=at + HOURS)
    found = row(asked)
    assert (found.status, found.paused_at, found.due_at) == ("pending", None, due + HOURS)
    assert found.rank == rank + HOURS.total_seconds()
    assert cast.decide(cast.ana, asked, at=due + timedelta(hours=1)) == "pending"
    assert expire_due(now=due + HOURS) == 1


def test_a_question_lapses_after_as_long_as_people_had_to_decide(cast: Cast, asked: UUID) -> None:
    ask(actor=cast.ana, proposal_id=asked, question=WHY, now=now())
    proposal = row(asked)
    given = timedelta(seconds=proposal.terms["expires_seconds"])
    assert proposal.paused_at is not None
    assert let_lapse(now=proposal.paused_at + given - timedelta(seconds=1)) == 0
    assert let_lapse(now=proposal.paused_at + given) == 1
    assert let_lapse(now=proposal.paused_at + given) == 0
    goes_on = row(asked)
    assert (goes_on.status, goes_on.paused_at) == ("pending", None)
    assert goes_on.due_at == proposal.due_at + given
    assert cast.said(f"proposal:{asked}")[-1] == "proposal.question_lapsed"
    # The next question waits as long again.
    assert ask(actor=cast.ana, proposal_id=asked, question="Still?", now=now()) == 2


def test_an_answer_is_the_next_piece_of_evidence(cast: Cast) -> None:
    mail = Exhibit("Mail", "mail 7", "Please pay.")
    asked = cast.ask(evidence=(mail,))
    ask(actor=cast.ana, proposal_id=asked, question=WHY, now=now())
    answer(actor=cast.scout, proposal_id=asked, text="Invoice 7, line 2.", now=now())
    last = Evidence.objects.filter(proposal=asked).order_by("number").last()
    assert last is not None
    assert (last.number, last.label, last.content) == (
        2,
        "Answer to question 1",
        "Invoice 7, line 2.",
    )
    assert last.source == "agent scout"
    [kept] = info_requests(cast.workspace.id, asked)
    assert (kept.answer, kept.answered_by) == ("Invoice 7, line 2.", cast.scout.to_json())
    assert open_question(asked) is None
    assert cast.said(f"proposal:{asked}")[-1] == "proposal.answered"
    assert cast.ledger_objection() is None


def test_an_answer_leaves_the_wording_and_its_approvals(cast: Cast, asked: UUID) -> None:
    cast.decide(cast.ana, asked)
    ask(actor=cast.ben, proposal_id=asked, question=WHY, now=now())
    answer(actor=cast.scout, proposal_id=asked, text="Invoice 7.", now=now())
    assert row(asked).revision == 1
    assert cast.decide(cast.ben, asked) == "approved"


def test_a_repeated_request_is_the_same_one_after_an_answer(cast: Cast) -> None:
    request = cast.request(evidence=(Exhibit("Mail", "mail 7", "Please pay."),))
    asked = propose(actor=cast.scout, request=request, now=now())
    ask(actor=cast.ana, proposal_id=asked, question=WHY, now=now())
    answer(actor=cast.scout, proposal_id=asked, text="Invoice 7.", now=now())
    assert propose(actor=cast.scout, request=request, now=now()) == asked


def test_the_next_question_gets_the_next_number(cast: Cast, asked: UUID) -> None:
    for number in (1, 2):
        assert ask(actor=cast.ana, proposal_id=asked, question=WHY, now=now()) == number
        answer(actor=cast.scout, proposal_id=asked, text="Invoice 7.", now=now())
    assert [item.number for item in Evidence.objects.order_by("number")] == [1, 2]


@pytest.mark.parametrize("who", ["cleo", "eve", "scout"])
def test_asking_is_for_those_who_may_decide(cast: Cast, asked: UUID, who: str) -> None:
    with pytest.raises(NotEligible):
        ask(actor=getattr(cast, who), proposal_id=asked, question=WHY, now=now())
    assert row(asked).status == "pending"


def test_one_question_waits_at_a_time(cast: Cast, asked: UUID) -> None:
    ask(actor=cast.ana, proposal_id=asked, question=WHY, now=now())
    for who in (cast.ana, cast.ben):
        with pytest.raises(NotPending):
            ask(actor=who, proposal_id=asked, question="And why?", now=now())
    assert InfoRequest.objects.count() == 1


def test_asking_refuses_what_is_settled_or_too_late(cast: Cast, asked: UUID) -> None:
    with pytest.raises(AlreadySettled):
        ask(actor=cast.ana, proposal_id=asked, question=WHY, now=row(asked).due_at)
    cast.decide(cast.ana, asked, "reject")
    with pytest.raises(AlreadySettled):
        ask(actor=cast.ana, proposal_id=asked, question=WHY, now=now())


@pytest.mark.parametrize("question", ["", " \n", "???", "a" * 1_001, "a\0b"])
def test_asking_refuses_what_is_no_question(cast: Cast, asked: UUID, question: str) -> None:
    with pytest.raises(QuestionInvalid):
        ask(actor=cast.ana, proposal_id=asked, question=question, now=now())


@pytest.mark.parametrize("text", ["", "…", "a" * 4_001, "a\0b"])
def test_answering_refuses_what_is_no_answer(cast: Cast, asked: UUID, text: str) -> None:
    ask(actor=cast.ana, proposal_id=asked, question=WHY, now=now())
    with pytest.raises(AnswerInvalid):
        answer(actor=cast.scout, proposal_id=asked, text=text, now=now())
    assert not Evidence.objects.exists()


def test_people_who_do_not_decide_may_answer(cast: Cast, asked: UUID) -> None:
    for number, who in enumerate((cast.eve, cast.cleo), start=1):
        ask(actor=cast.ana, proposal_id=asked, question=WHY, now=now())
        answer(actor=who, proposal_id=asked, text="I have seen the invoice.", now=now())
        assert Evidence.objects.get(number=number).source == f"person {who.name}"


@pytest.mark.parametrize("who", ["ana", "ben", "ada"])
def test_nobody_answers_for_what_they_may_decide(cast: Cast, asked: UUID, who: str) -> None:
    ask(actor=cast.ana, proposal_id=asked, question=WHY, now=now())
    with pytest.raises(Forbidden, match="may decide"):
        answer(actor=getattr(cast, who), proposal_id=asked, text="It is fine.", now=now())


def test_another_agent_or_program_does_not_answer(cast: Cast, asked: UUID) -> None:
    ask(actor=cast.ana, proposal_id=asked, question=WHY, now=now())
    strangers = (
        agent("other", cast.workspace.id, behind=cast.eve.ref),
        Actor("client", "1", "robot", cast.workspace.id, behind=cast.eve.ref),
    )
    for stranger in strangers:
        with pytest.raises(Forbidden):
            answer(actor=stranger, proposal_id=asked, text="Let me help.", now=now())


def test_answering_twice_is_told(cast: Cast, asked: UUID) -> None:
    ask(actor=cast.ana, proposal_id=asked, question=WHY, now=now())
    answer(actor=cast.scout, proposal_id=asked, text="Invoice 7.", now=now())
    with pytest.raises(NotPending):
        answer(actor=cast.scout, proposal_id=asked, text="Invoice 7.", now=now())
    assert Evidence.objects.count() == 1


def test_a_question_is_taken_back_by_its_asker_or_an_admin(cast: Cast, asked: UUID) -> None:
    at, due = now(), row(asked).due_at
    ask(actor=cast.ana, proposal_id=asked, question=WHY, now=at)
    for who in (cast.ben, cast.scout, cast.eve):
        with pytest.raises(Forbidden):
            take_back(actor=who, proposal_id=asked, now=at)
    take_back(actor=cast.ana, proposal_id=asked, now=at + HOURS)
    assert (row(asked).status, row(asked).due_at) == ("pending", due + HOURS)
    with pytest.raises(NotPending):
        take_back(actor=cast.ana, proposal_id=asked, now=at)
    ask(actor=cast.ana, proposal_id=asked, question=WHY, now=at)
    take_back(actor=cast.ada, proposal_id=asked, now=at)
    assert cast.said(f"proposal:{asked}").count("proposal.question_taken_back") == 2
    assert not Evidence.objects.exists()


def test_withdrawing_ends_a_question(cast: Cast, asked: UUID) -> None:
    ask(actor=cast.ana, proposal_id=asked, question=WHY, now=now())
    withdraw(actor=cast.scout, proposal_id=asked, reason="never mind", now=now())
    assert (row(asked).status, row(asked).paused_at) == ("withdrawn", None)
    assert open_question(asked) is None
    with pytest.raises(AlreadySettled):
        answer(actor=cast.scout, proposal_id=asked, text="Invoice 7.", now=now())


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_two_who_ask_at_once_one_is_told(cast: Cast) -> None:
    with race() as both:
        for _ in range(20):
            asked = cast.ask()
            answers = both.run(*[asker(who, asked) for who in (cast.ana, cast.ben)])
            assert sorted(answers, key=str) == [1, "not_pending"]
            assert InfoRequest.objects.filter(proposal=asked).count() == 1


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_an_answer_and_its_take_back_at_once_one_counts(cast: Cast) -> None:
    with race() as both:
        for _ in range(20):
            asked = cast.ask()
            ask(actor=cast.ana, proposal_id=asked, question=WHY, now=now())
            given = both.run(answerer(cast.scout, asked), taker(cast.ana, asked))
            assert sorted(given, key=str) == [None, "not_pending"]
            assert Evidence.objects.filter(proposal=asked).count() == (given[0] is None)


def asker(who: Actor, proposal_id: UUID) -> Callable[[], int]:
    return lambda: ask(actor=who, proposal_id=proposal_id, question=WHY, now=now())


def answerer(who: Actor, proposal_id: UUID) -> Callable[[], None]:
    return lambda: answer(actor=who, proposal_id=proposal_id, text="Invoice 7.", now=now())


def taker(who: Actor, proposal_id: UUID) -> Callable[[], None]:
    return lambda: take_back(actor=who, proposal_id=proposal_id, now=now())


def test_the_other_workspace_finds_nothing(cast: Cast, asked: UUID) -> None:
    zoe = replace(cast.zoe, roles=frozenset({"admin", "reviewer"}))
    for who, proposal_id in ((zoe, asked), (cast.ana, uuid4())):
        with pytest.raises(NotFound):
            ask(actor=who, proposal_id=proposal_id, question=WHY, now=now())
        with pytest.raises(NotFound):
            asking.answer(actor=who, proposal_id=proposal_id, text="x", now=now())
        with pytest.raises(NotFound):
            take_back(actor=who, proposal_id=proposal_id, now=now())
