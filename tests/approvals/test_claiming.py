"""Claiming, assigning, snoozing, commenting and looking: what people do beside deciding."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.conf import settings

from approvals.models import Comment, Proposal, Snooze, Viewing
from approvals.operations.asking import answer, ask
from approvals.operations.assigning import NotAssignable, assign
from approvals.operations.claiming import AlreadyClaimed, claim, release
from approvals.operations.commenting import CommentInvalid, comment
from approvals.operations.deciding import AlreadySettled, NotEligible
from approvals.operations.delegating import delegate
from approvals.operations.rebasing import rebase
from approvals.operations.snoozing import SnoozeInvalid, snooze
from approvals.operations.viewing import note
from approvals.operations.withdrawing import withdraw
from console.actors import Actor, agent
from console.errors import Forbidden, NotFound
from console.notices.models import Notice
from snapshots.diff import Change
from tests.racing import race
from tests.story import Cast, now

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


@pytest.fixture
def asked(cast: Cast) -> UUID:
    """A payment that one reviewer may approve."""
    return cast.ask()


def row(proposal_id: UUID) -> Proposal:
    return Proposal.objects.get(id=proposal_id)


def test_claiming_says_who_looks_and_until_when(cast: Cast, asked: UUID) -> None:
    at = now()
    assert claim(actor=cast.ana, proposal_id=asked, now=at) == at + settings.CLAIM_LEASE
    assert str(row(asked).claimed_by_id) == cast.ana.id
    assert "proposal.claimed" not in cast.said()


def test_claiming_again_renews_ones_own_claim(cast: Cast, asked: UUID) -> None:
    at = now()
    claim(actor=cast.ana, proposal_id=asked, now=at)
    later = at + timedelta(minutes=7)
    assert claim(actor=cast.ana, proposal_id=asked, now=later) == later + settings.CLAIM_LEASE


def test_claiming_refuses_what_somebody_else_holds_until_it_is_over(
    cast: Cast, asked: UUID
) -> None:
    at = now()
    until = claim(actor=cast.ana, proposal_id=asked, now=at)
    with pytest.raises(AlreadyClaimed) as refused:
        claim(actor=cast.ben, proposal_id=asked, now=at + timedelta(minutes=1))
    assert refused.value.details == {"by": "Ana", "until": until.isoformat()}
    claim(actor=cast.ben, proposal_id=asked, now=until)
    assert str(row(asked).claimed_by_id) == cast.ben.id


def test_a_claim_keeps_nobody_from_deciding_and_ends_with_the_decision(
    cast: Cast, asked: UUID
) -> None:
    claim(actor=cast.ana, proposal_id=asked, now=now())
    assert cast.decide(cast.ben, asked) == "approved"
    assert (row(asked).claimed_by_id, row(asked).claimed_until) == (None, None)


def test_a_claim_never_blocks_the_second_approver(cast: Cast) -> None:
    cast.policy(approvals=2)
    asked = cast.ask()
    claim(actor=cast.ana, proposal_id=asked, now=now())
    assert cast.decide(cast.ana, asked) == "pending"
    assert cast.decide(cast.ben, asked) == "approved"


@pytest.mark.parametrize("who", ["cleo", "eve", "scout"])
def test_claiming_is_for_those_who_may_decide(cast: Cast, asked: UUID, who: str) -> None:
    with pytest.raises(NotEligible):
        claim(actor=getattr(cast, who), proposal_id=asked, now=now())
    assert row(asked).claimed_by_id is None


def test_claiming_refuses_what_is_settled_or_too_late(cast: Cast, asked: UUID) -> None:
    with pytest.raises(AlreadySettled):
        claim(actor=cast.ana, proposal_id=asked, now=row(asked).due_at)
    cast.decide(cast.ana, asked, "reject")
    with pytest.raises(AlreadySettled):
        claim(actor=cast.ana, proposal_id=asked, now=now())


def test_releasing_is_for_whoever_claimed_it_and_admins(cast: Cast, asked: UUID) -> None:
    claim(actor=cast.ana, proposal_id=asked, now=now())
    with pytest.raises(Forbidden):
        release(actor=cast.ben, proposal_id=asked, now=now())
    release(actor=cast.ana, proposal_id=asked, now=now())
    release(actor=cast.ana, proposal_id=asked, now=now())
    assert row(asked).claimed_until is None
    claim(actor=cast.ben, proposal_id=asked, now=now())
    release(actor=cast.ada, proposal_id=asked, now=now())
    assert row(asked).claimed_by_id is None


def test_who_stands_in_for_a_reviewer_may_claim_ask_and_not_answer(cast: Cast, asked: UUID) -> None:
    stand_in(cast, cast.ana, cast.cleo)
    claim(actor=cast.cleo, proposal_id=asked, now=now())
    ask(actor=cast.cleo, proposal_id=asked, question="Which invoice?", now=now())
    with pytest.raises(Forbidden, match="may decide"):
        answer(actor=cast.cleo, proposal_id=asked, text="Invoice 7.", now=now())


def stand_in(cast: Cast, person: Actor, other: Actor) -> None:
    delegate(
        actor=cast.ada,
        person_id=UUID(person.id),
        delegate_id=UUID(other.id),
        begins_at=now() - timedelta(minutes=1),
        ends_at=now() + timedelta(days=1),
        reason="",
        now=now(),
    )


def told() -> set[tuple[str, str]]:
    return set(Notice.objects.values_list("event__name", "person__name"))


def test_assigning_tells_the_assignee_and_who_stands_in(cast: Cast, asked: UUID) -> None:
    stand_in(cast, cast.ana, cast.ben)
    Notice.objects.all().delete()
    assign(actor=cast.ada, proposal_id=asked, person_id=UUID(cast.ana.id), now=now())
    assert told() == {("proposal.assigned", "Ana"), ("proposal.assigned", "Ben")}
    Notice.objects.all().delete()
    assign(actor=cast.ada, proposal_id=asked, person_id=UUID(cast.ada.id), now=now())
    assert told() == set()


def test_asking_tells_who_is_behind_it_and_an_answer_tells_the_asker(
    cast: Cast, asked: UUID
) -> None:
    Notice.objects.all().delete()
    ask(actor=cast.ana, proposal_id=asked, question="Which invoice?", now=now())
    assert told() == {("question.asked", "Eve")}
    answer(actor=cast.scout, proposal_id=asked, text="Invoice 7.", now=now())
    assert told() == {("question.asked", "Eve"), ("question.answered", "Ana")}


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_two_who_claim_at_once_one_is_told_of_the_other(cast: Cast) -> None:
    with race() as both:
        for _ in range(20):
            asked = cast.ask()

            def as_(who: Actor, asked: UUID = asked) -> Callable[[], str]:
                return lambda: str(claim(actor=who, proposal_id=asked, now=now()))

            answers = both.run(as_(cast.ana), as_(cast.ben))
            assert answers.count("already_claimed") == 1
            assert str(row(asked).claimed_by_id) in {cast.ana.id, cast.ben.id}


def test_assigning_is_for_admins_or_oneself(cast: Cast, asked: UUID) -> None:
    ana, ben = UUID(cast.ana.id), UUID(cast.ben.id)
    with pytest.raises(Forbidden):
        assign(actor=cast.ana, proposal_id=asked, person_id=ben, now=now())
    assign(actor=cast.ana, proposal_id=asked, person_id=ana, now=now())
    with pytest.raises(Forbidden):
        assign(actor=cast.ben, proposal_id=asked, person_id=ben, now=now())
    assign(actor=cast.ada, proposal_id=asked, person_id=ben, now=now())
    assert row(asked).assignee_id == ben
    assign(actor=cast.ben, proposal_id=asked, person_id=None, now=now())
    assert row(asked).assignee_id is None
    assert cast.said(f"proposal:{asked}").count("proposal.assigned") == 3


def test_assigning_twice_is_once(cast: Cast, asked: UUID) -> None:
    for _ in range(2):
        assign(actor=cast.ana, proposal_id=asked, person_id=UUID(cast.ana.id), now=now())
    assert cast.said(f"proposal:{asked}").count("proposal.assigned") == 1


@pytest.mark.parametrize("who", ["cleo", "eve", "zoe"])
def test_assigning_refuses_somebody_who_may_not_decide(cast: Cast, asked: UUID, who: str) -> None:
    person = UUID(getattr(cast, who).id)
    with pytest.raises(NotAssignable):
        assign(actor=cast.ada, proposal_id=asked, person_id=person, now=now())


def test_assigning_refuses_who_took_part_in_making_it(cast: Cast) -> None:
    both = cast.enlist("Bob", "reviewer", "engineer")
    scout = agent("scout", cast.workspace.id, behind=both.ref)
    cast.scout = scout
    asked = cast.ask()
    with pytest.raises(NotAssignable, match="took part"):
        assign(actor=cast.ada, proposal_id=asked, person_id=UUID(both.id), now=now())


def test_an_assignment_keeps_nobody_from_deciding(cast: Cast, asked: UUID) -> None:
    assign(actor=cast.ada, proposal_id=asked, person_id=UUID(cast.ana.id), now=now())
    assert cast.decide(cast.ben, asked) == "approved"


def test_assigning_refuses_what_is_settled(cast: Cast, asked: UUID) -> None:
    cast.decide(cast.ben, asked)
    with pytest.raises(AlreadySettled):
        assign(actor=cast.ada, proposal_id=asked, person_id=UUID(cast.ana.id), now=now())


def test_snoozing_lasts_until_the_deadline_at_most(cast: Cast, asked: UUID) -> None:
    at, due = now(), row(asked).due_at
    for until in (at, at - timedelta(minutes=1), due + timedelta(seconds=1)):
        with pytest.raises(SnoozeInvalid):
            snooze(actor=cast.ana, proposal_id=asked, until=until, now=at)
    snooze(actor=cast.ana, proposal_id=asked, until=at + timedelta(minutes=5), now=at)
    snooze(actor=cast.ana, proposal_id=asked, until=due, now=at)
    assert [(str(each.person_id), each.until) for each in Snooze.objects.all()] == [
        (cast.ana.id, due)
    ]
    snooze(actor=cast.ana, proposal_id=asked, until=None, now=at)
    assert not Snooze.objects.exists()
    assert not [verb for verb in cast.said() if "snooze" in verb]


def test_a_new_revision_brings_a_snoozed_proposal_back(cast: Cast, asked: UUID) -> None:
    later = now() + timedelta(minutes=5)
    snooze(actor=cast.ana, proposal_id=asked, until=later, now=now())
    cast.move_world(Change("replace", "/balance", 1000, 900))
    rebase(actor=cast.setup, proposal_id=asked, now=now())
    assert not Snooze.objects.exists()


def test_snoozing_is_for_people(cast: Cast, asked: UUID) -> None:
    later = now() + timedelta(minutes=5)
    with pytest.raises(Forbidden):
        snooze(actor=cast.scout, proposal_id=asked, until=later, now=now())


def test_commenting_keeps_what_was_said_and_on_which_revision(cast: Cast, asked: UUID) -> None:
    first = comment(actor=cast.cleo, proposal_id=asked, text=" Who checked the IBAN? ", now=now())
    comment(actor=cast.scout, proposal_id=asked, text="I did.", now=now())
    cast.decide(cast.ana, asked)
    comment(actor=cast.ana, proposal_id=asked, text="Paid.", now=now())
    said = [
        (each.actor["name"], each.text, each.revision) for each in Comment.objects.order_by("at")
    ]
    assert said == [
        ("Cleo", "Who checked the IBAN?", 1),
        ("scout", "I did.", 1),
        ("Ana", "Paid.", 1),
    ]
    assert Comment.objects.get(id=first).workspace_id == cast.workspace.id
    assert cast.said(f"proposal:{asked}").count("proposal.commented") == 3


@pytest.mark.parametrize("text", ["", " \n", "a" * 4_001, "a\0b"])
def test_commenting_refuses_what_cannot_be_kept(cast: Cast, asked: UUID, text: str) -> None:
    with pytest.raises(CommentInvalid):
        comment(actor=cast.ana, proposal_id=asked, text=text, now=now())


def test_an_agent_of_another_kind_does_not_comment(cast: Cast, asked: UUID) -> None:
    stranger = agent("other", cast.workspace.id, behind=cast.eve.ref)
    with pytest.raises(Forbidden):
        comment(actor=stranger, proposal_id=asked, text="Let me help.", now=now())


def test_looking_tells_which_revision_was_seen_last(cast: Cast, asked: UUID) -> None:
    def look(revision: int) -> int:
        return note(actor=cast.ana, proposal_id=asked, revision=revision, now=now())

    assert [look(1), look(1), look(3), look(2), look(3)] == [0, 1, 1, 3, 3]
    assert note(actor=cast.ben, proposal_id=asked, revision=3, now=now()) == 0
    assert note(actor=cast.scout, proposal_id=asked, revision=3, now=now()) == 0
    assert Viewing.objects.count() == 2


Verb = Callable[[Actor, UUID], object]
VERBS: dict[str, Verb] = {
    "claim": lambda who, asked: claim(actor=who, proposal_id=asked, now=now()),
    "release": lambda who, asked: release(actor=who, proposal_id=asked, now=now()),
    "assign": lambda who, asked: assign(actor=who, proposal_id=asked, person_id=None, now=now()),
    "snooze": lambda who, asked: snooze(actor=who, proposal_id=asked, until=None, now=now()),
    "comment": lambda who, asked: comment(actor=who, proposal_id=asked, text="Hi", now=now()),
    "note": lambda who, asked: note(actor=who, proposal_id=asked, revision=1, now=now()),
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_the_other_workspace_finds_nothing(cast: Cast, asked: UUID, verb: Verb) -> None:
    for who, proposal_id in ((cast.zoe, asked), (cast.ana, uuid4())):
        with pytest.raises(NotFound):
            verb(who, proposal_id)
    assert not Comment.objects.exists()


def test_withdrawing_ends_a_claim(cast: Cast, asked: UUID) -> None:
    claim(actor=cast.ana, proposal_id=asked, now=now())
    withdraw(actor=cast.scout, proposal_id=asked, reason="never mind", now=now())
    assert row(asked).claimed_by_id is None
