"""Patches in public formats: the tables of their RFCs, and that a diff is one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.canonical import Json
from snapshots.content import content_bytes, same
from snapshots.diff import diff
from snapshots.patches import PatchRefused, as_patch, merged, patched

leaves = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, 1.0, "", "a", "~/"])
documents = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "b", "/", "~1", "", "id"]), inner, max_size=4)
    ),
    max_leaves=12,
)

# RFC 6902, appendix A, by number; A.11 is below, among the refused.
RFC_6902: list[tuple[str, Json, list[Json], Json]] = [
    ("A1", {"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),  # noqa: E501
    ("A2", {"foo": ["bar", "baz"]}, [{"op": "add", "path": "/foo/1", "value": "qux"}], {"foo": ["bar", "qux", "baz"]}),  # noqa: E501
    ("A3", {"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    ("A4", {"foo": ["bar", "qux", "baz"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["bar", "baz"]}),  # noqa: E501
    ("A5", {"baz": "qux"}, [{"op": "replace", "path": "/baz", "value": "boo"}], {"baz": "boo"}),
    ("A6", {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}}, [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}], {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}}),  # noqa: E501
    ("A7", {"foo": ["all", "grass", "cows", "eat"]}, [{"op": "move", "from": "/foo/1", "path": "/foo/3"}], {"foo": ["all", "cows", "eat", "grass"]}),  # noqa: E501
    ("A8", {"baz": "qux", "foo": ["a", 2, "c"]}, [{"op": "test", "path": "/baz", "value": "qux"}, {"op": "test", "path": "/foo/1", "value": 2}], {"baz": "qux", "foo": ["a", 2, "c"]}),  # noqa: E501
    ("A10", {"foo": "bar"}, [{"op": "add", "path": "/child", "value": {"grandchild": {}}}], {"foo": "bar", "child": {"grandchild": {}}}),  # noqa: E501
    ("A11 unknown member", {"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux", "xyz": 123}], {"foo": "bar", "baz": "qux"}),  # noqa: E501
    ("A14 escapes", {"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),  # noqa: E501
    ("A16 a list into a list", {"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}], {"foo": ["bar", ["abc", "def"]]}),  # noqa: E501
    ("add over a member", {"a": 1}, [{"op": "add", "path": "/a", "value": 2}], {"a": 2}),
    ("add at the end", [1], [{"op": "add", "path": "/1", "value": 2}], [1, 2]),
    ("add the whole", 1, [{"op": "add", "path": "", "value": [2]}], [2]),
    ("replace the whole", 1, [{"op": "replace", "path": "", "value": None}], None),
    ("copy", {"a": [1]}, [{"op": "copy", "from": "/a", "path": "/b"}], {"a": [1], "b": [1]}),
    ("copy into itself", {"a": 1}, [{"op": "copy", "from": "", "path": "/a"}], {"a": {"a": 1}}),
    ("move to where it is", {"a": 1}, [{"op": "move", "from": "/a", "path": "/a"}], {"a": 1}),
    ("move up", {"a": {"b": 1}}, [{"op": "move", "from": "/a/b", "path": "/a"}], {"a": 1}),
    ("the empty name", {"": 1}, [{"op": "replace", "path": "/", "value": 2}], {"": 2}),
    ("test 1 is 1.0", [1], [{"op": "test", "path": "/0", "value": 1.0}], [1]),
    ("test ignores order", {"a": 1, "b": 2}, [{"op": "test", "path": "", "value": {"b": 2, "a": 1}}], {"a": 1, "b": 2}),  # noqa: E501
]  # fmt: skip

REFUSED: list[tuple[str, Json, Json, int]] = [
    ("A9 test fails", {"baz": "qux"}, [{"op": "test", "path": "/baz", "value": "bar"}], 0),
    ("A12 no parent", {"foo": "bar"}, [{"op": "add", "path": "/baz/bat", "value": "qux"}], 0),
    ("A15 text is no number", {"a": "10"}, [{"op": "test", "path": "/a", "value": 10}], 0),
    ("true is not 1", [1], [{"op": "test", "path": "/0", "value": True}], 0),
    ("false is not 0, deep", [[0]], [{"op": "test", "path": "", "value": [[False]]}], 0),
    ("null is not nothing", {}, [{"op": "test", "path": "/a", "value": None}], 0),
    ("past the end", [1], [{"op": "add", "path": "/2", "value": 2}], 0),
    ("leading zero", [1, 2], [{"op": "remove", "path": "/01"}], 0),
    ("minus one", [1], [{"op": "remove", "path": "/-1"}], 0),
    ("behind the end", [1], [{"op": "remove", "path": "/-"}], 0),
    ("through a text", {"a": "text"}, [{"op": "add", "path": "/a/0", "value": 1}], 0),
    ("remove the whole", 1, [{"op": "remove", "path": ""}], 0),
    ("into itself", {"a": {}}, [{"op": "move", "from": "/a", "path": "/a/b"}], 0),
    ("from nowhere", {}, [{"op": "move", "from": "/a", "path": "/b"}], 0),
    ("the second", {"a": 1}, [{"op": "remove", "path": "/a"}, {"op": "remove", "path": "/a"}], 1),
    ("no value", {}, [{"op": "add", "path": "/a"}], 0),
    ("no from", {}, [{"op": "copy", "path": "/a"}], 0),
    ("no path", {}, [{"op": "remove"}], 0),
    ("no such op", {}, [{"op": "merge", "path": "/a"}], 0),
    ("op is a list", {}, [{"op": [], "path": "/a"}], 0),
    ("bad pointer", {}, [{"op": "remove", "path": "a"}], 0),
    ("bad escape", {"~2": 1}, [{"op": "remove", "path": "/~2"}], 0),
    ("path is null", {}, [{"op": "remove", "path": None}], 0),
    ("no object", {}, [7], 0),
    ("no list", {}, {"op": "remove"}, 0),
]

# RFC 7396, appendix A, all fifteen.
RFC_7396: list[tuple[Json, Json, Json]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(
    ("document", "patch", "result"),
    [line[1:] for line in RFC_6902],
    ids=[line[0] for line in RFC_6902],
)
def test_a_patch_does_what_the_rfc_says(document: Json, patch: Json, result: Json) -> None:
    before = content_bytes(document)
    assert same(patched(document, patch), result)
    assert content_bytes(document) == before


@pytest.mark.parametrize(
    ("document", "patch", "index"),
    [line[1:] for line in REFUSED],
    ids=[line[0] for line in REFUSED],
)
def test_a_patch_that_does_not_fit_names_its_operation(
    document: Json, patch: Json, index: int
) -> None:
    before = content_bytes(document)
    with pytest.raises(PatchRefused, match=rf"^Operation {index}: .+\.$") as refused:
        patched(document, patch)
    assert refused.value.index == index
    assert content_bytes(document) == before


@pytest.mark.parametrize(("document", "patch", "result"), RFC_7396)
def test_a_merge_patch_does_what_the_rfc_says(document: Json, patch: Json, result: Json) -> None:
    before = content_bytes(document)
    assert same(merged(document, patch), result)
    assert content_bytes(document) == before


def test_what_was_copied_changes_alone() -> None:
    patch: list[Json] = [
        {"op": "replace", "path": "/a/x", "value": 2},
        {"op": "copy", "from": "/a", "path": "/b"},
        {"op": "replace", "path": "/a/x", "value": 3},
        {"op": "add", "path": "/b/y", "value": 4},
    ]
    assert patched({"a": {"x": 1}}, patch) == {"a": {"x": 3}, "b": {"x": 2, "y": 4}}


def test_a_patch_leaves_its_own_values_as_they_were() -> None:
    value: dict[str, Any] = {"x": 1}
    patch: list[Json] = [
        {"op": "add", "path": "/a", "value": value},
        {"op": "add", "path": "/a/y", "value": 2},
    ]
    assert patched({}, patch) == {"a": {"x": 1, "y": 2}}
    assert value == {"x": 1}


@pytest.mark.parametrize("seed", ["x" * 1000, [*range(1000)]])
def test_copies_of_copies_end_in_a_sentence(seed: Json) -> None:
    doubling: list[Json] = [{"op": "copy", "from": "", "path": f"/{n}"} for n in range(60)]
    with pytest.raises(PatchRefused, match="copies at most 1,000,000"):
        patched({"seed": seed}, doubling)


@given(documents, documents)
def test_a_diff_written_as_a_patch_gives_the_target_to_the_byte(old: Json, new: Json) -> None:
    patch = as_patch(diff(old, new))
    assert all(set(op) <= {"op", "path", "from", "value"} for op in patch if isinstance(op, dict))
    assert content_bytes(patched(old, patch)) == content_bytes(new)


@given(
    st.lists(st.fixed_dictionaries({"id": st.integers(0, 6), "v": leaves}), max_size=7), st.data()
)
def test_moves_are_written_as_moves(items: list[Json], data: st.DataObject) -> None:
    shuffled: list[Json] = data.draw(st.permutations(items))
    assert content_bytes(patched(items, as_patch(diff(items, shuffled)))) == content_bytes(shuffled)
