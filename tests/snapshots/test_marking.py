"""Marking: a name stands at one snapshot, a pin and a hold are there once, all is told."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from console.actors import Actor
from console.errors import Forbidden, Invalid, NotFound
from console.ledger import queries as ledger
from snapshots.models import Mark, Snapshot
from snapshots.operations import marking
from snapshots.operations.marking import NameTaken, NameUnusable
from snapshots.operations.reading import NoReason
from snapshots.queries import Gone, marks
from tests.house import House, now
from tests.racing import race


def put(house: House, who: str = "ana", **more: Any) -> dict[str, Any]:
    """Return what every act of marking needs."""
    given = {"actor": house.actor(who), "state_id": house.book.state_id, "now": now()}
    return {**given, "reason": "", **more}


def told(house: House) -> list[tuple[str, Any]]:
    """Return verb and body of what the ledger says of the State, after its creation."""
    rows = ledger.about(house.workspace.id, f"state:{house.book.state_id}")
    return [(row.verb, row.body) for row in rows if row.verb != "state.created"]


def test_a_name_stands_at_one_snapshot_and_moves_by_taking_it_off(house: House) -> None:
    house.move_the_world()
    first = marking.name(**put(house), number=1, called=" baseline ")
    with pytest.raises(NameTaken, match="Snapshot 1 is called 'baseline'"):
        marking.name(**put(house), number=2, called="baseline")
    marking.unmark(**put(house, "ben", reason="moved"), mark_id=first.id)
    second = marking.name(**put(house), number=2, called="baseline")
    found = marks.called(house.workspace.id, house.book.state_id, "baseline")
    assert found is not None
    assert (found.id, found.number) == (second.id, 2)
    verbs = [(verb, body.get("number"), body["reason"]) for verb, body in told(house)[1:]]
    assert verbs == [
        ("snapshot.named", 1, ""),
        ("snapshot.unnamed", 1, "moved"),
        ("snapshot.named", 2, ""),
    ]
    gone = Mark.objects.get(id=first.id)
    assert (gone.removed_by or {})["name"] == "Ben"


def test_the_same_again_is_once_and_is_told_once(house: House) -> None:
    acts: list[Callable[[], Mark]] = [
        lambda: marking.name(**put(house), number=1, called="x"),
        lambda: marking.pin(**put(house), number=1),
        lambda: marking.hold(**put(house, "ada", reason="case 7"), number=1),
        lambda: marking.hold(**put(house, "ada", reason="case 7"), number=None),
    ]
    for act in acts:
        assert act().id == act().id
    assert [verb for verb, _ in told(house)] == [
        "snapshot.named",
        "snapshot.pinned",
        "snapshot.held",
        "state.held",
    ]
    mark = marks.whole_hold(house.workspace.id, house.book.state_id)
    assert mark is not None
    for _ in range(2):
        marking.lift(**put(house, "ada", reason="closed"), mark_id=mark.id)
    assert [verb for verb, _ in told(house)][4:] == ["state.released"]


@pytest.mark.parametrize(
    "called", ["", " ", "7", "١٢", "a\nb", "a\x00b", "x" * 81, "\u202eabc"], ids=ascii
)
def test_a_name_can_be_read_and_is_no_number(house: House, called: str) -> None:
    with pytest.raises(NameUnusable):
        marking.name(**put(house), number=1, called=called)
    assert not Mark.objects.exists()


def test_a_hold_has_a_reason_when_it_comes_and_when_it_goes(house: House) -> None:
    with pytest.raises(NoReason):
        marking.hold(**put(house, reason="  "), number=None)
    mark = marking.hold(**put(house, reason="case 7"), number=None)
    with pytest.raises(NoReason):
        marking.lift(**put(house), mark_id=mark.id)
    with pytest.raises(Invalid, match="at most 500"):
        marking.lift(**put(house, reason="x" * 501), mark_id=mark.id)
    assert Mark.objects.get().removed_at is None


def test_nothing_is_marked_that_is_not_there(house: House, elsewhere: House) -> None:
    for number in (0, 2, -1, 10**30):
        with pytest.raises(NotFound):
            marking.pin(**put(house), number=number)
    with pytest.raises(NotFound):
        marking.pin(**{**put(house), "state_id": elsewhere.book.state_id}, number=1)
    mark = marking.pin(**put(house), number=1)
    for wrong in (uuid4(), UUID(int=0)):
        with pytest.raises(NotFound):
            marking.unmark(**put(house), mark_id=wrong)
    theirs = {**put(elsewhere, "zoe"), "state_id": elsewhere.book.state_id}
    with pytest.raises(NotFound):
        marking.unmark(**theirs, mark_id=mark.id)
    with pytest.raises(NotFound):
        marking.lift(**put(house, reason="a pin is no hold"), mark_id=mark.id)


def test_a_token_takes_off_only_what_its_maker_or_a_token_of_theirs_put_on(house: House) -> None:
    eve = house.actor("eve")
    tokens = [Actor("client", n, n, house.workspace.id, behind=eve.ref) for n in ("erp", "ci")]
    theirs = marking.pin(**put(house), number=1)
    with pytest.raises(Forbidden):
        marking.unmark(**put(house, actor=tokens[0]), mark_id=theirs.id)
    assert Mark.objects.get(id=theirs.id).removed_at is None
    for number, setter in enumerate((eve, *tokens)):
        mark = marking.name(**put(house, actor=setter), number=1, called=f"n{number}")
        assert marking.unmark(**put(house, actor=tokens[0]), mark_id=mark.id).removed_at
    by_token = marking.name(**put(house, actor=tokens[0]), number=1, called="theirs")
    assert marking.unmark(**put(house, "ben"), mark_id=by_token.id).removed_at


def test_what_is_gone_can_be_named_but_not_kept(house: House) -> None:
    house.move_the_world()
    Snapshot.objects.filter(state=house.book.state_id, number=1).update(data=None)
    with pytest.raises(Gone):
        marking.pin(**put(house), number=1)
    with pytest.raises(Gone):
        marking.hold(**put(house, reason="late"), number=1)
    marking.name(**put(house), number=1, called="lost")


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_two_at_once_are_one() -> None:
    house = House.build("acme", {"ana": "reviewer"})
    house.move_the_world()
    given = put(house)
    with race() as runs:
        for turn in range(10):
            both = runs.run(
                *[lambda n=turn: marking.name(**given, number=1, called=f"n{n}").id] * 2
            )
            assert both[0] == both[1]
        other = runs.run(
            lambda: marking.name(**given, number=1, called="same").number,
            lambda: marking.name(**given, number=2, called="same").number,
        )
    assert sorted(map(str, other))[1] == "name_taken"
    assert len(told(house)) == 1 + 10 + 1
