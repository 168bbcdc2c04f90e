"""Diff, apply, invert and overlap: tables first, then laws, then what others recorded."""

import hashlib
import json
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.canonical import Json
from snapshots import pointer
from snapshots.content import content_bytes
from snapshots.diff import (
    ABSENT,
    BadChange,
    Change,
    DoesNotFit,
    Need,
    apply,
    diff,
    invert,
    paths_overlap,
    touched_paths,
)

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def as_json(changes: list[Change]) -> list[dict[str, Json]]:
    return [change.to_json() for change in changes]


def add(path: str, value: Json) -> dict[str, Json]:
    return {"op": "add", "path": path, "value": value}


def remove(path: str, old: Json) -> dict[str, Json]:
    return {"op": "remove", "path": path, "old": old}


def replace(path: str, old: Json, value: Json) -> dict[str, Json]:
    return {"op": "replace", "path": path, "old": old, "value": value}


def move(source: str, path: str, old: Json) -> dict[str, Json]:
    return {"op": "move", "from": source, "path": path, "old": old}


CASES: list[tuple[str, Json, Json, list[dict[str, Json]]]] = [
    ("nothing", {"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}, []),
    ("the order of keys", {"a": 1, "b": 2}, {"b": 2, "a": 1}, []),
    ("a member", {"a": 1, "b": 2}, {"a": 1, "b": 3}, [replace("/b", 2, 3)]),
    ("a new object as one change", {}, {"x": {"y": 1}}, [add("/x", {"y": 1})]),
    ("a gone member", {"a": None}, {}, [remove("/a", None)]),
    ("null is a value", {"a": None}, {"a": 0}, [replace("/a", None, 0)]),
    ("names in order", {"c": 1}, {"b": 1, "a": 1}, [add("/a", 1), add("/b", 1), remove("/c", 1)]),
    ("a name with a slash", {"a/b~": 1}, {"a/b~": 2}, [replace("/a~1b~0", 1, 2)]),
    ("the whole", 1, "1", [replace("", 1, "1")]),
    ("object to list", {"0": 1}, [1], [replace("", {"0": 1}, [1])]),
    ("1 and 1.0", {"a": 1}, {"a": 1.0}, [replace("/a", 1, 1.0)]),
    ("1 and true", {"a": [1]}, {"a": [True]}, [replace("/a/0", 1, True)]),
    ("0.0 and -0.0", {"a": 0.0}, {"a": -0.0}, [replace("/a", 0.0, -0.0)]),
    (
        "1 and true among what Python holds equal",
        {"a": {"b": 1, "c": [0, {"d": 1.0}]}},
        {"a": {"b": 1, "c": [0, {"d": True}]}},
        [replace("/a/c/1/d", 1.0, True)],
    ),
    ("an item at the end", [1], [1, 2], [add("/1", 2)]),
    ("an item in front", [2, 3], [1, 2, 3], [add("/0", 1)]),
    ("an item from the middle", [1, 2, 3], [1, 3], [remove("/1", 2)]),
    ("window", [1, 2, 3, 4], [2, 3, 4, 5], [remove("/0", 1), add("/3", 5)]),
    ("items that move", ["a", "b", "c"], ["c", "a", "b"], [move("/2", "/0", "c")]),
    ("the first item last", ["a", "b", "c"], ["b", "c", "a"], [move("/0", "/2", "a")]),
    ("one of two alike", ["x", "x"], ["x"], [remove("/1", "x")]),
    (
        "one field of an item without id",
        [{"drug": "Flohale", "mg": 5}, {"drug": "Zoloft", "mg": 50}],
        [{"drug": "Flohale", "mg": 5}, {"drug": "Zoloft", "mg": 500}],
        [replace("/1/mg", 50, 500)],
    ),
    (
        "two fields of different items without id",
        [{"drug": "Flohale", "mg": 5}, {"drug": "Zoloft", "mg": 50}],
        [{"drug": "Flohale", "mg": 7}, {"drug": "Zoloft", "mg": 500}],
        [replace("/0/mg", 5, 7), replace("/1/mg", 50, 500)],
    ),
    (
        "the likeliest pair where one is gone",
        [{"drug": "A", "mg": 1, "via": "oral"}, {"drug": "B", "mg": 2, "via": "iv"}],
        [{"drug": "B", "mg": 3, "via": "iv"}],
        [remove("/0", {"drug": "A", "mg": 1, "via": "oral"}), replace("/0/mg", 2, 3)],
    ),
    (
        "an item with another id is another item",
        [{"id": "P-1", "amount": 10}],
        [{"id": "P-2", "amount": 20}],
        [remove("/0", {"id": "P-1", "amount": 10}), add("/0", {"id": "P-2", "amount": 20})],
    ),
    (
        "an item that moves and changes",
        [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}, {"id": 3, "v": "c"}],
        [{"id": 3, "v": "C"}, {"id": 1, "v": "a"}, {"id": 2, "v": "b"}],
        [move("/2", "/0", {"id": 3, "v": "c"}), replace("/0/v", "c", "C")],
    ),
    (
        "ids that only look alike",
        [{"id": 1, "v": 0}],
        [{"id": "1", "v": 0}],
        [remove("/0", {"id": 1, "v": 0}), add("/0", {"id": "1", "v": 0})],
    ),
]


@pytest.mark.parametrize(
    ("old", "new", "changes"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_diff_shows(old: Json, new: Json, changes: list[dict[str, Json]]) -> None:
    found = as_json(diff(old, new))
    assert found == changes
    assert content_bytes(cast("Json", found)) == content_bytes(cast("Json", changes))


def test_diff_matches_items_by_a_declared_key() -> None:
    old: Json = {"lines": [{"no": 10, "id": "x", "sum": 1}, {"no": 20, "id": "x", "sum": 2}]}
    new: Json = {"lines": [{"no": 20, "id": "x", "sum": 5}, {"no": 10, "id": "x", "sum": 1}]}
    assert as_json(diff(old, new, keys={"/lines": "no"})) == [
        move("/lines/1", "/lines/0", {"no": 20, "id": "x", "sum": 2}),
        replace("/lines/0/sum", 2, 5),
    ]


def test_diff_matches_keys_by_pattern_and_falls_back_where_they_name_nobody() -> None:
    keys = {"/patients/*/medications": "drug"}
    old: Json = {"patients": {"p1": {"medications": [{"drug": "A", "mg": 1}, {"drug": "B"}]}}}
    new: Json = {"patients": {"p1": {"medications": [{"drug": "B"}, {"drug": "A", "mg": 2}]}}}
    assert [change.op for change in diff(old, new, keys=keys)] == ["move", "replace"]
    twins: Json = {"patients": {"p1": {"medications": [{"drug": "A"}, {"drug": "A"}]}}}
    assert apply(old, diff(old, twins, keys=keys)) == twins


def test_diff_of_a_changed_item_is_not_the_whole_list() -> None:
    old: Json = [{"id": n, "text": f"entry {n}"} for n in range(100)]
    new = deepcopy(old)
    cast("Any", new)[41]["text"] = "edited"
    cast("Any", new)[77]["text"] = "edited"
    assert [change.path for change in diff(old, new)] == ["/41/text", "/77/text"]


RECORD: Json = {
    "accounts": {"x": {"status": "FROZEN", "balance": "2850.00", "holder": {"name": "Ana"}}},
    "lines": [{"id": "a"}, {"id": "b"}],
}


def misfit(*changes: dict[str, Json]) -> DoesNotFit:
    with pytest.raises(DoesNotFit) as caught:
        apply(RECORD, [Change.from_json(change) for change in changes])
    return caught.value


def test_apply_names_the_place_the_record_and_the_expectation() -> None:
    error = misfit(replace("/accounts/x/status", "ACTIVE", "CLOSED"))
    assert str(error) == (
        "At /accounts/x/status the record says FROZEN, the change expects ACTIVE."
    )
    assert (error.path, error.expected, error.found) == ("/accounts/x/status", "ACTIVE", "FROZEN")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            replace("/accounts/y/status", "ACTIVE", "CLOSED"),
            "At /accounts/y the record has nothing, the change expects an object or a list.",
        ),
        (
            replace("/accounts/x/status/code", 1, 2),
            "At /accounts/x/status the record says FROZEN, the change expects an object or a list.",
        ),
        (
            remove("/accounts/x/limit", 500),
            "At /accounts/x/limit the record has nothing, the change expects 500.",
        ),
        (
            add("/accounts/x/status", "ACTIVE"),
            "At /accounts/x/status the record says FROZEN, the change expects nothing there.",
        ),
        (
            replace("/accounts/x/balance", 2850.0, 1),
            'At /accounts/x/balance the record says "2850.00", the change expects 2850.0.',
        ),
        (
            remove("/accounts/x", {"status": "FROZEN", "balance": "2850.00", "holder": {}}),
            "At /accounts/x/holder/name the record says Ana, the change expects nothing there.",
        ),
        (
            remove("/lines/1", {"id": "c"}),
            "At /lines/1/id the record says b, the change expects c.",
        ),
        (
            replace("/lines", [{"id": "a"}], []),
            'At /lines the record says [{"id": "a"}, {"id": "b"}], '
            'the change expects [{"id": "a"}].',
        ),
        (
            replace("/lines/2/id", "c", "d"),
            "At /lines/2 the record has nothing, the change expects an object or a list.",
        ),
        (
            add("/lines/3", {}),
            "At /lines/3 the record has nothing, the change expects a position in the list.",
        ),
        (
            add("/lines/-", {}),
            "At /lines/- the record has nothing, the change expects a position in the list.",
        ),
        (
            remove("/lines/x", {}),
            "At /lines/x the record has nothing, the change expects {}.",
        ),
        (
            move("/lines/1", "/lines/0", {"id": "a"}),
            "At /lines/1/id the record says b, the change expects a.",
        ),
        (
            move("/lines/7", "/lines/0", {"id": "a"}),
            'At /lines/7 the record has nothing, the change expects {"id": "a"}.',
        ),
        (
            move("/lines/0", "/lines/0/id", {"id": "a"}),
            "At /lines/0/id the record says b, the change expects nothing there.",
        ),
        (
            replace("", {}, 1),
            "At /accounts the record says "
            '{"x": {"balance": "2850.00", "holder": {"name": "Ana"}, "status": "FROZEN"}}, '
            "the change expects nothing there.",
        ),
        (
            replace("/accounts/x/\u202e", 1, 2),
            'At "/accounts/x/\\u202e" the record has nothing, the change expects 1.',
        ),
    ],
)
def test_apply_refuses(change: dict[str, Json], sentence: str) -> None:
    assert str(misfit(change)) == sentence


def test_apply_to_a_scalar_needs_a_container() -> None:
    with pytest.raises(DoesNotFit) as caught:
        apply(5, [Change("add", "/a", value=1)])
    assert caught.value.expected is Need.CONTAINER
    assert str(caught.value) == (
        "At its top the record says 5, the change expects an object or a list."
    )


@pytest.mark.parametrize(
    "change",
    [
        Change("remove", "", old=RECORD),
        Change("add", "/new"),
        Change("move", "/lines/0"),
        Change("move", "", from_path="/lines"),
    ],
)
def test_apply_refuses_what_is_never_a_change(change: Change) -> None:
    with pytest.raises(BadChange):
        apply(RECORD, [change])


def test_apply_leniently_overrides_what_stands_there_but_needs_the_place() -> None:
    changes = [
        Change("replace", "/accounts/x/status", "ACTIVE", "CLOSED"),
        Change("add", "/accounts/x/balance", value="0.00"),
        Change("remove", "/lines/0", old={"id": "z"}),
    ]
    assert apply(RECORD, changes, strict=False) == {
        "accounts": {"x": {"status": "CLOSED", "balance": "0.00", "holder": {"name": "Ana"}}},
        "lines": [{"id": "b"}],
    }
    with pytest.raises(DoesNotFit):
        apply(RECORD, [Change("replace", "/accounts/y/status", "A", "B")], strict=False)


def test_apply_touches_neither_its_document_nor_the_values_of_its_changes() -> None:
    document, given_value = deepcopy(RECORD), {"tags": ["a"]}
    changes = [
        Change("add", "/extra", value=cast("Json", given_value)),
        Change("add", "/extra/tags/1", value="b"),
        Change("replace", "/accounts/x/holder/name", "Ana", "Ben"),
    ]
    changed = cast("Any", apply(document, changes))
    assert changed["extra"] == {"tags": ["a", "b"]}
    assert document == RECORD
    assert given_value == {"tags": ["a"]}
    assert changed["lines"] is cast("Any", document)["lines"]


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ([], "A change is an object with op and path."),
        ({"op": "test", "path": "/a"}, "A change's op is add, replace, remove or move."),
        ({"op": ["add"], "path": "/a"}, "A change's op is add, replace, remove or move."),
        ({"op": "add", "path": "/a"}, "A change with op add has value."),
        ({"op": "replace", "path": "/a", "value": 1}, "A change with op replace has old."),
        ({"op": "replace"}, "A change with op replace has path and old and value."),
        ({"op": "remove", "path": 5, "old": 1}, "A change's path is text."),
        ({"op": "move", "path": "/a"}, "A change with op move has from."),
        ({"op": "move", "path": "/a", "from": None}, "A change's path is text."),
        ({"op": "remove", "path": "a", "old": 1}, "A path begins with a slash: 'a' does not."),
    ],
)
def test_from_json_refuses(written: Json, sentence: str) -> None:
    with pytest.raises(BadChange) as caught:
        Change.from_json(written)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("written", "change"),
    [
        (add("/a", None), Change("add", "/a", ABSENT, None)),
        (remove("/a", None), Change("remove", "/a", None, ABSENT)),
        (replace("/a", 1, 2), Change("replace", "/a", 1, 2)),
        (move("/a/1", "/a/0", 5), Change("move", "/a/0", 5, from_path="/a/1")),
    ],
)
def test_from_json_reads_what_to_json_writes(written: dict[str, Json], change: Change) -> None:
    assert Change.from_json(written) == change
    assert change.to_json() == written


@pytest.mark.parametrize(
    ("a", "b", "pairs"),
    [
        (["/a"], ["/a"], [("/a", "/a")]),
        (["/a"], ["/ab"], []),
        (["/a"], ["/a/b/c"], [("/a", "/a/b/c")]),
        (["/a/b/c"], ["/a"], [("/a/b/c", "/a")]),
        (["/a/b"], ["/a/c"], []),
        ([""], ["/a", "/b/c"], [("", "/a"), ("", "/b/c")]),
        (["/a~1b"], ["/a/b"], []),
        (["/x/1", "/y"], ["/y/2", "/x"], [("/x/1", "/x"), ("/y", "/y/2")]),
        ([], ["/a"], []),
    ],
)
def test_paths_overlap(a: list[str], b: list[str], pairs: list[tuple[str, str]]) -> None:
    assert paths_overlap(a, b) == pairs


def test_touched_paths_name_the_list_whose_items_are_renumbered() -> None:
    changes = [
        Change("add", "/lines/0", value={}),
        Change("add", "/accounts/7", value={}),
        Change("replace", "/accounts/x/status", "FROZEN", "ACTIVE"),
        Change("move", "/lines/1", from_path="/lines/0"),
    ]
    assert touched_paths(RECORD, changes) == {"/lines", "/accounts/7", "/accounts/x/status"}


# Few letters and few numbers, so that equal, similar and reordered parts are frequent.
scalars = st.sampled_from([None, True, False, 0, 0.0, -0.0, 1, 1.0, "", "a", "b", "1"])
names = st.sampled_from(["a", "b", "id", "/", "~", "", "0", "-"])
items = st.builds(
    lambda key, value: cast("Json", {"id": key, "v": value}),
    st.sampled_from([1, 2, 3, "1", "2", None, True, 1.0]),
    scalars,
)
documents: st.SearchStrategy[Json] = st.recursive(
    scalars | items,
    lambda inner: st.lists(inner | items, max_size=6) | st.dictionaries(names, inner, max_size=4),
    max_leaves=25,
)


@settings(max_examples=400, deadline=None)
@given(old=documents, new=documents)
def test_applying_the_diff_gives_the_new_to_the_byte_and_back(old: Json, new: Json) -> None:
    was = content_bytes(old), content_bytes(new)
    changes = diff(old, new)
    assert content_bytes(apply(old, changes)) == was[1]
    assert content_bytes(apply(new, invert(changes))) == was[0]
    assert (content_bytes(old), content_bytes(new)) == was
    assert [Change.from_json(change.to_json()) for change in changes] == changes


@settings(max_examples=300, deadline=None)
@given(old=st.lists(items | scalars, max_size=12), order=st.randoms(use_true_random=False))
def test_reordered_lists_come_out_in_order(old: list[Json], order: random.Random) -> None:
    new = order.sample(old, order.randint(0, len(old))) + order.sample(old, min(2, len(old)))
    changes = diff(old, cast("Json", new))
    assert content_bytes(apply(old, changes)) == content_bytes(cast("Json", new))
    assert content_bytes(apply(cast("Json", new), invert(changes))) == content_bytes(old)


@settings(max_examples=100, deadline=None)
@given(st.permutations(range(9)))
def test_no_more_items_move_than_must(order: list[int]) -> None:
    old: Json = [{"id": n} for n in range(9)]
    new: Json = [{"id": n} for n in order]
    longest = [1] * 9  # the plain quadratic way to find the longest rising run
    for j in range(9):
        longest[j] = 1 + max((longest[i] for i in range(j) if order[i] < order[j]), default=0)
    assert len(diff(old, new)) == 9 - max(longest)


@settings(max_examples=300, deadline=None)
@given(document=documents, written=st.lists(st.tuples(names, names, scalars), max_size=4))
def test_apply_only_ever_raises_what_it_promises(
    document: Json, written: list[tuple[str, str, Json]]
) -> None:
    ops = ("add", "remove", "replace", "move")
    for strict in (True, False):
        for n, (one, other, value) in enumerate(written):
            change = Change(
                cast("Any", ops[n % 4]),
                pointer.build([one, other]),
                value,
                value,
                pointer.build([one]),
            )
            with suppress(DoesNotFit):
                apply(document, [change], strict=strict)


def test_a_large_record_is_compared_in_a_fraction_of_a_second() -> None:
    records = 4_000
    old: Json = {
        "memory": {f"k{n:06d}": {"id": n, "text": "claim settled " * 20} for n in range(records)},
        "messages": [{"id": f"m{n}", "text": "transfer released " * 20} for n in range(records)],
    }
    new = deepcopy(old)
    chosen = random.Random(7).sample(range(records), records // 100)
    for n in chosen:
        cast("Any", new)["memory"][f"k{n:06d}"]["text"] = "edited"
        cast("Any", new)["messages"][n]["text"] = "edited"
    began = time.perf_counter()
    changes = diff(old, new)
    assert time.perf_counter() - began < 2
    assert len(changes) == 2 * len(chosen)


def test_a_shuffled_list_takes_no_quadratic_time() -> None:
    old: Json = [{"id": n} for n in range(20_000)]
    new = deepcopy(cast("list[Json]", old))
    random.Random(7).shuffle(new)
    began = time.perf_counter()
    changes = diff(old, cast("Json", new))
    assert time.perf_counter() - began < 5
    assert {change.op for change in changes} == {"move"}


def recorded_calls(folder: Path) -> Iterator[tuple[str, Json, Json, list[Json]]]:
    state: Json = json.loads((folder / "state.json").read_text())
    for job in json.loads((folder / "jobs.json").read_text()):
        before = apply(state, map(Change.from_json, job["initial_overrides"]), strict=False)
        assert digest(before) == job["initial_sha256"]
        for call in job["calls"]:
            after = apply(before, map(Change.from_json, call["changes"]))
            yield f"{job['job_id']} call {call['n']}", before, after, call["changes"]
            before = after
        assert digest(before) == job["final_sha256"]


def digest(state: Json) -> str:
    """Take the digest as the recordings define it."""
    written = json.dumps(state, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(written.encode()).hexdigest()


def in_any_order(changes: list[Json]) -> list[bytes]:
    return sorted(map(content_bytes, changes))


@pytest.mark.data
@pytest.mark.parametrize(("world", "calls"), [("bank", 216), ("telehealth", 75)])
def test_diff_finds_exactly_the_recorded_changes_of_every_call(world: str, calls: int) -> None:
    folder = DATA / world
    if not folder.is_dir():
        pytest.skip(f"the recorded {world} jobs are not beside the checkout ({folder})")
    seen = 0
    for call, before, after, recorded in recorded_calls(folder):
        found = diff(before, after)
        assert in_any_order(cast("list[Json]", as_json(found))) == in_any_order(recorded), call
        assert content_bytes(apply(after, invert(found))) == content_bytes(before), call
        seen += 1
    assert seen == calls
