"""Editing: a reviewer changes the parameters, and so is no longer the one who approves."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from approvals.models import Proposal, Revision
from approvals.operations.asking import ask
from approvals.operations.deciding import (
    AlreadySettled,
    NotEligible,
    NotPending,
    RevisionChanged,
    Seen,
)
from approvals.operations.editing import EditInvalid, EditsNotAllowed, edit
from approvals.operations.verifying import WorldChanged
from console.actors import Actor
from console.errors import NotFound
from snapshots.diff import Change
from tests.racing import race
from tests.story import NORTHWIND, Cast, now

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


@pytest.fixture
def asked(cast: Cast) -> UUID:
    """A payment of 70 that one reviewer may approve."""
    return cast.ask(70)


def paying(amount: int) -> dict[str, Any]:
    return {"vendor": NORTHWIND, "amount": amount}


def seen(cast: Cast, proposal_id: UUID) -> Seen:
    shown = cast.look(proposal_id).revision
    return Seen(shown.number, shown.digest)


def change(cast: Cast, who: Actor, proposal_id: UUID, amount: int = 60, **more: Any) -> int:
    """Let somebody change the amount of what is shown now."""
    values: dict[str, Any] = {
        "seen": seen(cast, proposal_id),
        "params": paying(amount),
        "reason": "The invoice says 60.",
        "now": now(),
    }
    return edit(actor=who, proposal_id=proposal_id, **{**values, **more})


def row(proposal_id: UUID) -> Proposal:
    return Proposal.objects.get(id=proposal_id)


def test_an_edit_is_a_new_revision_by_the_editor(cast: Cast, asked: UUID) -> None:
    assert change(cast, cast.ana, asked) == 2
    found = cast.look(asked).revision
    assert found.params == paying(60)
    assert found.author["name"] == "Ana"
    assert found.why == "Edited by Ana: The invoice says 60."
    assert set(found.lineage) == {cast.ana.ref, cast.eve.ref, cast.scout.ref}
    assert cast.look(asked).proposal.title == "Pay 60 to Northwind"
    assert cast.said(f"proposal:{asked}")[-1] == "proposal.edited"


def test_an_edit_needs_another_approver(cast: Cast, asked: UUID) -> None:
    change(cast, cast.ana, asked)
    with pytest.raises(NotEligible, match="took part"):
        cast.decide(cast.ana, asked)
    assert cast.decide(cast.ben, asked) == "approved"
    assert cast.content()["balance"] == 940


def test_an_editor_stays_in_the_lineage_of_every_later_wording(cast: Cast, asked: UUID) -> None:
    change(cast, cast.ana, asked)
    change(cast, cast.ben, asked, 50)
    for who in (cast.ana, cast.ben):
        with pytest.raises(NotEligible):
            cast.decide(who, asked)
    first, *later = Revision.objects.filter(proposal=asked).order_by("number")
    assert cast.ana.ref not in first.lineage
    assert all(cast.ana.ref in wording.lineage for wording in later)
    assert cast.decide(cast.ada, asked) == "approved"


def test_an_edit_voids_what_was_approved_before(cast: Cast) -> None:
    cast.policy(approvals=2)
    asked = cast.ask(70)
    cast.decide(cast.ben, asked)
    change(cast, cast.ana, asked)
    assert cast.decide(cast.ada, asked) == "pending"
    assert cast.decide(cast.ben, asked) == "approved"


def test_a_policy_can_forbid_edits(cast: Cast) -> None:
    cast.policy(edits=False)
    asked = cast.ask(70)
    with pytest.raises(EditsNotAllowed):
        change(cast, cast.ana, asked)
    assert row(asked).revision == 1


@pytest.mark.parametrize(
    "params",
    [
        {"vendor": NORTHWIND},
        {"vendor": NORTHWIND, "amount": 0},
        {"vendor": NORTHWIND, "amount": "60"},
        {"vendor": NORTHWIND, "amount": 60, "iban": "x"},
        {"vendor": "V8", "amount": 60},
        {"vendor": NORTHWIND, "amount": 1001},
        {"vendor": NORTHWIND, "amount": 60, "memo": "a\ud800"},
    ],
)
def test_editing_refuses_what_does_not_fit(cast: Cast, asked: UUID, params: Any) -> None:
    with pytest.raises(EditInvalid) as refused:
        change(cast, cast.ana, asked, params=params)
    assert refused.value.code == "edit_invalid"
    assert row(asked).revision == 1


def test_editing_refuses_when_nothing_changes(cast: Cast, asked: UUID) -> None:
    with pytest.raises(EditInvalid, match="Nothing was changed"):
        change(cast, cast.ana, asked, 70)


@pytest.mark.parametrize("reason", ["", " . ", "a" * 501, "a\0b"])
def test_editing_asks_for_a_reason(cast: Cast, asked: UUID, reason: str) -> None:
    with pytest.raises(EditInvalid):
        change(cast, cast.ana, asked, reason=reason)


def test_editing_refuses_an_action_that_names_its_changes_itself(cast: Cast) -> None:
    asked = cast.state_change(Change("replace", "/balance", 1000, 990))
    with pytest.raises(EditInvalid, match="names its changes"):
        change(cast, cast.ana, asked, params={"note": "x"})


def test_editing_is_on_what_was_on_the_screen(cast: Cast, asked: UUID) -> None:
    before = seen(cast, asked)
    change(cast, cast.ana, asked)
    with pytest.raises(RevisionChanged):
        change(cast, cast.ben, asked, 50, seen=before)
    with pytest.raises(RevisionChanged):
        change(cast, cast.ben, asked, 50, seen=Seen(2, before.digest))


def test_editing_refuses_a_world_that_moved(cast: Cast, asked: UUID) -> None:
    cast.move_world(Change("replace", "/balance", 1000, 900))
    with pytest.raises(WorldChanged):
        change(cast, cast.ana, asked)


@pytest.mark.parametrize("who", ["cleo", "eve", "scout"])
def test_editing_is_for_those_who_may_decide(cast: Cast, asked: UUID, who: str) -> None:
    with pytest.raises(NotEligible):
        change(cast, getattr(cast, who), asked)
    assert row(asked).revision == 1


def test_editing_refuses_what_is_asked_about_or_settled(cast: Cast, asked: UUID) -> None:
    with pytest.raises(AlreadySettled):
        change(cast, cast.ana, asked, now=row(asked).due_at)
    ask(actor=cast.ben, proposal_id=asked, question="Why 70?", now=now())
    with pytest.raises(NotPending):
        change(cast, cast.ana, asked)
    other = cast.ask(80)
    cast.decide(cast.ana, other, "reject")
    with pytest.raises(AlreadySettled):
        change(cast, cast.ben, other)


def test_the_other_workspace_finds_nothing(cast: Cast, asked: UUID) -> None:
    for who, proposal_id in ((cast.zoe, asked), (cast.ana, uuid4())):
        with pytest.raises(NotFound):
            change(cast, who, proposal_id, seen=seen(cast, asked))


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_two_edits_at_once_are_one_edit_and_one_look_again(cast: Cast) -> None:
    with race() as both:
        for amount in range(20, 30):
            asked = cast.ask(70)
            shown = seen(cast, asked)
            answers = both.run(
                *[editor(cast, who, asked, amount, shown) for who in (cast.ana, cast.ben)]
            )
            assert sorted(answers, key=str) == [2, "revision_changed"]
            assert row(asked).revision == 2


def editor(cast: Cast, who: Actor, asked: UUID, amount: int, shown: Seen) -> Callable[[], int]:
    return lambda: change(cast, who, asked, amount, seen=shown)
