"""The breaker: each rule has a run that it must catch and a near miss that it must leave alone."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.breaker import Watch, watched
from agents.counting import STEPS_AT_MOST
from agents.declarations import Role, Tool
from agents.guards import DEFAULTS, RULES, settled
from agents.trail import Event
from tests.agents.runs_of import (
    OUTSIDE,
    Line,
    events,
    fail,
    fed,
    fired,
    hands,
    read,
    says,
    verdicts,
    write,
)

A = read({"id": 1}, "one")
ASKED = [hands("a", "b", "how much?"), hands("b", "a", "ten")]
PAUSE = "pause"


def _look(_record: Any, **_args: Any) -> str:
    return "one"


RATE = Tool("look", "Today's rate", {}, _look, rereads=True)
TWICE = Tool("look", "Twice at most", {}, _look, max_calls=2)
SCOUT = Role("scout", "looks", "", tools=(Tool("look", "", {}, _look),), action_types=("pay",))
POLLER = Role("scout", "polls", "", tools=(RATE,))
SPARING = Role("scout", "looks twice", "", tools=(TWICE,))


@pytest.mark.parametrize(
    ("caught", "near_miss", "verdict"),
    [
        pytest.param(
            [A, A, A], [A, A, read({"id": 2}, "two")], (2, "identical_call", PAUSE), id="3rd"
        ),
        pytest.param(
            [A, says("hm"), A, says("hm"), A],
            [A, A, write({"n": 1}), A],
            (4, "identical_call", PAUSE),
            id="words of an agent are no progress; a write is",
        ),
        pytest.param([A, A, A], [A, A, OUTSIDE, A], (2, "identical_call", PAUSE), id="outside"),
        pytest.param(
            [A, A, A],
            [A, A, says("again, please", "user"), A],
            (2, "identical_call", PAUSE),
            id="?",
        ),
        pytest.param(
            [A, A, A],
            [A, read({"id": 1}, "two"), A],
            (2, "identical_call", PAUSE),
            id="another answer is news",
        ),
        pytest.param(
            [A, A, write({"n": 1}, failed=True), A],
            [A, A, write({"n": 1}), A],
            (3, "identical_call", PAUSE),
            id="a write that failed has changed nothing",
        ),
        pytest.param(
            [fail({"id": 2}), A, fail({"id": 2}), A, fail({"id": 2})],
            [fail({"id": 2}), A, fail({"id": 2}), write({"n": 1}), fail({"id": 2})],
            (4, "failed_again", PAUSE),
            id="the same call failed",
        ),
        pytest.param(
            [fail({"id": 1}), fail({"id": 2}), fail({"id": 3})],
            [fail({"id": 1}), fail({"id": 2}), A, fail({"id": 3})],
            (2, "errors_in_a_row", PAUSE),
            id="errors in a row",
        ),
        pytest.param(
            [line for n in range(6) for line in (fail({"id": n}), read({"id": n + 10}, n))],
            [line for n in range(5) for line in (fail({"id": n}), read({"id": n + 10}, n))],
            (10, "errors", PAUSE),
            id="errors in a run",
        ),
        pytest.param(
            [read({"id": n}, []) for n in range(16)],
            [read({"id": n}, []) for n in range(15)],
            (15, "nothing_new", PAUSE),
            id="nothing new",
        ),
        pytest.param(
            [read({"id": n}, []) for n in range(16)],
            [read({"id": n}, []) for n in range(15)]
            + [write({"n": 1})]
            + [read({"id": n}, []) for n in range(20, 34)],
            (15, "nothing_new", PAUSE),
            id="nothing new since the last write",
        ),
        pytest.param(
            [says(f"word {n}") for n in range(30)],
            [says(f"word {n}") for n in range(29)] + [A, says("word")],
            (29, "talk", PAUSE),
            id="talk",
        ),
        pytest.param(
            [write({"n": n}) for n in range(5)],
            [write({"n": n}) for n in range(4)] + [write({"n": 9}, "hold")],
            (4, "writes_of_one_kind", PAUSE),
            id="writes of one kind",
        ),
        pytest.param(
            [hands(f"a{n}", f"a{n + 1}") for n in range(9)],
            [hands(f"a{n}", f"a{n + 1}") for n in range(8)] + [hands("a8", "a7")],
            (8, "depth", PAUSE),
            id="depth",
        ),
        pytest.param(
            [hands("a", "b", "1"), hands("b", "a", "2")] * 3,
            [hands("a", "b", "1"), hands("b", "a", "2")] * 2
            + [hands("a", "b", "3"), A, hands("b", "a", "4")],
            (5, "round_trips", PAUSE),
            id="ping-pong; what was read for the answer is progress",
        ),
        pytest.param(
            [line for n in range(31) for line in (read({"n": n}, n), hands("a", f"b{n}"))][:62],
            [line for n in range(30) for line in (read({"n": n}, n), hands("a", f"b{n}"))],
            (61, "handoffs", PAUSE),
            id="handoffs",
        ),
        pytest.param(
            ASKED * 2,
            [*ASKED, hands("a", "b", "how much now?"), hands("b", "a", "ten")],
            (3, "work_redone", "note"),
            id="work redone",
        ),
    ],
)
def test_catches_a_loop_and_leaves_the_near_miss_alone(
    caught: Sequence[Line], near_miss: Sequence[Line], verdict: tuple[int, str, str]
) -> None:
    guards = {"calls": {"limit": 100}}
    assert verdict in fired(caught, guards)
    _, rule, strength = verdict
    assert [each for each in fired(near_miss, guards) if each[1:] == (rule, strength)] == []


def test_says_what_was_counted_since_when_and_against_which_limit() -> None:
    [(_, verdict)] = verdicts([says("hm"), A, says("hm"), A, A])
    assert verdict.began_at == 1
    assert verdict.steps == (1, 3, 4)
    assert verdict.agent == "scout"
    assert verdict.numbers == {"counted": 3, "limit": 3}
    assert verdict.sentence == (
        "look would be called 3 times with the same arguments. "
        "It answered the same in steps 1 and 3, "
        "and nothing was written or happened in between."
    )


def test_tells_the_agent_before_the_same_call_fails_once_too_often() -> None:
    lines = [line for n in range(3) for line in (fail({"id": 1}), read({"id": n + 5}, n))]
    assert fired(lines) == [(2, "failed_again", "nudge"), (4, "failed_again", PAUSE)]


def test_notes_that_a_run_nears_its_calls_and_ends_it_beyond() -> None:
    found = fired([read({"id": n}, n) for n in range(42)])
    assert found == [
        (31, "calls", "note"),
        (40, "calls", "terminate"),
        (41, "calls", "terminate"),
    ]


def test_leaves_many_different_reads_alone_unless_a_limit_is_set() -> None:
    lines = [read({"id": n}, n) for n in range(6)]
    assert fired(lines) == []
    assert fired(lines, {"reads_of_one_tool": {"limit": 5}}) == [(5, "reads_of_one_tool", PAUSE)]
    assert [step for step, *_ in fired(lines, roles=[SPARING])] == [2, 3, 4, 5]


def test_asks_a_tool_again_that_rereads_and_judges_its_answers() -> None:
    same = [A] * 3
    changing = [read({"id": 1}, n) for n in range(3)]
    [(step, verdict)] = verdicts(same, roles=[POLLER])
    assert (step, verdict.rule) == (2, "identical_call")
    assert fired(changing, roles=[POLLER]) == []
    watch = Watch(DEFAULTS, [POLLER])
    fed(watch, events([A]))
    assert watch.repeated(Event(1, "call", "scout", "look", {"id": 1}, call_id="1")) is None


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([read({}, 1), write({})], []),
        ([read({}, 1, "dig")], [(0, "outside_role", "note")]),
        ([read({}, 1, "dig"), write({}, "hold")], [(0, "outside_role", "note")]),
        ([read({}, 1, "dig", "stranger")] * 2, []),
        ([read({}, 1, "read_state")] * 2, []),
    ],
)
def test_counts_calls_outside_the_role(lines: list[Line], found: list[Any]) -> None:
    told = [each for each in fired(lines, roles=[SCOUT]) if each[1] == "outside_role"]
    assert told[: len(found)] == found
    if len(lines) == 2 and found:
        assert told[1] == (1, "outside_role", PAUSE)


def test_answers_a_repeated_call_from_what_is_known() -> None:
    watch = Watch(DEFAULTS)
    call = Event(9, "call", "scout", "look", {"id": 1}, call_id="9")
    assert watch.repeated(call) is None
    fed(watch, events([A]))
    known = watch.repeated(call)
    assert known is not None
    assert known.content == "one"
    fed(watch, [Event(5, "outside")])
    assert watch.repeated(call) is None


def test_never_answers_a_write_or_a_failure_from_what_is_known() -> None:
    watch = Watch(DEFAULTS)
    fed(watch, events([fail({"id": 1}), write({"id": 1})]))
    assert watch.repeated(Event(9, "call", "scout", "look", {"id": 1}, call_id="9")) is None
    paid = Event(9, "call", "scout", "pay", {"id": 1}, call_id="9", writes=True)
    assert watch.repeated(paid) is None


def test_begins_to_count_anew_once_a_person_lets_the_run_go_on() -> None:
    watch = Watch(DEFAULTS)
    assert [each.rule for _, each in fed(watch, events([A, A, A]))] == ["identical_call"]
    watch.forgive("identical_call")
    assert fed(watch, events([A, A])) == []
    assert [each.rule for _, each in fed(watch, events([A]))] == ["identical_call"]


@pytest.mark.parametrize(
    ("rule", "once"),
    [
        ("errors_in_a_row", [fail({"id": n}) for n in range(3)]),
        ("round_trips", [hands("a", "b"), hands("b", "a")] * 3),
        ("depth", [hands(f"a{n}", f"a{n + 1}") for n in range(9)]),
    ],
)
def test_forgets_what_led_to_a_pause(rule: str, once: list[Line]) -> None:
    watch = Watch(settled({"errors": {"limit": 50}, "work_redone": {"limit": None}}))
    assert rule in {each.rule for _, each in fed(watch, events(once))}
    watch.forgive(rule)
    assert rule not in {each.rule for _, each in fed(watch, events(once[:-1]))}


def test_takes_a_raised_limit_instead() -> None:
    watch = Watch(DEFAULTS)
    fed(watch, events([write({"n": n}) for n in range(5)]))
    watch.forgive("writes_of_one_kind", 7)
    assert fed(watch, events([write({"n": n}) for n in (5, 6)])) == []
    [(_, verdict)] = fed(watch, events([write({"n": 7})]))
    assert verdict.numbers == {"counted": 8, "limit": 7}


def test_raises_the_own_limit_of_a_tool_too() -> None:
    watch = Watch(DEFAULTS, [SPARING])
    fed(watch, events([read({"id": n}, n) for n in range(2)]))
    watch.forgive("reads_of_one_tool", 3)
    assert fed(watch, events([read({"id": 2}, 2)])) == []
    assert fed(watch, events([read({"id": 3}, 3)]))


def test_says_a_mild_rule_once_and_a_halting_one_again() -> None:
    mild = {"identical_call": {"strength": "note"}}
    assert fired([A] * 5, mild) == [(2, "identical_call", "note")]
    assert [step for step, *_ in fired([A] * 5)] == [2, 3, 4]


@pytest.mark.parametrize("rule", ["identical_call", "errors_in_a_row", "nothing_new", "calls"])
def test_says_nothing_of_a_rule_that_is_off(rule: str) -> None:
    lines = [fail({"id": 1}), *[A] * 50]
    assert rule not in {each for _, each, _ in fired(lines, {rule: {"limit": None}})}


def test_passes_over_results_that_nobody_asked_for() -> None:
    assert fed(Watch(DEFAULTS), [Event(1, "result", content="?", call_id="x", error=True)]) == []


def test_keeps_no_more_of_a_long_loop_than_of_a_short_one() -> None:
    *_, (_, last) = verdicts([A] * 500, {"calls": {"limit": 1000}, "nothing_new": {"limit": None}})
    assert last.numbers["counted"] == 500
    assert last.began_at == 0
    assert len(last.steps) == STEPS_AT_MOST
    assert last.steps[-1] == 499


# What must hold for every run.

_ARGS = st.integers(0, 3)
_LINES = st.one_of(
    st.builds(lambda n, m: read({"id": n}, m), _ARGS, _ARGS),
    st.builds(lambda n: fail({"id": n}), _ARGS),
    st.builds(lambda n: write({"n": n}), _ARGS),
    st.builds(lambda n: says(str(n)), _ARGS),
    st.builds(lambda a, b: hands(f"a{a}", f"a{b}"), _ARGS, _ARGS),
    st.just(OUTSIDE),
)


@given(st.lists(_LINES, max_size=40))
def test_is_incremental_and_says_the_same_again(lines: list[Line]) -> None:
    happened = events(lines)
    whole = fed(Watch(DEFAULTS), happened)
    watch = Watch(DEFAULTS)
    assert [each for event in happened for each in fed(watch, [event])] == whole
    assert [(event.index, verdict) for event, verdict in watched(happened)] == whole


@given(st.lists(_LINES, max_size=40))
def test_gives_every_verdict_a_sentence_its_numbers_and_a_beginning(lines: list[Line]) -> None:
    for step, verdict in verdicts(lines):
        assert verdict.rule in RULES
        assert verdict.sentence.endswith((".", "far."))
        assert verdict.began_at is not None
        assert verdict.began_at <= step
        assert step in verdict.steps
        assert {"counted", "limit"} == set(verdict.numbers)


@given(st.lists(st.integers(0, 2**32), unique=True, max_size=60))
def test_never_calls_a_run_with_new_calls_a_loop(ids: list[int]) -> None:
    found = fired([read({"id": n}, "same") for n in ids])
    assert "identical_call" not in {rule for _, rule, _ in found}


@given(_ARGS, st.integers(3, 20), st.lists(st.builds(lambda n: says(str(n)), _ARGS), max_size=8))
def test_pauses_every_loop_of_identical_calls_at_the_third(
    n: int, length: int, words: list[Line]
) -> None:
    lines: list[Line] = [read({"id": n}, "same")] * length
    for place, each in enumerate(words):
        lines.insert((place * 5) % len(lines), each)
    calls = [step for step, line in enumerate(lines) if line[0] == "read"]
    found = [each for each in fired(lines) if each[1] == "identical_call"]
    assert found[0] == (calls[2], "identical_call", PAUSE)


@given(st.lists(_LINES, max_size=30), st.integers(0, 30))
def test_is_moved_by_no_words_of_agents(lines: list[Line], place: int) -> None:
    """Only steps shift: what a model says in between changes no rule but the one about talk."""
    off = {"talk": {"limit": None}}
    without = [each[1:] for each in fired(lines, off)]
    with_words = [*lines[:place], says("let me see"), *lines[place:]]
    assert [each[1:] for each in fired(with_words, off)] == without


@given(st.lists(_LINES, max_size=30))
def test_says_nothing_before_a_call_that_it_does_not_say_again(lines: list[Line]) -> None:
    """Asking before a call changes nothing."""
    watch = Watch(DEFAULTS)
    for event in events(lines):
        if event.kind == "call":
            assert watch.before(event) == watch.before(event)
        watch.seen(event)
