"""At level 3 a decision takes a fact from the diff, a proof of who it is, and its meaning."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from approvals import packing
from approvals.models import Decision, Execution, Signature
from approvals.operations.deciding import AlreadyDecided, Incomplete
from approvals.operations.delegating import delegate
from approvals.operations.expiring import expire_due
from approvals.operations.reevaluating import reevaluate_all
from approvals.operations.signing import MeaningUnknown
from approvals.policy import Choice
from approvals.queries.facts import fact_of
from console.access.models import StepUp
from console.access.operations.stepping_up import StepUpRequired
from console.actors import Actor
from console.ledger import queries as ledger
from tests.story import Cast, now

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    cast = Cast.build()
    cast.policy(level=3, approvals=2)
    return cast


def proof(
    cast: Cast,
    who: Actor,
    proposal_id: UUID,
    choice: Choice = "approve",
    *,
    age: timedelta = timedelta(0),
) -> UUID:
    digest = cast.look(proposal_id).revision.digest
    purpose = packing.purpose(proposal_id, digest, choice)
    row = StepUp.objects.create(
        person_id=UUID(who.id),
        purpose=purpose,
        method="password_totp",
        verified_at=now() - age,
    )
    return row.id


def fact(cast: Cast, who: Actor, proposal_id: UUID) -> str:
    seen = cast.look(proposal_id)
    asked = fact_of(seen.proposal, seen.revision, who)
    assert asked is not None
    return asked.expected


def approve(cast: Cast, who: Actor, proposal_id: UUID, **more: Any) -> str:
    values: dict[str, Any] = {
        "fact": fact(cast, who, proposal_id),
        "meaning": "reviewed",
        "step_up": proof(cast, who, proposal_id),
        **more,
    }
    return cast.decide(who, proposal_id, "approve", **values)


def test_is_signed_by_two_and_carried_out(cast: Cast) -> None:
    proposal_id = cast.ask()
    assert approve(cast, cast.ana, proposal_id) == "pending"
    assert approve(cast, cast.ben, proposal_id) == "approved"
    assert Signature.objects.count() == 2
    assert Execution.objects.get().status == "succeeded"
    signed = Signature.objects.get(person=UUID(cast.ana.id))
    lines = ledger.entries(cast.workspace.id).filter(verb="proposal.decided").order_by("seq")
    assert lines[0].body["signature"] == signed.digest


def test_the_ledger_tells_what_was_said_once_it_is_settled(cast: Cast) -> None:
    proposal_id = cast.ask()
    approve(cast, cast.ana, proposal_id, reason="Zanzibar called")
    lines = ledger.entries(cast.workspace.id).filter(subject=f"proposal:{proposal_id}")
    [first] = lines.filter(verb="proposal.decided")
    assert sorted(first.body) == ["digest", "revision", "signature", "stands_for"]
    assert "Zanzibar" not in str([line.body for line in lines])
    approve(cast, cast.ben, proposal_id)
    votes = lines.get(verb="proposal.approved").body["votes"]
    assert [(each["person"], each["choice"], each["reason"]) for each in votes] == [
        (cast.ana.ref, "approve", "Zanzibar called"),
        (cast.ben.ref, "approve", "because"),
    ]
    assert cast.ledger_objection() is None


def test_the_ledger_tells_of_what_was_never_agreed_as_well(cast: Cast) -> None:
    proposal_id, at = cast.ask(), now()
    approve(cast, cast.ana, proposal_id)
    cast.policy(level=2)
    assert reevaluate_all(actor=cast.setup, now=at) == 1
    assert expire_due(now=at + timedelta(days=30)) == 1
    lines = ledger.entries(cast.workspace.id).filter(subject=f"proposal:{proposal_id}")
    [vote] = lines.get(verb="proposal.expired").body["votes"]
    assert (vote["person"], vote["choice"]) == (cast.ana.ref, "approve")


def test_whose_vote_is_taken_learns_not_which_way(cast: Cast) -> None:
    delegate(
        actor=cast.ana,
        person_id=UUID(cast.ana.id),
        delegate_id=UUID(cast.ben.id),
        begins_at=now() - timedelta(hours=1),
        ends_at=now() + timedelta(hours=1),
        reason="",
        now=now(),
    )
    proposal_id = cast.ask()
    approve(cast, cast.ana, proposal_id)
    with pytest.raises(AlreadyDecided) as refused:
        approve(cast, cast.ben, proposal_id, stands_for=UUID(cast.ana.id))
    assert "approve" not in str(refused.value.details)
    assert approve(cast, cast.ben, proposal_id) == "approved"


def test_refuses_a_signature_without_a_proof(cast: Cast) -> None:
    proposal_id = cast.ask()
    with pytest.raises(StepUpRequired) as refused:
        approve(cast, cast.ana, proposal_id, step_up=None)
    assert (refused.value.status, refused.value.code) == (403, "step_up_required")
    assert not Decision.objects.exists()


def test_refuses_the_proof_of_another_person(cast: Cast) -> None:
    proposal_id = cast.ask()
    with pytest.raises(StepUpRequired):
        approve(cast, cast.ana, proposal_id, step_up=proof(cast, cast.ben, proposal_id))
    with pytest.raises(StepUpRequired):
        approve(cast, cast.ana, proposal_id, step_up=uuid4())


def test_refuses_a_proof_that_is_old_or_was_for_something_else(cast: Cast) -> None:
    proposal_id, other = cast.ask(), cast.ask(amount=71)
    old = proof(cast, cast.ana, proposal_id, age=timedelta(minutes=6))
    for wrong in (old, proof(cast, cast.ana, other), proof(cast, cast.ana, proposal_id, "reject")):
        with pytest.raises(StepUpRequired):
            approve(cast, cast.ana, proposal_id, step_up=wrong)


def test_a_proof_is_used_once(cast: Cast) -> None:
    proposal_id = cast.ask()
    used = proof(cast, cast.ana, proposal_id)
    approve(cast, cast.ana, proposal_id, step_up=used)
    assert StepUp.objects.get(id=used).used_at is not None


def test_refuses_an_unknown_meaning(cast: Cast) -> None:
    with pytest.raises(MeaningUnknown):
        approve(cast, cast.ana, cast.ask(), meaning="whatever")


@pytest.mark.parametrize("typed", ["", " ", "1", "not it"])
def test_refuses_a_fact_that_does_not_stand_in_the_diff(cast: Cast, typed: str) -> None:
    proposal_id = cast.ask()
    with pytest.raises(Incomplete, match="not what stands in the diff") as refused:
        approve(cast, cast.ana, proposal_id, fact=typed)
    assert refused.value.details["field"] == "fact"
    assert not Decision.objects.exists()


def test_a_no_is_signed_and_takes_no_fact(cast: Cast) -> None:
    proposal_id = cast.ask()
    with pytest.raises(StepUpRequired):
        cast.decide(cast.ben, proposal_id, "reject")
    step_up = proof(cast, cast.ben, proposal_id, "reject")
    more: dict[str, Any] = {"meaning": "reviewed", "step_up": step_up}
    assert cast.decide(cast.ben, proposal_id, "reject", **more) == "rejected"
    assert Signature.objects.get().meaning == "I reviewed this change and reject it"


def test_a_wish_for_changes_is_not_signed(cast: Cast) -> None:
    proposal_id = cast.ask()
    assert cast.decide(cast.ben, proposal_id, "request_changes") == "changes_requested"
    assert not Signature.objects.exists()


def test_below_that_level_nothing_is_signed(cast: Cast) -> None:
    cast.policy(level=2)
    assert cast.decide(cast.ana, cast.ask(), ticked=["x"]) == "approved"
    assert not Signature.objects.exists()
