"""Suspects: which steps are pointed at, with which reason, and which are left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import hearing
from agents.suspects import WEIGHTS, rank
from agents.trail import CUT_OFF
from agents.verdicts import Verdict
from tests.agents.runs_of import OUTSIDE, Line, events, fail, hands, read, says, write

SHIRTS = '{"name": "T-Shirt", "variants": {"1": {"price": 5.25}, "2": {"price": 7.5}}}'
ORDER = '{"order_id": "#W1154", "tracking_id": ["540934230326"], "status": "cancelled"}'


def steps(lines: list[Line], target: int | None = None) -> list[int]:
    return [each.step for each in rank(events(lines), target)]


def reasons(lines: list[Line], step: int, target: int | None = None) -> str:
    return " ".join(each.reason for each in rank(events(lines), target) if each.step == step)


def asks(words: str) -> Line:
    return says(words, "user")


@pytest.mark.parametrize(
    ("said", "strange"),
    [
        ("There are 11 shirts.", ["11"]),
        ("There are 2 shirts.", []),
        ("It costs $5.25.", []),
        ("Together that is $12.75.", []),
        ("The difference is $2.25.", []),
        ("That is $99.10.", ["99.10"]),
        ("1. One of them\n2. The other\n3. None", []),
        ("Order #W4477 of 2024-05-24", []),
    ],
)
def test_a_number_that_nobody_gave_is_suspect(said: str, strange: list[str]) -> None:
    lines = [asks("How many?"), read({"id": 1}, SHIRTS), says(said)]
    known = hearing.Numbers()
    known.add(SHIRTS, is_result=True)
    assert known.strange_in(said) == strange
    assert (2 in steps(lines)) is bool(strange)
    if strange:
        assert f"It says {strange[0]}" in reasons(lines, 2)


def test_no_number_is_suspect_once_a_result_was_cut_off() -> None:
    cut = f"{SHIRTS} {CUT_OFF}77)"
    assert steps([asks("How many?"), read({"id": 1}, cut), says("There are 11.")]) == []


def test_no_number_is_suspect_before_anything_was_read() -> None:
    assert steps([says("I can look at 400 things for you.")]) == []


@pytest.mark.parametrize(
    ("said", "is_suspect"),
    [
        ("Order #W1154 does not have a tracking number because it was cancelled.", True),
        ("Order #W1298 does not have a tracking number because it was cancelled.", False),
        ("Order #W1154 does not have a gift wrapping.", False),
        ("Order #W1154 has a tracking number.", False),
    ],
)
def test_what_is_denied_although_it_was_read_is_suspect(said: str, *, is_suspect: bool) -> None:
    lines = [asks("The number?"), read({"id": "#W1154"}, ORDER), says(said)]
    assert (2 in steps(lines)) is is_suspect


def test_the_write_that_stood_in_the_way_is_suspect() -> None:
    lines = [
        asks("Change the items, then the address."),
        write({"item": "a"}, "modify_items"),
        asks("Now the address."),
        says("Unfortunately, I cannot: the order has already been modified."),
    ]
    assert steps(lines)[0] == 1
    assert "Step 3 refuses a wish because this was done already." in reasons(lines, 1)
    kind = [*lines[:3], says("Unfortunately, I cannot find the address.")]
    assert "refuses a wish" not in reasons(kind, 1)


def test_what_a_person_wanted_last_is_suspect_but_not_a_mere_yes() -> None:
    lines = [
        asks("Return the tablet."),
        says("To which card?"),
        asks("Return both tablets instead, to a gift card."),
        says("Shall I?"),
        asks("Yes, please go ahead."),
        write({"items": ["t1", "t2"]}, "return_items"),
    ]
    assert steps(lines)[0] == 2
    assert "nobody had said yes" not in reasons(lines, 5)
    hasty = [*lines[:4], lines[2], lines[5]]
    assert "nobody had said yes" in reasons(hasty, 5)


def test_a_wish_that_was_refused_is_suspect() -> None:
    lines = [asks("Add a speaker."), says("Unfortunately, I cannot add items.")]
    assert reasons(lines, 0) == "It wants what step 1 says cannot be done."


def test_where_the_values_of_a_failed_write_came_from_is_suspect() -> None:
    lines = [
        read({"id": "O-77"}, {"order": "O-77", "item": "i-101"}),
        read({"p": 1}, {"variant": "v-909"}, "products"),
        read({"p": 2}, {"variant": "v-910"}, "products"),
        write({"order": "O-77", "item": "i-101", "new": ["v-909", "v-910"]}, failed=True),
    ]
    assert steps(lines)[0] == 1
    assert "The new of the write in step 3, which failed, was first seen here." in reasons(lines, 1)


def test_with_a_target_only_what_came_before_it_counts() -> None:
    lines = [
        read({"id": 1}, {"iban": "DE11"}),
        read({"id": 2}, {"iban": "DE22"}),
        write({"iban": "DE22"}),
        fail({"id": 3}),
    ]
    assert "turned out wrong, was first seen here" in reasons(lines, 1, target=2)
    assert 3 not in steps(lines, target=2)
    assert 3 in steps(lines)


def test_a_value_that_was_seen_nowhere_points_at_the_write_itself() -> None:
    lines = [read({"id": 1}, {"iban": "DE11"}), write({"iban": "DE99"})]
    assert "Nothing before it holds its iban." in reasons(lines, 1, target=1)


def test_the_beginning_of_a_verdict_is_suspect() -> None:
    lines: list[Line] = [read({"id": 1}, "one")] * 3
    verdict = Verdict("identical_call", "pause", "Three times.", began_at=0, steps=(0, 1, 2))
    found = rank(events(lines), verdicts=[verdict])
    assert [each.step for each in found] == [0]
    assert found[0].reason == "A guard's verdict began here: Three times."
    assert rank(events(lines), 0, verdicts=[Verdict("x", "note", "?", began_at=2)]) == []


def test_several_reasons_add_up_the_weightiest_first() -> None:
    lines = [asks("Pay."), write({"to": "DE11"}, failed=True)]
    [first, *_] = [each for each in rank(events(lines)) if each.step == 1]
    assert first.score == WEIGHTS["unconfirmed"] + WEIGHTS["failed"] + WEIGHTS["first_write"]
    assert first.reason == (
        "It writes, and nobody had said yes to it. The call failed. It is the first write."
    )


def test_nothing_is_suspect_in_a_run_without_anything_odd() -> None:
    assert rank([]) == []
    assert steps([read({"id": 1}, "one"), says("Done."), OUTSIDE, hands("a", "b")]) == []


_WORDS = st.sampled_from(
    ["Yes.", "Unfortunately, I cannot.", "There are 77.", "Order #W1154 has no name.", "Do it."]
)
_LINES = st.one_of(
    st.builds(says, _WORDS, st.sampled_from(["scout", "user"])),
    st.builds(lambda n: read({"id": n}, {"order": n, "rows": [n]}), st.integers(0, 3)),
    st.builds(lambda n: fail({"id": n}), st.integers(0, 3)),
    st.builds(lambda n, f: write({"id": n}, failed=f), st.integers(0, 3), st.booleans()),
)


@given(st.lists(_LINES, max_size=20), st.one_of(st.none(), st.integers(0, 19)))
def test_ranks_the_same_way_each_time_and_only_steps_of_the_run(
    lines: list[Line], target: int | None
) -> None:
    found = rank(events(lines), target)
    assert found == rank(events(lines), target)
    assert all(each.step < len(lines) and each.reason and each.score > 0 for each in found)
    assert target is None or all(each.step <= target for each in found)
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
    assert len({each.step for each in found}) == len(found)
