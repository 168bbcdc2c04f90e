"""Rebasing brings an open proposal up to the State as it stands now, and says so."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from approvals import queries
from approvals.models import Decision
from approvals.operations.deciding import AlreadySettled
from approvals.operations.framing import ELIGIBILITY
from approvals.operations.rebasing import rebase, rebase_all
from approvals.tasks import rebase as rebase_task
from console.doorbell.models import Ring
from console.errors import NotFound
from snapshots.diff import Change
from tests.story import QUICKFIX, TRUSTED, Cast, now

pytestmark = pytest.mark.django_db
LESS = Change("replace", "/balance", 1000, 900)
MEMO = Change("add", "/memo", value="x")


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


def bring_up(cast: Cast, proposal_id: UUID) -> int:
    return rebase(actor=cast.ana, proposal_id=proposal_id, now=now())


def test_shows_the_effect_on_the_new_snapshot(cast: Cast) -> None:
    proposal_id = cast.ask(amount=70)
    cast.move_world(LESS)
    assert bring_up(cast, proposal_id) == 2
    seen = cast.look(proposal_id)
    assert seen.changes[0] == Change("replace", "/balance", 900, 830)
    assert seen.revision.why == "The record moved."
    assert (seen.proposal.base_number, seen.revision.base_number) == (2, 2)
    assert cast.decide(cast.ben, proposal_id) == "approved"
    assert cast.content()["balance"] == 830


def test_says_when_only_the_rest_of_the_record_moved(cast: Cast) -> None:
    proposal_id = cast.ask()
    first = cast.look(proposal_id)
    cast.move_world(MEMO)
    bring_up(cast, proposal_id)
    second = cast.look(proposal_id)
    assert second.revision.why == "The record moved elsewhere; this effect is unchanged."
    assert second.changes == first.changes
    assert second.revision.digest != first.revision.digest


def test_leaves_a_proposal_alone_that_is_up_to_date_or_settled(cast: Cast) -> None:
    current, settled = cast.ask(amount=1), cast.ask(amount=2)
    assert bring_up(cast, current) == 1
    cast.decide(cast.ben, settled, "reject")
    cast.move_world(MEMO)
    before = cast.said()
    assert bring_up(cast, settled) == 1
    assert cast.said() == before
    assert cast.answer(settled).status == "rejected"


def test_leaves_earlier_approvals_with_what_they_were_given_to(cast: Cast) -> None:
    cast.policy(approvals=2)
    proposal_id = cast.ask()
    cast.decide(cast.ana, proposal_id)
    cast.move_world(MEMO)
    bring_up(cast, proposal_id)
    assert cast.decide(cast.ben, proposal_id) == "pending"
    assert cast.decide(cast.ana, proposal_id) == "approved"
    assert Decision.objects.count() == 3


def test_asks_the_checks_again_and_keeps_what_is_about_people(cast: Cast) -> None:
    cast.policy(approvals=9, level=2)
    proposal_id = cast.ask(1, QUICKFIX)
    assert cast.look(proposal_id).proposal.risk == 2
    cast.move_world(Change("replace", "/vendors/V9/trusted", False, True))
    bring_up(cast, proposal_id)
    seen = cast.look(proposal_id)
    assert [(c["name"], c["passed"]) for c in seen.revision.checks] == [
        (TRUSTED, True),
        (ELIGIBILITY, False),
    ]
    assert (seen.proposal.risk, seen.proposal.rank // 10**12) == (1, 8)


def test_does_not_move_the_deadline(cast: Cast) -> None:
    at = now() - timedelta(seconds=3_000)
    proposal_id = cast.ask(at=at)
    cast.move_world(MEMO)
    bring_up(cast, proposal_id)
    assert cast.look(proposal_id).proposal.due_at == at + timedelta(hours=1)


@pytest.mark.parametrize(
    ("moved", "why"),
    [
        (Change("replace", "/balance", 1000, 69), "does not cover"),
        (Change("remove", "/vendors/V7", {"name": "Northwind", "trusted": True}), "no vendor V7"),
    ],
    ids=["balance", "vendor"],
)
def test_makes_stale_what_is_no_longer_possible_and_tells_the_proposer(
    cast: Cast, moved: Change, why: str
) -> None:
    proposal_id = cast.ask(amount=70, wake_task="agents.wake", origin="run:9")
    cast.move_world(moved)
    Ring.objects.all().delete()
    bring_up(cast, proposal_id)
    answer = cast.answer(proposal_id)
    assert (answer.status, answer.is_final) == ("stale", True)
    assert why in answer.reason
    assert list(Ring.objects.values_list("task", "key")) == [("agents.wake", "9")]
    assert cast.said(f"proposal:{proposal_id}") == ["proposal.made", "proposal.stale"]
    with pytest.raises(AlreadySettled):
        cast.decide(cast.ana, proposal_id)


def test_makes_stale_what_stated_something_else(cast: Cast) -> None:
    touched = cast.state_change(Change("replace", "/balance", 1000, 950))
    untouched = cast.state_change(Change("add", "/payments/0", value=1))
    cast.move_world(LESS)
    for proposal_id in (touched, untouched):
        bring_up(cast, proposal_id)
    assert [cast.answer(each).status for each in (touched, untouched)] == ["stale", "pending"]
    assert "the record says 900" in cast.answer(touched).reason


def test_brings_up_everything_that_an_execution_overtook(cast: Cast) -> None:
    first, second, third = cast.ask(amount=500), cast.ask(amount=400), cast.ask(amount=501)
    cast.decide(cast.ana, first)
    assert queries.outdated_states() == [(cast.workspace.id, cast.book.state_id)]
    assert rebase_task(str(cast.book.state_id)) == 2
    assert [cast.answer(each).status for each in (second, third)] == ["pending", "stale"]
    assert queries.outdated_states() == []
    assert cast.decide(cast.ana, second) == "approved"
    assert cast.content()["balance"] == 100
    assert cast.ledger_objection() is None


def test_twice_is_once(cast: Cast) -> None:
    proposal_id = cast.ask()
    cast.move_world(MEMO)
    for _ in range(2):
        assert rebase_all(actor=cast.setup, state_id=cast.book.state_id, now=now()) == 1
    assert cast.look(proposal_id).revision.number == 2
    assert cast.said(f"proposal:{proposal_id}") == ["proposal.made", "proposal.rebased"]


def test_is_not_confused_by_a_bell_for_nothing(cast: Cast) -> None:
    assert rebase_task(str(uuid4())) == 0


def test_finds_nothing_from_another_workspace(cast: Cast) -> None:
    proposal_id = cast.ask()
    cast.move_world(MEMO)
    with pytest.raises(NotFound):
        rebase(actor=cast.zoe, proposal_id=proposal_id, now=now())
    assert rebase_all(actor=cast.zoe, state_id=cast.book.state_id, now=now()) == 0
    assert cast.look(proposal_id).revision.number == 1
