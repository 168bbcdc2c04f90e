"""Windows: what fills them, what is left out of them, and when that is noted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.guards import DEFAULTS, settled
from agents.modelling import message_to_json
from agents.windows import fill, noted, of_message, pruned, turns_of
from agents.workflows import Message, ToolCall, Turn
from tests.agents.runs_of import events, fail, hands, read, says

LONG = "a long answer that nobody wants to read twice"


def call(call_id: str, words: str = "") -> Turn:
    return Turn("assistant", words, (ToolCall(call_id, "look", {"id": 1}),))


def answer(call_id: str, content: str, step: int | None = None, *, failed: bool = False) -> Turn:
    filled_by = "failed" if failed else "result"
    return Turn("tool", content, (), call_id, "look", filled_by, step)  # type: ignore[arg-type]


def test_says_what_a_window_is_filled_with() -> None:
    turns = [
        Turn("user", "job!", filled_by="job"),
        Turn("user", "memory", filled_by="memory"),
        call("1"),
        answer("1", "four"),
        answer("2", "failed!", failed=True),
        Turn("tool", "same", (), "3", "look", "repeat"),
    ]
    filled = fill(turns, instructions="be good", content="now")
    assert filled.by_kind == {
        "instructions": 7,
        "job": 4,
        "memory": 6,
        "result": 4,
        "failed": 7,
        "repeat": 4,
        "words": 3 + len("look") + len('{"id":1}'),
    }
    assert filled.total == 47
    assert filled.repeats == pytest.approx(4 / 15)
    assert fill([]).total == 0
    assert fill([]).repeats == 0


def test_reads_events_as_the_turns_of_a_prompt() -> None:
    lines = [says("do it", "user"), read({"id": 1}, LONG), fail({}), read({"id": 2}, LONG)]
    turns = turns_of(events([*lines, hands("a", "b")]))
    assert [(turn.role, turn.filled_by, turn.step) for turn in turns] == [
        ("user", "words", 0),
        ("assistant", "words", 1),
        ("tool", "result", 1),
        ("assistant", "words", 2),
        ("tool", "failed", 2),
        ("assistant", "words", 3),
        ("tool", "repeat", 3),
        ("assistant", "words", 4),
    ]
    assert fill(events(lines)).by_kind["repeat"] == len(LONG)


def test_reads_what_the_journal_keeps_of_a_message() -> None:
    turns = (call("1", "I look."), answer("1", LONG, 4), answer("2", "no", failed=True))
    message = Message("be good", "now", turns)
    assert of_message(message_to_json(message)) == fill(
        turns, instructions="be good", content="now"
    )
    assert of_message({"instructions": "old", "content": "one"}).total == 6


def test_says_the_same_result_once() -> None:
    turns = [call("1"), answer("1", LONG, 4), call("2"), answer("2", LONG, 9)]
    found = pruned(turns)
    assert [turn.content for turn in found.turns if turn.role == "tool"] == [
        LONG,
        "The same as in step 4.",
    ]
    assert found.turns[3].filled_by == "repeat"
    assert found.turns[3].call_id == "2"
    assert found.before - found.after == len(LONG) - len("The same as in step 4.")


def test_says_a_short_result_again() -> None:
    """To point at it would take more room than to say it."""
    turns = [call("1"), answer("1", "[]", 4), call("2"), answer("2", "[]", 9)]
    assert pruned(turns).turns == tuple(turns)


def test_leaves_out_a_failure_that_was_answered_afterwards() -> None:
    turns = [call("1"), answer("1", "no such id", failed=True), call("2"), answer("2", LONG)]
    assert pruned(turns).turns == tuple(turns[2:])


def test_keeps_a_failure_that_nothing_has_answered_yet() -> None:
    turns = [call("1"), answer("1", LONG), call("2"), answer("2", "no such id", failed=True)]
    assert pruned(turns).turns == tuple(turns)


def test_keeps_what_was_said_beside_a_call_that_failed() -> None:
    turns = [
        call("1", "I look at it."),
        answer("1", "no such id", failed=True),
        call("2"),
        answer("2", LONG),
    ]
    first = pruned(turns).turns[0]
    assert (first.content, first.calls) == ("I look at it.", ())


def test_a_prompt_in_pruned_form_is_left_as_it_is() -> None:
    turns = [call("1"), answer("1", LONG, 4), call("2"), answer("2", LONG, 9)]
    once = pruned(turns)
    assert pruned(once.turns).turns == once.turns


@pytest.mark.parametrize(
    ("tokens", "rules"),
    [(100, []), (None, []), (20, ["window"])],
)
def test_notes_a_window_that_is_nearly_full(tokens: int | None, rules: list[str]) -> None:
    filled = fill([answer("1", "x" * 75)])
    found = noted(filled, DEFAULTS, step=7, agent="scout", window_tokens=tokens)
    assert [verdict.rule for verdict in found] == rules
    for verdict in found:
        assert verdict.sentence == "94% of a window of 20 tokens is filled; 80% is noted."
        assert verdict.numbers == {"counted": 0.938, "limit": 0.8}
        assert (verdict.began_at, verdict.agent, verdict.strength) == (7, "scout", "note")


@pytest.mark.parametrize(("repeats", "is_noted"), [(4, False), (5, True)])
def test_notes_repeats(repeats: int, *, is_noted: bool) -> None:
    turns = [answer(str(n), "ten bytes!") for n in range(6)]
    turns += [Turn("tool", "ten bytes!", (), f"r{n}", "look", "repeat") for n in range(repeats)]
    found = noted(fill(turns), DEFAULTS, step=1)
    assert [verdict.rule for verdict in found] == (["repeats"] if is_noted else [])
    off = settled({"repeats": {"limit": None}})
    assert noted(fill(turns), off, step=1) == []


_TURNS = st.lists(
    st.tuples(st.sampled_from([LONG, "[]", LONG * 2]), st.booleans(), st.sampled_from("ab")),
    max_size=12,
)


@given(_TURNS)
def test_pruning_never_grows_and_keeps_calls_and_results_together(
    drawn: list[tuple[str, bool, str]],
) -> None:
    turns = []
    for n, (content, failed, tool) in enumerate(drawn):
        turns.append(Turn("assistant", "", (ToolCall(str(n), tool, {}),)))
        kind = "failed" if failed else "result"
        turns.append(Turn("tool", content, (), str(n), tool, kind, n))  # type: ignore[arg-type]
    found = pruned(turns)
    assert found.after <= found.before
    asked = [each.id for turn in found.turns for each in turn.calls]
    assert asked == [turn.call_id for turn in found.turns if turn.role == "tool"]
    answers = {turn.content for turn in turns if turn.filled_by == "result"}
    assert answers <= {turn.content for turn in found.turns}
