"""Restoring, by its rules: what fits, what belongs together, what is still in a content, why."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import restoring
from agents.restoring import CannotRestore, Jump, Newer, Wanted
from agents.sanity import Verdict, Version, last_sane
from console.canonical import Json
from snapshots.diff import Change, diff

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TARGET: dict[str, Any] = {"balance": 1000, "name": "Acme", "log": ["a"]}
SPENT = Newer(3, "proposal", [Change("replace", "/balance", 1000, 930)])
SPENT_AGAIN = Newer(4, "proposal", [Change("replace", "/balance", 930, 900)])
RENAMED = Newer(5, "outside", [Change("replace", "/name", "Acme", "Acme AG")])
NOTED = Newer(6, "memory", [Change("add", "/note", value="x")])


@pytest.mark.parametrize(
    ("keep", "after"),
    [
        ([], TARGET),
        ([3], {**TARGET, "balance": 930}),
        ([3, 4], {**TARGET, "balance": 900}),
        ([5], {**TARGET, "name": "Acme AG"}),
        ([5, 3], {**TARGET, "balance": 930, "name": "Acme AG"}),
    ],
)
def test_keeps_what_is_ticked_and_nothing_else(keep: list[int], after: Json) -> None:
    done, fits = restoring.with_kept(TARGET, [SPENT, SPENT_AGAIN, RENAMED], keep)
    assert done == after
    assert [number for number, fit in fits.items() if fit.kept] == sorted(keep)


@pytest.mark.parametrize(
    ("keep", "can_keep"),
    [
        ([], {3: True, 4: False, 5: True, 6: False}),
        ([3], {3: True, 4: True, 5: True, 6: False}),
    ],
)
def test_says_what_could_be_kept_beside_what_is(keep: list[int], can_keep: dict[int, bool]) -> None:
    _, fits = restoring.with_kept(TARGET, [SPENT, SPENT_AGAIN, RENAMED, NOTED], keep)
    assert {number: fit.can_keep for number, fit in fits.items()} == can_keep


def test_says_why_something_cannot_be_kept_and_where() -> None:
    _, fits = restoring.with_kept(TARGET, [SPENT_AGAIN, NOTED], [])
    assert fits[4].why_not == "At /balance the record says 1000, the change expects 930."
    assert "nobody agreed" in fits[6].why_not


@pytest.mark.parametrize(
    ("keep", "says"),
    [
        ([4], "Snapshot 4 cannot be kept. At /balance the record says 1000"),
        ([6], "Snapshot 6 cannot be kept."),
        ([2], "Snapshot 2 is not among"),
    ],
)
def test_refuses_to_keep_what_does_not_fit(keep: list[int], says: str) -> None:
    with pytest.raises(CannotRestore, match=says):
        restoring.with_kept(TARGET, [SPENT_AGAIN, NOTED], keep)


HEAD: dict[str, Any] = {
    "balance": 900,
    "name": "Acme AG",
    "address": {"city": "Bern", "zip": "3000"},
    "log": ["x", "a", "b"],
    "rows": [{"id": 1, "n": 1}, {"id": 2, "n": 2}],
    "was": {"a": 1},
}
BACK: dict[str, Any] = {
    "balance": 1000,
    "name": "Acme",
    "address": {"city": "Basel", "zip": "4000"},
    "log": ["a"],
    "rows": [{"id": 1, "n": 10}, {"id": 2, "n": 20}],
    "gone": {"b": 2},
}


@pytest.mark.parametrize(
    ("paths", "after"),
    [
        (["/balance"], {**HEAD, "balance": 1000}),
        (["/address"], {**HEAD, "address": BACK["address"]}),
        (["/address/city"], {**HEAD, "address": {"city": "Basel", "zip": "3000"}}),
        (["/log"], {**HEAD, "log": ["a"]}),
        (["/rows/1/n"], {**HEAD, "rows": [{"id": 1, "n": 1}, {"id": 2, "n": 20}]}),
        (["/gone"], {**HEAD, "gone": {"b": 2}}),
        (["/was"], {name: value for name, value in HEAD.items() if name != "was"}),
        (["/name", "/balance"], {**HEAD, "name": "Acme", "balance": 1000}),
        ([""], BACK),
    ],
)
def test_takes_back_only_what_lies_at_or_within_the_chosen_paths(
    paths: list[str], after: Json
) -> None:
    assert restoring.with_chosen(HEAD, BACK, paths) == after


@pytest.mark.parametrize(
    ("paths", "says"),
    [
        (["/log/0"], "Items of the list /log come, go or move"),
        (["/zip"], "Nothing differs at /zip"),
        (["/gone/b"], "part of a larger change at /gone"),
        (["log"], "begins with a slash"),
        (["/a~2"], "~ is followed by 0 or 1"),
    ],
)
def test_refuses_a_choice_that_does_not_fit(paths: list[str], says: str) -> None:
    with pytest.raises(CannotRestore, match=says):
        restoring.with_chosen(HEAD, BACK, paths)


def test_knows_a_path_from_one_that_only_begins_like_it() -> None:
    assert restoring.is_within("/a/b", "/a")
    assert not restoring.is_within("/ab", "/a")


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSONS, JSONS)
def test_choosing_every_difference_takes_everything_back(head: Json, back: Json) -> None:
    paths = [change.path for change in diff(head, back)]
    assert restoring.with_chosen(head, back, [""] if paths else []) == back


@given(JSONS, JSONS, st.data())
def test_a_choice_either_fits_and_leaves_the_rest_alone_or_is_refused(
    head: Json, back: Json, data: st.DataObject
) -> None:
    changes = diff(head, back)
    paths = [change.path for change in changes]
    chosen = data.draw(st.lists(st.sampled_from(paths), unique=True)) if paths else []
    try:
        after = restoring.with_chosen(head, back, chosen)
    except CannotRestore:
        return
    left = {change.path for change in diff(head, after)}
    assert all(any(restoring.is_within(path, top) for top in chosen) for path in left)


@pytest.mark.parametrize(
    ("number", "change", "jumps", "held"),
    [
        (5, 3, [], True),
        (2, 3, [], False),
        (0, 1, [], False),
        (5, 3, [Jump(5, to=2)], False),
        (6, 2, [Jump(5, to=2)], True),
        (6, 6, [Jump(5, to=2)], True),
        (5, 3, [Jump(5, to=2, kept=frozenset({3}))], True),
        (5, 3, [Jump(5, to=2, partial=True)], True),
        (5, 3, [Jump(5, to=2, partial=True, undone=frozenset({3}))], False),
        # Back to 2, forward to 4, and back to 2 again.
        (6, 3, [Jump(5, to=2), Jump(6, to=4)], True),
        (7, 3, [Jump(5, to=2), Jump(6, to=4), Jump(7, to=5)], False),
        (4, 2, [Jump(4, to=0)], False),
    ],
)
def test_knows_what_is_still_in_a_content(
    number: int, change: int, jumps: list[Jump], held: bool
) -> None:
    assert restoring.holds(number, change, jumps) is held


def test_asks_of_no_more_changes_than_may_be_gone() -> None:
    chains = [
        [],
        [Jump(4, to=1)],
        [Jump(4, to=1, kept=frozenset({3}))],
        [Jump(4, to=1), Jump(6, to=3)],
        [Jump(5, to=2), Jump(6, to=4), Jump(8, to=5)],
        [Jump(5, to=1, partial=True, undone=frozenset({3})), Jump(7, to=2)],
    ]
    for jumps in chains:
        for number in range(10):
            settled = restoring.surely_held(number, jumps)
            made_here = set(range(1, number + 1)) - {jump.number for jump in jumps}
            gone = {change for change in made_here if not restoring.holds(number, change, jumps)}
            assert all(change > settled for change in gone)
    assert restoring.surely_held(3, [Jump(4, to=1)]) == 3


def test_what_may_move_on_is_named_by_its_epoch_alone() -> None:
    state = {"state_id": "s", "from": 3, "digest": "d", "epoch": 0, "to": 1, "firm": False}
    same = restoring.live_digest([{**state, "from": 4, "digest": "e"}])
    assert restoring.live_digest([state]) == same
    for moved in ({"epoch": 1}, {"state_id": "t"}):
        assert restoring.live_digest([{**state, **moved}]) != same


def test_a_plan_names_the_world_it_was_made_for() -> None:
    state = {"state_id": "s", "from": 3, "digest": "d", "epoch": 0, "to": 1}
    same = restoring.live_digest([{**state, "to": 2}])
    assert restoring.live_digest([state]) == same
    for moved in ({"from": 4}, {"digest": "e"}, {"epoch": 1}, {"state_id": "t"}):
        assert restoring.live_digest([{**state, **moved}]) != same


@pytest.mark.parametrize(
    ("kind", "agent", "word"),
    [("rollback", "", "k"), ("reinitialise", "clerk", "clerk"), ("reinitialise", "", "k")],
)
def test_says_which_word_to_type(kind: str, agent: str, word: str) -> None:
    assert restoring.word_to_type(kind, "k", agent) == word


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted("rollback", uuid4(), 3, below=False, keep=(4, 5), paths=("/a",)),
        Wanted("rollback", uuid4(), "clean", below=True),
        Wanted("reinitialise", agent="clerk", run=uuid4(), source="last_sane", below=True),
    ],
)
def test_a_wish_is_read_back_as_it_was_written(wanted: Wanted) -> None:
    assert Wanted.from_json(wanted.to_json()) == wanted


@pytest.mark.parametrize(
    ("below", "paths", "along"),
    [(None, (), True), (None, ("/a",), False), (True, ("/a",), True), (False, (), False)],
)
def test_memories_go_along_with_a_whole_record(
    below: bool | None, paths: tuple[str, ...], along: bool
) -> None:
    assert Wanted("rollback", to=1, below=below, paths=paths).takes_memories_along is along


def at(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


VERSIONS = [Version(1, at(0)), Version(2, at(10)), Version(3, at(20))]


@pytest.mark.parametrize(
    ("verdicts", "number", "says"),
    [
        ([], None, "No guard has found fault with clerk"),
        ([Verdict(at(15), "the guard spoke")], 2, "Snapshot 2 is the newest before the first"),
        ([Verdict(at(25), "late"), Verdict(at(5), "early")], 1, "early at 2026-11-21 12:05:00"),
        ([Verdict(at(20), "now")], 2, "now at 2026-11-21 12:20:00 UTC"),
        ([Verdict(at(0), "at once")], None, "All that clerk remembers is newer"),
    ],
)
def test_proposes_the_last_sane_snapshot_and_says_why(
    verdicts: list[Verdict], number: int | None, says: str
) -> None:
    sane = last_sane("clerk", VERSIONS, verdicts)
    assert sane.number == number
    assert says in sane.why
