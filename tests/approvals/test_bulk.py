"""Deciding on several at once: each as if it were alone, and a result for each."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest

from approvals.models import Decision, Execution, Proposal
from approvals.operations.bulk import BulkInvalid, Item, Result, decide_many
from approvals.operations.deciding import Act, Seen, decide
from approvals.operations.proposing import propose
from approvals.operations.rebasing import rebase
from console.actors import Actor
from snapshots.diff import Change
from tests.racing import race
from tests.story import Cast, now

pytestmark = pytest.mark.django_db(transaction=True)
YES = Act("approve", reason="routine")


@pytest.fixture
def cast() -> Cast:
    return Cast.build()


@pytest.fixture
def drawers(cast: Cast) -> list[UUID]:
    """Four notes, each in a drawer of its own, of which one reviewer may approve each."""
    return [put(cast, f"drawer/{number}") for number in range(1, 5)]


def put(cast: Cast, key: str, *, is_new: bool = True) -> UUID:
    if is_new:
        cast.open_drawer(key)
    change = Change("add", "/note", value="seen") if is_new else Change("add", "/more", value=1)
    request = cast.request(state_key=key, action_type="adjust", params={}, stated=(change,))
    return propose(actor=cast.scout, request=request, now=now())


def items(cast: Cast, proposal_ids: Sequence[UUID]) -> list[Item]:
    shown = [cast.look(proposal_id).revision for proposal_id in proposal_ids]
    return [
        Item(proposal_id, Seen(row.number, row.digest))
        for proposal_id, row in zip(proposal_ids, shown, strict=True)
    ]


def go(cast: Cast, who: Actor, found: list[Item], act: Act = YES, **more: Any) -> list[Result]:
    values = {"dry_run": False, "now": now(), **more}
    return decide_many(actor=who, items=found, act=act, **values)


def said(results: list[Result]) -> list[str]:
    return [result.outcome or result.code for result in results]


def statuses(proposal_ids: list[UUID]) -> list[str]:
    found = dict(Proposal.objects.values_list("id", "status"))
    return [found[proposal_id] for proposal_id in proposal_ids]


def test_each_is_decided_and_carried_out(cast: Cast, drawers: list[UUID]) -> None:
    results = go(cast, cast.ana, items(cast, drawers))
    assert [(each.proposal_id, each.ok) for each in results] == [(one, True) for one in drawers]
    assert said(results) == ["approved"] * 4
    assert Execution.objects.filter(status="succeeded").count() == 4
    assert set(Decision.objects.values_list("reason", flat=True)) == {"routine"}
    assert cast.ledger_objection() is None


def test_one_that_is_refused_holds_up_nobody(cast: Cast, drawers: list[UUID]) -> None:
    found = items(cast, drawers)
    cast.decide(cast.ben, drawers[1], "reject")
    stale = cast.look(drawers[2]).proposal
    moved = Change("add", "/x", value=1)
    cast.book = type(cast.book)(**{**_as_dict(cast), "state_id": stale.state_id})
    cast.move_world(moved)
    rebase(actor=cast.setup, proposal_id=drawers[2], now=now())
    results = go(cast, cast.ana, found)
    assert said(results) == ["approved", "already_settled", "revision_changed", "approved"]
    assert results[1].sentence.startswith("This proposal is rejected (Ben)")
    assert statuses(drawers) == ["approved", "rejected", "pending", "approved"]


def _as_dict(cast: Cast) -> dict[str, Any]:
    return {name: getattr(cast.book, name) for name in cast.book.__slots__}


def test_a_dry_run_says_the_same_and_keeps_nothing(cast: Cast, drawers: list[UUID]) -> None:
    cast.decide(cast.ben, drawers[1], "reject")
    before = cast.said()
    tried = go(cast, cast.ana, items(cast, drawers), dry_run=True)
    assert said(tried) == ["approved", "already_settled", "approved", "approved"]
    assert statuses(drawers) == ["pending", "rejected", "pending", "pending"]
    assert not Execution.objects.exists()
    assert cast.said() == before
    assert said(go(cast, cast.ana, items(cast, drawers))) == said(tried)


def test_of_two_on_one_state_only_the_first_is_decided(cast: Cast) -> None:
    pair = [put(cast, "drawer/1"), put(cast, "drawer/1", is_new=False)]
    for is_dry in (True, False):
        results = go(cast, cast.ana, items(cast, pair), dry_run=is_dry)
        assert said(results) == ["approved", "not_independent"]
    assert statuses(pair) == ["approved", "pending"]


def test_the_same_one_twice_is_decided_once(cast: Cast, drawers: list[UUID]) -> None:
    twice = items(cast, [drawers[0], drawers[0]])
    assert said(go(cast, cast.ana, twice)) == ["approved", "not_independent"]
    assert Decision.objects.count() == 1


@pytest.mark.parametrize("level", [2, 3])
def test_what_asks_for_more_than_one_click_is_looked_at_alone(cast: Cast, level: int) -> None:
    easy = put(cast, "drawer/1")
    cast.policy(level=level)
    hard = put(cast, "drawer/2")
    results = go(cast, cast.ana, items(cast, [hard, easy]))
    # The policies changed, so the easy one is asked about anew, too.
    assert said(results)[0] == "not_for_bulk"
    assert statuses([hard]) == ["pending"]


def test_every_one_needs_a_reviewer_who_may(cast: Cast, drawers: list[UUID]) -> None:
    for who, code in (
        (cast.cleo, "not_eligible"),
        (cast.eve, "lineage"),
        (cast.scout, "not_eligible"),
    ):
        assert set(said(go(cast, who, items(cast, drawers)))) == {code}
    assert not Decision.objects.exists()


def test_a_rejection_needs_its_reason_for_each(cast: Cast, drawers: list[UUID]) -> None:
    assert set(said(go(cast, cast.ana, items(cast, drawers), Act("reject")))) == {
        "decision_incomplete"
    }
    assert statuses(drawers) == ["pending"] * 4


def test_a_double_click_answers_like_the_first(cast: Cast, drawers: list[UUID]) -> None:
    found = items(cast, drawers)
    assert said(go(cast, cast.ana, found)) == said(go(cast, cast.ana, found))
    assert Decision.objects.count() == 4


def test_what_is_not_there_is_said_for_that_one(cast: Cast, drawers: list[UUID]) -> None:
    nobodys = Item(uuid4(), Seen(1, "0" * 64))
    found = [nobodys, *items(cast, drawers[:1])]
    assert said(go(cast, cast.ana, found)) == ["not_found", "approved"]
    assert said(go(cast, cast.zoe, items(cast, drawers))) == ["not_found"] * 4


@pytest.mark.parametrize("number", [0, 26])
def test_at_least_one_and_at_most_25(cast: Cast, number: int) -> None:
    found = [Item(uuid4(), Seen(1, "0" * 64))] * number
    with pytest.raises(BulkInvalid):
        go(cast, cast.ana, found)


def test_what_fails_in_a_new_way_is_told_beside_the_others(
    cast: Cast, drawers: list[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(**asked: Any) -> str:
        if asked["proposal_id"] == drawers[1]:
            raise RuntimeError
        return decide(**asked)

    monkeypatch.setattr("approvals.operations.bulk.decide", fails)
    results = go(cast, cast.ana, items(cast, drawers[:3]))
    assert said(results) == ["approved", "unforeseen", "approved"]
    assert statuses(drawers[:3]) == ["approved", "pending", "approved"]


@pytest.mark.race
def test_two_people_at_once_decide_each_once(cast: Cast, drawers: list[UUID]) -> None:
    found = items(cast, drawers)
    with race() as both:
        answers = both.run(*[decider(cast, who, found) for who in (cast.ana, cast.ben)])
    assert Decision.objects.count() == 4
    assert Execution.objects.filter(status="succeeded").count() == 4
    each = zip(*map(said, answers), strict=True)
    assert {tuple(sorted(pair)) for pair in each} == {("already_settled", "approved")}


def decider(cast: Cast, who: Actor, found: list[Item]) -> Callable[[], list[Result]]:
    return lambda: go(cast, who, found)
