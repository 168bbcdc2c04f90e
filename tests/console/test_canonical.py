"""Reading JSON strictly, and writing each value in exactly one way."""

import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from console.canonical import (
    LARGEST_EXACT,
    Json,
    Limits,
    Unreadable,
    canonical_bytes,
    check,
    digest,
    parse,
)

SUITE = Path(__file__).parents[3] / "shared" / "data" / "json_test_suite" / "test_parsing"
# Why a text that the grammar allows is refused all the same.
STATED_REASONS = {"duplicate_key", "nul_character", "number_out_of_range", "lone_surrogate"}


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def code_of(text: bytes, limits: Limits = Limits()) -> str:  # noqa: B008  (a frozen value)
    with pytest.raises(Unreadable) as refused:
        parse(text, limits)
    return f"{refused.value.http_status} {refused.value.code}"


def outcome(text: bytes) -> Json | Unreadable:
    """Return what was read, or how it was refused."""
    try:
        return parse(text)
    except Unreadable as refused:
        return refused


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b'{"a": 1, "a": 1}', "422 duplicate_key"),
        (b'{"a": 1, "\\u0061": 2}', "422 duplicate_key"),
        (b'[{"b": {"": 0, "": 0}}]', "422 duplicate_key"),
        (b"NaN", "400 not_finite"),
        (b"[Infinity]", "400 not_finite"),
        (b'{"a": -Infinity}', "400 not_finite"),
        (b"1e999", "422 number_out_of_range"),
        (b"-1e999", "422 number_out_of_range"),
        (b"1e100000", "422 number_out_of_range"),
        (b"9007199254740992", "422 number_out_of_range"),
        (b"-9007199254740992", "422 number_out_of_range"),
        (b"9" * 5_000, "422 number_out_of_range"),
        (b"-" + b"9" * 5_000, "422 number_out_of_range"),
        (b"0." + b"1" * 5_000, "422 number_out_of_range"),
        (b"1e16", "422 number_out_of_range"),
        (b"-123e65", "422 number_out_of_range"),
        (b'"\\ud800"', "422 lone_surrogate"),
        (b'{"\\udfff": 1}', "422 lone_surrogate"),
        (b'["\\udc00\\ud800"]', "422 lone_surrogate"),
        (b'"a\\u0000b"', "422 nul_character"),
        (b'{"\\u0000": 1}', "422 nul_character"),
        (b'"a\x00b"', "400 malformed_json"),
        (nested(33), "422 json_too_deep"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "422 json_too_deep"),
        (b"[" * 100_000, "422 json_too_deep"),
        (b'"' + b"x" * 999_999 + b'"', "413 body_too_large"),
        (b"[" + b"0," * 20_000 + b"0]", "422 too_many_values"),
        (b"\xef\xbb\xbf{}", "400 malformed_json"),
        ("{}".encode("utf-16"), "400 not_utf8"),
        ("{}".encode("utf-16-le"), "400 malformed_json"),
        (b'"\xff"', "400 not_utf8"),
        (b'"\xed\xa0\x80"', "400 not_utf8"),
        (b'"\xc0\xaf"', "400 not_utf8"),
        (b"", "400 malformed_json"),
        (b"{'a': 1}", "400 malformed_json"),
        (b"[1,]", "400 malformed_json"),
        (b"// no\n1", "400 malformed_json"),
        (b"01", "400 malformed_json"),
        (b"+1", "400 malformed_json"),
        (b"1 2", "400 malformed_json"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_refuses_what_two_readers_could_read_differently(text: bytes, code: str) -> None:
    assert code_of(text) == code


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"9007199254740991", LARGEST_EXACT),
        (b"-9007199254740991", -LARGEST_EXACT),
        (b"9007199254740991.0", float(LARGEST_EXACT)),
        (b"1e2", 100.0),
        (b"1e-400", 0.0),
        (b'"\\ud83d\\ude00"', "😀"),
        (b'"[[[[\\"{{{"', '[[[["{{{'),
        (b'{"a": {"a": 1}}', {"a": {"a": 1}}),
        (b" \t\r\n null ", None),
        (b'"' + b"x" * 999_998 + b'"', "x" * 999_998),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_reads_what_everybody_reads_alike(text: bytes, value: Json) -> None:
    assert parse(text) == value


def test_reads_down_to_the_deepest_level_and_up_to_the_last_value() -> None:
    assert parse(nested(32)) is not None
    assert parse(b"[" + b"0," * 19_998 + b"0]") == [0] * 19_999


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(max_bytes=8), "413 body_too_large"),
        (Limits(max_depth=1), "422 json_too_deep"),
        (Limits(max_values=3), "422 too_many_values"),
    ],
)
def test_keeps_to_the_limits_it_is_given(limits: Limits, code: str) -> None:
    assert code_of(b'[[1],"22"]', limits) == code
    assert parse(b'[[1],"22"]', Limits(max_bytes=10, max_depth=2, max_values=4)) == [[1], "22"]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ([1e16], "number_out_of_range"),
        ({"a": -(2**53)}, "number_out_of_range"),
        ([[math.nan]], "number_out_of_range"),
        (math.inf, "number_out_of_range"),
        ({"a\x00": 1}, "nul_character"),
        (["\ud800"], "lone_surrogate"),
        ([0] * 20_000, "too_many_values"),
    ],
    ids=["float", "integer", "nan", "inf", "nul", "surrogate", "many"],
)
def test_holds_values_that_nobody_parsed_to_the_same_rules(value: Json, code: str) -> None:
    with pytest.raises(Unreadable) as refused:
        check(value)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "text",
    [b'\\"' * 499_000, b'"' * 999_000, b'"\\' * 499_000, b"[" * 999_000, b'{"a":' * 190_000],
    ids=lambda text: repr(text[:6]),
)
def test_refuses_the_worst_text_in_no_time(text: bytes) -> None:
    begin = time.perf_counter()
    code_of(text)
    assert time.perf_counter() - begin < 2


def test_names_the_key_and_the_place_of_what_it_refuses() -> None:
    with pytest.raises(Unreadable, match="'amount' stands twice"):
        parse(b'{"amount": 1, "amount": 900}')
    with pytest.raises(Unreadable, match="line 2, column 5"):
        parse(b'{\n "a"; 1}')


# RFC 8785: sections 3.2.2 and 3.2.3, and the samples of appendix B that are in our range.
@pytest.mark.parametrize(
    ("value", "written"),
    [
        (
            {
                "numbers": [333333333.33333329, 4.50, 2e-3, 0.000000000000000000000000001],
                "string": '€$\u000f\nA\'B"\\\\"/',
                "literals": [None, True, False],
            },
            '{"literals":[null,true,false],"numbers":[333333333.3333333,4.5,0.002,1e-27],'
            '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
        ),
        (
            {
                "\u20ac": "Euro Sign",
                "\r": "Carriage Return",
                "\ufb33": "Hebrew Letter Dalet With Dagesh",
                "1": "One",
                "😀": "Emoji: Grinning Face",
                "\u0080": "Control",
                "ö": "Latin Small Letter O With Diaeresis",
            },
            '{"\\r":"Carriage Return","1":"One","\u0080":"Control",'
            '"ö":"Latin Small Letter O With Diaeresis","€":"Euro Sign",'
            '"😀":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}',
        ),
        (0.0, "0"),
        (-0.0, "0"),
        (5e-324, "5e-324"),
        (-5e-324, "-5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (295147905179352830000.0, "295147905179352830000"),
        (9.999999999999997e22, "9.999999999999997e+22"),
        (1e23, "1e+23"),
        (1.0000000000000001e23, "1.0000000000000001e+23"),
        (999999999999999700000.0, "999999999999999700000"),
        (1e21, "1e+21"),
        (9.999999999999997e-7, "9.999999999999997e-7"),
        (0.000001, "0.000001"),
        (333333333.3333332, "333333333.3333332"),
        (333333333.33333325, "333333333.33333325"),
        (-0.0000033333333333333333, "-0.0000033333333333333333"),
        (1424953923781206.2, "1424953923781206.2"),
        ([56, {"d": True, "10": None, "1": []}], '[56,{"1":[],"10":null,"d":true}]'),
    ],
    ids=lambda value: str(value)[:30],
)
def test_writes_one_form_as_rfc_8785_has_it(value: Json, written: str) -> None:
    assert canonical_bytes(value) == written.encode()


def test_tells_apart_what_looks_alike() -> None:
    alike: list[Json] = ["é", "e\u0301", "1", 1, True, None, "null", [], {}, "", 0, False]
    assert len({digest(value) for value in alike}) == len(alike)


@pytest.mark.parametrize("value", [2**53, -(2**53), math.nan, math.inf, "\ud800", {"\udc00": 1}])
def test_writes_nothing_that_could_not_be_read_back(value: Json) -> None:
    with pytest.raises(ValueError, match=r".+"):
        canonical_bytes(value)


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
exact_integers = st.integers(-LARGEST_EXACT, LARGEST_EXACT)
exact_floats = st.floats(-LARGEST_EXACT, LARGEST_EXACT, allow_nan=False)
leaves = st.none() | st.booleans() | exact_integers | exact_floats | texts
values = st.recursive(
    leaves, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=12
)


@given(values)
@settings(max_examples=100, deadline=None)
def test_canonical_bytes_parse_back_to_an_equal_value(value: Json) -> None:
    written = canonical_bytes(value)
    assert parse(written) == value
    assert canonical_bytes(parse(written)) == written


@given(
    st.dictionaries(texts, leaves, max_size=6).flatmap(lambda d: st.permutations(list(d.items())))
)
@settings(max_examples=60, deadline=None)
def test_the_order_of_keys_does_not_matter(members: list[tuple[str, Json]]) -> None:
    assert digest(dict(members)) == digest(dict(sorted(members)))


@given(st.binary(max_size=200) | st.text('[]{}",:\\u0d8e+-.1 tfn').map(str.encode))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_read_or_refused_with_a_code(text: bytes) -> None:
    read = outcome(text)
    if isinstance(read, Unreadable):
        assert read.code
        assert read.sentence
        assert read.http_status in {400, 413, 422}
    else:
        assert json.loads(text) == read


def corpus() -> Iterator[Path]:
    yield from sorted(SUITE.glob("*.json")) if SUITE.exists() else ()


@pytest.mark.data
@pytest.mark.skipif(not SUITE.exists(), reason="the folder ../shared/data is not here")
class TestThePublicCorpus:
    """Every file of nst/JSONTestSuite, by the letter that its name begins with."""

    def test_is_whole(self) -> None:
        counted = [sum(path.name.startswith(letter) for path in corpus()) for letter in "yni"]
        assert counted == [95, 188, 35]

    def test_good_files_are_read_or_refused_for_a_stated_reason(self) -> None:
        for path in (path for path in corpus() if path.name.startswith("y_")):
            read = outcome(path.read_bytes())
            if isinstance(read, Unreadable):
                assert read.code in STATED_REASONS, path.name
            else:
                assert read == json.loads(path.read_bytes()), path.name

    def test_bad_files_are_always_refused(self) -> None:
        for path in (path for path in corpus() if path.name.startswith("n_")):
            assert isinstance(outcome(path.read_bytes()), Unreadable), path.name

    def test_files_that_readers_disagree_on_never_end_in_another_error(self) -> None:
        for path in (path for path in corpus() if path.name.startswith("i_")):
            read = outcome(path.read_bytes())
            assert not isinstance(read, Unreadable) or read.http_status in {400, 422}, path.name


_TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-LARGEST_EXACT, LARGEST_EXACT)
    | st.floats(-LARGEST_EXACT, LARGEST_EXACT)
    | _TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(_TEXTS, inner),
    max_leaves=12,
)


@given(_VALUES)
def test_the_quick_way_writes_what_the_rule_writes(value: Json) -> None:
    assert canonical_bytes(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    "value",
    [
        {"\U0001f600": 1, "\ue000": 2},
        {"b": 1, "a": {"\n": '\x1f\x7f\u2028"\\/'}},
        [1e16, 1e-7, -0.0, 1.0, 0.1],
        {"a": [True, 1, "1", None]},
    ],
)
def test_the_quick_way_is_not_taken_where_writers_differ(value: Json) -> None:
    assert canonical_bytes(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [{"a": 2**53}, {"a": "\ud800"}, {1: "a"}, {"a": object()}, 1j])
def test_the_quick_way_refuses_what_the_rule_refuses(value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        canonical_bytes(value)
