"""Revising: what people ask of a run comes to it as a value, and what it replies is done once."""

import time
from uuid import UUID

import pytest

from agents import queries
from agents.models import Run, Step
from agents.operations.running import work
from agents.operations.waking import wake_run
from agents.showing.sentences import sentence
from approvals import queries as approvals
from approvals.models import Evidence, InfoRequest, Proposal, Revision
from approvals.operations import asking, expiring
from approvals.operations.deciding import Act, Seen, decide
from approvals.policy import Choice
from console.ledger import queries as ledger
from tests.agents import programs
from tests.agents.stage import Stage, now
from tests.agents.test_crashes import LEASE_SECONDS, worker
from tests.terms import reason_code_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stage() -> Stage:
    programs.register()
    return Stage.build()


def waiting(run: Run) -> UUID:
    [(_, proposal_id)] = queries.waiting_of(run.id)
    return proposal_id


def say(stage: Stage, run: Run, choice: Choice, reason: str) -> None:
    """Let Ana decide, and let the run hear of it."""
    proposal_id = waiting(run)
    revision = approvals.detail(stage.setup.workspace_id, proposal_id).revision
    decide(
        proposal_id=proposal_id,
        seen=Seen(revision.number, revision.digest),
        actor=stage.ana,
        act=Act(choice, reason, reason_code_for(choice)),
        now=now(),
    )
    go_on(run)


def ask(stage: Stage, run: Run, question: str) -> None:
    asking.ask(actor=stage.ana, proposal_id=waiting(run), question=question, now=now())
    go_on(run)


def go_on(run: Run) -> None:
    wake_run(run.id)
    work()


def told(stage: Stage, run: Run) -> object:
    ended = stage.run(run.id)
    assert ended.status == "succeeded", ended.problem
    return (ended.result or {})["told"]


def test_words_it_anew_as_it_was_asked(stage: Stage) -> None:
    run = stage.submit("talk")
    work()
    say(stage, run, "request_changes", "Name the memo")
    detail = approvals.detail(stage.setup.workspace_id, waiting(run))
    assert (detail.proposal.status, detail.revision.number) == ("pending", 2)
    assert detail.revision.params == {"n": 2, "memo": "RV-2026-11"}
    assert detail.revision.why == "As asked: Name the memo"
    say(stage, run, "approve", "good")
    assert told(stage, run) == [["changes_requested", "Name the memo"], ["approved", "good"]]
    assert stage.content() == {"n": 2, "log": []}


def test_traces_the_new_wording_too(stage: Stage) -> None:
    run = stage.submit("talk")
    work()
    say(stage, run, "request_changes", "Name the memo")
    revision = Revision.objects.get(proposal=waiting(run), number=2)
    [memo] = [each for each in revision.sources if each["path"] == "params/memo"]
    assert (memo["from"], memo["label"], memo["field"]) == ("tool", "look", "/memo")


def test_answers_a_question_with_what_it_has(stage: Stage) -> None:
    run = stage.submit("talk")
    work()
    ask(stage, run, "Which memo?")
    asked = InfoRequest.objects.get()
    by = asked.answered_by or {}
    assert (asked.answer, by["name"]) == ("It says RV-2026-11 (2).", "scout")
    assert Evidence.objects.get(label="Answer to question 1").content == asked.answer
    assert stage.run(run.id).status == "waiting"
    say(stage, run, "approve", "good")
    assert told(stage, run) == [["question", "Which memo?"], ["approved", "good"]]


def test_leaves_an_answer_to_whoever_gave_it_first(stage: Stage) -> None:
    run = stage.submit("talk")
    work()
    asking.ask(actor=stage.ana, proposal_id=waiting(run), question="Which memo?", now=now())
    asking.take_back(actor=stage.ana, proposal_id=waiting(run), now=now())
    go_on(run)
    assert stage.run(run.id).status == "waiting"
    assert not Step.objects.filter(run=run.id, kind__in=["reply", "outcome"]).exists()


def test_withdraws_with_a_reason_when_it_is_asked_too_often(stage: Stage) -> None:
    run = stage.submit("talk")
    work()
    for nth in range(1, 5):
        say(stage, run, "request_changes", f"Not yet {nth}")
    proposal = Proposal.objects.get()
    assert (proposal.status, proposal.settled_reason) == ("withdrawn", "It was asked too often.")
    assert told(stage, run)[-1] == ["withdrawn", "It was asked too often."]  # type: ignore[index]


def test_leaves_a_question_to_people_if_it_does_not_converse(stage: Stage) -> None:
    run = stage.submit("silent")
    work()
    ask(stage, run, "Which memo?")
    assert stage.run(run.id).status == "waiting"
    assert Proposal.objects.get().status == "info_requested"
    asking.take_back(actor=stage.ana, proposal_id=waiting(run), now=now())
    say(stage, run, "approve", "good")
    assert told(stage, run) == ["approved", "good"]


def test_withdraws_at_once_if_it_does_not_converse_and_changes_are_requested(stage: Stage) -> None:
    run = stage.submit("silent")
    work()
    say(stage, run, "request_changes", "Name the memo")
    assert told(stage, run) == ["changes_requested", "Name the memo"]
    proposal = Proposal.objects.get()
    assert proposal.status == "withdrawn"
    assert proposal.settled_reason == "This workflow does not word its proposals anew."


def test_is_told_of_expiry_as_expiry(stage: Stage) -> None:
    run = stage.submit("talk")
    work()
    say(stage, run, "request_changes", "Name the memo")
    assert expiring.expire_due(now=Proposal.objects.get().due_at) == 1
    go_on(run)
    assert [status for status, _ in told(stage, run)] == ["changes_requested", "expired"]  # type: ignore[attr-defined]


def test_says_in_its_trace_what_it_replied(stage: Stage) -> None:
    run = stage.submit("talk")
    work()
    ask(stage, run, "Which memo?")
    say(stage, run, "request_changes", "Name it")
    steps = queries.trace(run.id, first=0, before=100)
    said = [sentence(step, {}).what for step in steps if step.kind in {"reply", "outcome"}]
    assert said == [
        "Ana asked",
        "Answered the question",
        "Ana requested changes",
        "Worded its proposal anew",
    ]


# (what people do first, writes of the worker that hears of it, which of them kills it)
PLACES = [(first, n) for first in ("ask", "change") for n in range(1, 5)]


@pytest.mark.race
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(("first", "place"), PLACES)
def test_a_killed_worker_replies_once(moment: str, first: str, place: int, stage: Stage) -> None:
    run = stage.submit("talk")
    work()
    proposal_id = waiting(run)
    if first == "ask":
        asking.ask(actor=stage.ana, proposal_id=proposal_id, question="Which memo?", now=now())
    else:
        revision = approvals.detail(stage.setup.workspace_id, proposal_id).revision
        act = Act("request_changes", "Name it", reason_code_for("request_changes"))
        seen = Seen(revision.number, revision.digest)
        decide(proposal_id=proposal_id, seen=seen, actor=stage.ana, act=act, now=now())
    wake_run(run.id)
    assert worker(moment, str(place)) == -9
    for _ in range(3):
        time.sleep(LEASE_SECONDS)
        work()
    say(stage, run, "approve", "good")
    heard = ["question", "Which memo?"] if first == "ask" else ["changes_requested", "Name it"]
    assert told(stage, run) == [heard, ["approved", "good"]]
    assert Revision.objects.count() == (1 if first == "ask" else 2)
    assert Evidence.objects.count() == (1 if first == "ask" else 0)
    assert Step.objects.filter(run=run.id, kind="reply").count() == 1
    assert ledger.verify(stage.setup.workspace_id).objection is None
