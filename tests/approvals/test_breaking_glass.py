"""Breaking the glass: one admin, at once, loudly, and with two reviews owed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from approvals import packing
from approvals.amending import Amendment
from approvals.models import BreakGlass, Decision, Execution, Proposal, Review
from approvals.operations.asking import ask
from approvals.operations.breaking_glass import GlassInvalid, NotInAnEmergency, break_glass
from approvals.operations.deciding import (
    AlreadySettled,
    NotEligible,
    NotPending,
    RevisionChanged,
    Seen,
    Unshowable,
)
from approvals.operations.policing import propose_change
from approvals.operations.verifying import WorldChanged
from approvals.rulebook import Rule
from console.access.models import StepUp
from console.access.operations.stepping_up import StepUpRequired
from console.actors import Actor, agent
from console.errors import Forbidden, NotFound
from console.locking import Busy
from console.notices.models import Notice
from snapshots.diff import Change
from tests.racing import race
from tests.story import QUICKFIX, Cast, now
from tests.terms import asking

pytestmark = pytest.mark.django_db(transaction=True)
WHY = "The payroll run starts in ten minutes."
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


@pytest.fixture
def asked(cast: Cast) -> UUID:
    """A payment that two have to approve, and that is held for ten minutes then."""
    cast.policy(level=2, approvals=2, hold_seconds=600)
    return cast.ask(70)


def row(proposal_id: UUID) -> Proposal:
    return Proposal.objects.get(id=proposal_id)


def prove(who: Actor, proposal_id: UUID, digest: str, **more: Any) -> UUID:
    """Let somebody have proved who they are, for breaking the glass for this wording."""
    purpose = packing.purpose(proposal_id, digest, "break_glass")
    values = {"purpose": purpose, "method": "password_totp", "verified_at": now(), **more}
    return StepUp.objects.create(person_id=UUID(who.id), **values).id


def smash(cast: Cast, who: Actor, proposal_id: UUID, **more: Any) -> UUID:
    """Let somebody break the glass for what they see."""
    shown = cast.look(proposal_id).revision
    values: dict[str, Any] = {
        "seen": Seen(shown.number, shown.digest),
        "reason": WHY,
        "now": now(),
        **more,
    }
    if "step_up" not in values and who.kind == "person":
        values["step_up"] = prove(who, proposal_id, shown.digest)
    return break_glass(actor=who, proposal_id=proposal_id, **{"step_up": None, **values})


def test_it_is_carried_out_at_once_on_one_word(cast: Cast, asked: UUID) -> None:
    execution = Execution.objects.get(id=smash(cast, cast.ada, asked))
    assert (execution.status, execution.snapshot_number) == ("succeeded", 2)
    assert cast.content()["balance"] == 930
    glass = BreakGlass.objects.get()
    assert execution.break_glass == glass
    assert (str(glass.person_id), glass.reason) == (cast.ada.id, WHY)
    found = row(asked)
    assert (found.status, found.settled_by, found.settled_reason) == ("approved", "Ada", WHY)
    assert not Decision.objects.exists()
    assert cast.said(f"proposal:{asked}") == [
        "proposal.made",
        "glass.broken",
        "proposal.approved",
        "execution.succeeded",
    ]
    assert cast.answer(asked).is_final
    assert cast.ledger_objection() is None


def test_two_reviews_are_owed_within_a_day(cast: Cast, asked: UUID) -> None:
    at = now()
    smash(cast, cast.ada, asked, now=at)
    owed = list(Review.objects.order_by("number"))
    assert [(each.number, each.cause, each.due_at - at) for each in owed] == [
        (number, "break_glass", timedelta(hours=24)) for number in (1, 2)
    ]


def test_the_others_are_told(cast: Cast, asked: UUID) -> None:
    smash(cast, cast.ada, asked)
    told = set(Notice.objects.values_list("event__name", "person__name"))
    assert {pair for pair in told if pair[0] in {"glass.broken", "review.owed"}} == {
        *[(event, name) for event in ("glass.broken", "review.owed") for name in ("Ana", "Ben")],
        # Cleo is an auditor: she is told, and owes no look.
        ("glass.broken", "Cleo"),
    }


def test_every_page_says_so_until_both_reviews_are_done(cast: Cast, asked: UUID) -> None:
    from approvals.operations.reviewing import review  # noqa: PLC0415  (the other story)

    def banner() -> bool:
        browser = Client()
        browser.force_login(cast.user(cast.cleo), backend=BACKEND)
        return b"The glass was broken" in browser.get("/w/acme/ledger/").content

    assert not banner()
    smash(cast, cast.ada, asked)
    first, second = Review.objects.order_by("number")
    for who, owed in ((cast.ana, first), (cast.ben, second)):
        assert banner()
        review(actor=who, review_id=owed.id, verdict="right", text="Checked.", now=now())
    assert not banner()


@pytest.mark.parametrize("who", ["ana", "cleo", "eve", "scout"])
def test_only_an_admin_breaks_it(cast: Cast, asked: UUID, who: str) -> None:
    with pytest.raises(Forbidden):
        smash(cast, getattr(cast, who), asked)
    assert row(asked).status == "pending"


def test_nobody_breaks_it_for_what_they_had_a_part_in(cast: Cast) -> None:
    cast.scout = agent("scout", cast.workspace.id, behind=cast.ada.ref)
    asked = cast.ask(70)
    with pytest.raises(NotEligible, match="took part"):
        smash(cast, cast.ada, asked)
    assert not BreakGlass.objects.exists()


def test_it_takes_a_fresh_proof_for_exactly_this(cast: Cast, asked: UUID) -> None:
    digest = cast.look(asked).revision.digest
    other = cast.ask(80)
    proofs = [
        None,
        uuid4(),
        prove(cast.ada, asked, digest, verified_at=now() - timedelta(minutes=6)),
        prove(cast.ada, asked, digest, used_at=now()),
        prove(cast.ana, asked, digest),
        prove(cast.ada, other, digest),
        prove(cast.ada, asked, "0" * 64),
        prove(cast.ada, asked, digest, purpose=packing.purpose(asked, digest, "approve")),
    ]
    for proof in proofs:
        with pytest.raises(StepUpRequired):
            smash(cast, cast.ada, asked, step_up=proof)
    assert row(asked).status == "pending"
    assert not BreakGlass.objects.exists()


def test_a_proof_breaks_one_glass(cast: Cast, asked: UUID) -> None:
    proof = prove(cast.ada, asked, cast.look(asked).revision.digest)
    smash(cast, cast.ada, asked, step_up=proof)
    assert StepUp.objects.get(id=proof).used_at is not None
    with pytest.raises(AlreadySettled):
        smash(cast, cast.ada, asked, step_up=proof)
    assert Execution.objects.count() == 1


def test_a_refused_attempt_leaves_the_proof_unused(cast: Cast, asked: UUID) -> None:
    shown = cast.look(asked).revision
    proof = prove(cast.ada, asked, shown.digest)
    cast.move_world(Change("replace", "/balance", 1000, 900))
    with pytest.raises(WorldChanged):
        smash(cast, cast.ada, asked, step_up=proof)
    assert StepUp.objects.get(id=proof).used_at is None


@pytest.mark.parametrize("reason", ["", " … ", "a" * 1_001, "a\0b"])
def test_it_asks_which_emergency_this_is(cast: Cast, asked: UUID, reason: str) -> None:
    with pytest.raises(GlassInvalid):
        smash(cast, cast.ada, asked, reason=reason)


def test_what_was_seen_is_what_is_carried_out(cast: Cast, asked: UUID) -> None:
    with pytest.raises(RevisionChanged):
        smash(cast, cast.ada, asked, seen=Seen(1, "0" * 64))


def test_it_waits_for_what_is_on_its_way_to_the_same_state(cast: Cast, asked: UUID) -> None:
    cast.policy(hold_seconds=600)
    first = cast.ask(5)
    cast.decide(cast.ana, first)
    with pytest.raises(Busy):
        smash(cast, cast.ada, asked)


def test_it_is_for_what_waits_for_people(cast: Cast, asked: UUID) -> None:
    with pytest.raises(AlreadySettled):
        smash(cast, cast.ada, asked, now=row(asked).due_at)
    ask(actor=cast.ana, proposal_id=asked, question="Why today?", now=now())
    with pytest.raises(NotPending):
        smash(cast, cast.ada, asked)


def test_not_for_policies(cast: Cast) -> None:
    rule = Rule("true", asking("Anything goes", level=1)).to_json()
    author = cast.enlist("Olga", "admin")
    change = Amendment("put", rule)
    asked = propose_change(actor=author, change=change, reason="Quicker.", now=now())
    with pytest.raises(NotInAnEmergency):
        smash(cast, cast.ada, asked)


def test_not_for_what_cannot_be_shown(cast: Cast) -> None:
    asked = cast.state_change(Change("add", "/note", value="pay \u202e000.1"))
    with pytest.raises(Unshowable):
        smash(cast, cast.ada, asked)


def test_the_other_workspace_finds_nothing(cast: Cast, asked: UUID) -> None:
    shown = Seen(1, cast.look(asked).revision.digest)
    zoe = replace(cast.zoe, roles=frozenset({"admin"}))
    for who, proposal_id in ((zoe, asked), (cast.ada, uuid4())):
        with pytest.raises(NotFound):
            break_glass(
                actor=who,
                proposal_id=proposal_id,
                seen=shown,
                reason=WHY,
                step_up=None,
                now=now(),
            )


@pytest.mark.race
def test_a_double_click_and_a_rejection_carry_out_once_or_not_at_all(cast: Cast) -> None:
    cast.policy(approvals=2)
    with race() as both:
        for number in range(10):
            asked = cast.ask(1, vendor=QUICKFIX, origin=f"run:{number}")
            answers = both.run(breaker(cast, asked), rejecter(cast, asked))
            done = Execution.objects.filter(proposal=asked).count()
            if answers[1] == "rejected":
                assert (answers[0], done) == ("already_settled", 0)
            else:
                assert (answers[1], done) == ("already_settled", 1)
            assert Review.objects.filter(execution__proposal=asked).count() == 2 * done


def breaker(cast: Cast, asked: UUID) -> Callable[[], UUID]:
    return lambda: smash(cast, cast.ada, asked)


def rejecter(cast: Cast, asked: UUID) -> Callable[[], str]:
    return lambda: cast.decide(cast.ana, asked, "reject", "not now")
