"""Blame: every change of a value, none but these, whatever moved around it."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.canonical import Json
from snapshots import pointer, queries
from snapshots.content import same
from snapshots.diff import ABSENT, Absent, diff
from snapshots.models import Snapshot
from snapshots.operations.creating import create_state
from snapshots.operations.observing import observe
from snapshots.queries import blame as blaming
from snapshots.queries.blame import LET_GO, blame, place_in
from tests.house import House, now

KEYS = {"/payments": "nr"}


def grow(house: House, *documents: Any, key: str = "grown") -> queries.Head:
    """Make a State that held these documents one after the other."""
    first, *rest = documents
    head = create_state(
        actor=house.setup, key=key, document=first, reason="", now=now(), list_keys=KEYS
    )
    before = first
    for number, document in enumerate(rest):
        observe(
            actor=house.setup,
            state_id=head.state_id,
            changes=diff(before, document, keys=KEYS),
            cause_id=str(number),
            reason="",
            now=now(),
        )
        before = document
    return queries.head(house.workspace.id, head.state_id)


def turns(head: queries.Head, path: str, **more: Any) -> list[tuple[int, Any, Any]]:
    found = blame(head, place_in(head, path), **more)
    return [(touch.number, touch.before, touch.after) for touch in found.touches]


def test_a_value_in_an_object(house: House) -> None:
    head = grow(house, {"a": {"b": 1}}, {"a": {"b": 1, "c": 0}}, {"a": {"b": 1.0}}, {"a": {}}, {})
    assert turns(head, "/a/b") == [(4, 1.0, ABSENT), (3, 1, 1.0), (1, ABSENT, 1)]
    assert [number for number, _, _ in turns(head, "/a")] == [5, 4, 3, 2, 1]
    assert [number for number, _, _ in turns(head, "")] == [5, 4, 3, 2, 1]
    assert turns(head, "/z") == []


def payment(nr: str, amount: int) -> dict[str, Json]:
    return {"nr": nr, "amount": amount}


def test_an_item_is_followed_by_its_key_wherever_it_stands(house: House) -> None:
    p, q = payment("p", 1), payment("q/~", 5)
    head = grow(
        house,
        {"payments": [p]},
        {"payments": [q, p]},
        {"payments": [q, payment("p", 2)]},
        {"payments": [payment("p", 2), q]},
        {"payments": [q]},
        {"payments": [q, payment("p", 9)]},
    )
    wanted = [(6, ABSENT, 9), (5, 2, ABSENT), (3, 1, 2), (1, ABSENT, 1)]
    assert turns(head, "/payments/1/amount") == wanted
    assert turns(head, "/payments/[p]/amount") == wanted
    assert turns(head, "/payments/[q~1~0]/amount") == [(2, ABSENT, 5)]
    assert place_in(head, "/payments/0/amount") == "/payments/[q~1~0]/amount"
    assert turns(head, "/payments/[never]/amount") == []


def test_an_item_that_is_there_no_more_is_still_found(house: House) -> None:
    head = grow(house, {"payments": [payment("p", 1)]}, {"payments": []})
    assert turns(head, "/payments/[p]/amount") == [(2, 1, ABSENT), (1, ABSENT, 1)]


def test_a_list_without_keys_is_one_place(house: House) -> None:
    head = grow(house, {"l": [1, 2]}, {"l": [1, 2], "x": 0}, {"l": [1, 3]})
    assert turns(head, "/l/0") == [(3, [1, 2], [1, 3]), (1, ABSENT, [1, 2])]


def test_a_digit_may_be_the_name_of_a_member(house: House) -> None:
    head = grow(house, {"7": {"b": 1}}, {"7": {"b": 2}})
    assert turns(head, "/7/b") == [(2, 1, 2), (1, ABSENT, 1)]


def test_pages_continue_where_they_ended(house: House) -> None:
    head = grow(house, *({"n": n} for n in range(7)))
    seen, below = [], None
    while True:
        found = blame(head, "/n", below=below, at_most=3)
        seen += [touch.number for touch in found.touches]
        if found.next_below is None:
            break
        below = found.next_below
    assert seen == [7, 6, 5, 4, 3, 2, 1]


def test_a_page_ends_although_nothing_was_found(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blaming, "LOOKED_AT_MOST", 2)
    # As versions are that were written before marks were.
    monkeypatch.setattr("snapshots.touching.marks", lambda _state_id, _places: None)
    head = grow(house, *({"n": 0, "m": n} for n in range(7)))
    found = blame(head, "/n")
    assert (found.touches, found.next_below) == ([], 6)
    assert blame(head, "/n", below=2).touches[0].number == 1


def test_what_was_let_go_is_said_to_be_unknown(house: House) -> None:
    head = grow(house, {"n": 0}, {"n": 1}, {"n": 1, "x": 1}, {"n": 2})
    Snapshot.objects.filter(state=head.state_id, number=2).update(data=None)
    assert turns(head, "/n") == [(4, 1, 2), (2, 0, LET_GO), (1, ABSENT, 0)]


leaves = st.sampled_from([0, 1, 1.0, True, None, "a"])
things = st.lists(st.sampled_from("pqrs"), unique=True, max_size=4).flatmap(
    lambda names: st.tuples(*[st.tuples(st.just(name), leaves) for name in names])
)
worlds = st.fixed_dictionaries(
    {
        "payments": things.map(lambda found: [{"nr": name, "amount": v} for name, v in found]),
        "a": st.dictionaries(st.sampled_from(["b", "c/", "0"]), leaves | st.lists(leaves)),
    }
)
PLACES = ["", "/a", "/a/b", "/a/c~1", "/a/0", "/payments", "/payments/[p]", "/payments/[p]/amount"]


def stands(document: Any, place: str) -> Any:
    """Look a place up as simply as can be."""
    for part in pointer.parse(place):
        if isinstance(document, list):
            document = {f"[{item['nr']}]": item for item in document}
        if not isinstance(document, dict) or part not in document:
            return ABSENT
        document = document[part]
    return document


def differ(one: Any, other: Any) -> bool:
    if isinstance(one, Absent) or isinstance(other, Absent):
        return one is not other
    return not same(one, other)


@given(st.lists(worlds, min_size=1, max_size=6))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_exactly_the_versions_that_changed_a_place_are_found(
    house: House, documents: list[Json]
) -> None:
    head = grow(house, *documents, key=f"s{Snapshot.objects.count()}")
    for place in PLACES:
        before: list[Any] = [ABSENT, *(stands(document, place) for document in documents)]
        wanted = [
            number
            for number in range(1, len(documents) + 1)
            if differ(before[number - 1], before[number])
        ]
        found = [touch.number for touch in blame(head, place).touches]
        assert found == wanted[::-1], place
