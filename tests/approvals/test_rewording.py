"""Rewording: the proposer words it anew, and people decide on the new wording alone."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from approvals.models import Evidence, Proposal, Revision
from approvals.operations.asking import ask
from approvals.operations.deciding import AlreadySettled, RevisionChanged
from approvals.operations.previewing import EffectImpossible
from approvals.operations.proposing import AlreadyRejected, Exhibit, ParamsInvalid, propose
from approvals.operations.rewording import NothingChanged, RevisedTooOften, reword
from approvals.operations.withdrawing import withdraw
from approvals.queries.talking import info_requests
from console.actors import Actor, agent
from console.errors import Forbidden, NotFound
from snapshots.diff import Change
from tests.racing import race
from tests.story import NORTHWIND, QUICKFIX, Cast, now

pytestmark = pytest.mark.django_db
MAIL = Exhibit("Mail", "mail 7", "It was 60, not 70.", ("/balance",))


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


@pytest.fixture
def asked(cast: Cast) -> UUID:
    """A payment of 70 that two reviewers have to approve."""
    cast.policy(approvals=2)
    return cast.ask(70)


def paying(amount: int, vendor: str = NORTHWIND) -> dict[str, Any]:
    return {"vendor": vendor, "amount": amount}


def row(proposal_id: UUID) -> Proposal:
    return Proposal.objects.get(id=proposal_id)


def say(cast: Cast, proposal_id: UUID, amount: int = 60, **more: Any) -> int:
    """Let Scout word it anew."""
    at = more.pop("now", None) or now()
    return reword(actor=cast.scout, proposal_id=proposal_id, params=paying(amount), now=at, **more)


def test_a_new_wording_is_a_new_revision_with_its_own_effect(cast: Cast, asked: UUID) -> None:
    assert say(cast, asked, rationale="It was 60.", why="Ana asked", evidence=(MAIL,)) == 2
    found = cast.look(asked)
    assert found.proposal.title == "Pay 60 to Northwind"
    assert found.revision.params == paying(60)
    assert (found.revision.rationale, found.revision.why) == ("It was 60.", "Ana asked")
    assert [change.value for change in found.changes if change.path == "/balance"] == [940]
    assert [(item.number, item.content) for item in found.evidence] == [(1, MAIL.content)]
    assert cast.said(f"proposal:{asked}")[-1] == "proposal.reworded"
    first = Revision.objects.get(proposal=asked, number=1)
    assert (first.params, first.digest) != (found.revision.params, found.revision.digest)


def test_what_is_not_said_anew_stays(cast: Cast) -> None:
    asked = cast.ask(70, rationale="Invoice 7.", evidence=(MAIL,))
    say(cast, asked)
    assert cast.look(asked).revision.rationale == "Invoice 7."
    assert Evidence.objects.filter(proposal=asked).count() == 1


def test_partial_approvals_stay_with_the_wording_they_were_given_to(
    cast: Cast, asked: UUID
) -> None:
    before = cast.look(asked)
    assert cast.decide(cast.ana, asked) == "pending"
    say(cast, asked)
    assert cast.decide(cast.ben, asked) == "pending"
    with pytest.raises(RevisionChanged):
        cast.decide(cast.ada, asked, seen=before)
    assert cast.decide(cast.ada, asked) == "approved"
    assert cast.content()["balance"] == 940


def test_the_deadline_starts_anew_only_where_changes_were_requested(
    cast: Cast, asked: UUID
) -> None:
    at, due = now(), row(asked).due_at
    say(cast, asked, now=at + timedelta(minutes=10))
    assert row(asked).due_at == due
    sent_back = at + timedelta(minutes=15)
    cast.decide(cast.ana, asked, "request_changes", "Which invoice?", at=sent_back)
    assert row(asked).status == "changes_requested"
    later = at + timedelta(minutes=20)
    say(cast, asked, 50, now=later)
    assert (row(asked).status, row(asked).due_at) == ("pending", later + timedelta(hours=1))


def test_a_question_is_answered_by_a_new_wording(cast: Cast, asked: UUID) -> None:
    at, due = now(), row(asked).due_at
    ask(actor=cast.ana, proposal_id=asked, question="Is it 70?", now=at)
    say(cast, asked, why="No, 60.", now=at + timedelta(minutes=30))
    assert (row(asked).status, row(asked).due_at) == ("pending", due + timedelta(minutes=30))
    [kept] = info_requests(cast.workspace.id, asked)
    assert kept.answer == "No, 60."


def test_saying_the_same_twice_is_once(cast: Cast, asked: UUID) -> None:
    for _ in range(2):
        assert say(cast, asked, rationale="It was 60.", evidence=(MAIL,)) == 2
    assert Revision.objects.filter(proposal=asked).count() == 2
    assert Evidence.objects.filter(proposal=asked).count() == 1


def test_the_same_again_is_refused_when_changes_were_requested(cast: Cast, asked: UUID) -> None:
    cast.decide(cast.ana, asked, "request_changes", "Which invoice?")
    with pytest.raises(NothingChanged):
        say(cast, asked, 70)
    assert say(cast, asked, 70, rationale="Invoice 7, as the mail says.") == 2


def test_a_new_wording_is_made_on_the_record_as_it_stands(cast: Cast, asked: UUID) -> None:
    cast.move_world(Change("replace", "/balance", 1000, 900))
    say(cast, asked)
    found = cast.look(asked)
    assert found.proposal.base_number == 2
    assert [change.value for change in found.changes if change.path == "/balance"] == [840]


def test_the_policies_are_asked_again(cast: Cast, asked: UUID) -> None:
    cast.policy(level=2, approvals=1)
    say(cast, asked)
    found = cast.look(asked)
    assert (found.terms.level, found.terms.needed, found.proposal.level) == (2, 1, 2)


@pytest.mark.parametrize("who", ["ana", "ada", "eve"])
def test_people_do_not_reword(cast: Cast, asked: UUID, who: str) -> None:
    with pytest.raises(Forbidden):
        reword(actor=getattr(cast, who), proposal_id=asked, params=paying(60), now=now())


def test_another_agent_or_program_does_not_reword(cast: Cast, asked: UUID) -> None:
    strangers = (
        agent("other", cast.workspace.id, behind=cast.eve.ref),
        Actor("client", "1", "robot", cast.workspace.id, behind=cast.eve.ref),
    )
    for stranger in strangers:
        with pytest.raises(Forbidden):
            reword(actor=stranger, proposal_id=asked, params=paying(60), now=now())


def test_rewording_refuses_what_does_not_fit(cast: Cast, asked: UUID) -> None:
    for params in ({"vendor": NORTHWIND}, {**paying(60), "iban": "x"}, paying(0)):
        with pytest.raises(ParamsInvalid):
            reword(actor=cast.scout, proposal_id=asked, params=params, now=now())
    with pytest.raises(EffectImpossible):
        say(cast, asked, 1001)
    stated = (Change("replace", "/balance", 1000, 5),)
    with pytest.raises(ParamsInvalid):
        say(cast, asked, stated=stated)
    assert row(asked).revision == 1


def test_rewording_refuses_what_is_settled(cast: Cast, asked: UUID) -> None:
    cast.decide(cast.ana, asked, "reject")
    with pytest.raises(AlreadySettled):
        say(cast, asked)


def test_what_was_rejected_is_not_worded_again_in_another_proposal(cast: Cast) -> None:
    rejected, other = cast.ask(70), cast.ask(80)
    say(cast, rejected, 60)
    cast.decide(cast.ana, rejected, "reject")
    with pytest.raises(AlreadyRejected):
        say(cast, other, 60)
    with pytest.raises(AlreadyRejected):
        cast.ask(60)
    # What was proposed first was never rejected: nobody decided on it.
    assert say(cast, other, 70) == 2


def test_stated_changes_are_stated_anew(cast: Cast) -> None:
    asked = cast.state_change(Change("replace", "/balance", 1000, 990))
    better = (Change("replace", "/balance", 1000, 995),)
    reword(actor=cast.scout, proposal_id=asked, params={}, stated=better, now=now())
    assert [change.value for change in cast.look(asked).changes] == [995]
    cast.decide(cast.ana, asked)
    assert cast.content()["balance"] == 995


def test_nobody_rewords_for_ever(cast: Cast, asked: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("approvals.operations.rewording.REVISIONS_AT_MOST", 3)
    say(cast, asked, 60)
    say(cast, asked, 61)
    with pytest.raises(RevisedTooOften):
        say(cast, asked, 62)


def test_a_repeated_request_is_still_the_same_proposal(cast: Cast) -> None:
    request = cast.request(70)
    asked = propose(actor=cast.scout, request=request, now=now())
    say(cast, asked, evidence=(MAIL,))
    assert propose(actor=cast.scout, request=request, now=now()) == asked


def test_the_other_workspace_finds_nothing(cast: Cast, asked: UUID) -> None:
    for who, proposal_id in ((cast.zoe, asked), (cast.scout, uuid4())):
        with pytest.raises(NotFound):
            reword(actor=who, proposal_id=proposal_id, params=paying(60), now=now())


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_an_approval_and_a_new_wording_at_once_leave_one_truth(cast: Cast) -> None:
    with race() as both:
        for _ in range(15):
            asked = cast.ask(1, vendor=QUICKFIX, evidence=())
            seen = cast.look(asked)
            answers = both.run(deciding(cast, asked, seen), wording(cast, asked))
            balance = cast.content()["balance"]
            if answers[0] == "approved":
                assert answers[1] == "already_settled"
                assert balance == 1000 - row(asked).base_number
            else:
                assert answers == ["revision_changed", 2]
                assert row(asked).status == "pending"
                withdraw(actor=cast.scout, proposal_id=asked, reason="the next", now=now())


def deciding(cast: Cast, asked: UUID, seen: Any) -> Callable[[], str]:
    return lambda: cast.decide(cast.ana, asked, seen=seen)


def wording(cast: Cast, asked: UUID) -> Callable[[], int]:
    return lambda: reword(
        actor=cast.scout,
        proposal_id=asked,
        params=paying(1, QUICKFIX),
        rationale=str(asked),
        now=now(),
    )
