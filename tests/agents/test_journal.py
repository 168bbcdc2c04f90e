"""The journal: what a replayed workflow asks must be what it asked first, and the error says so."""

from typing import Any

import pytest

from agents.journal import HINT, Entry, Nondeterministic, check, digest_of


def entry(**asked: Any) -> Entry:
    """Return a recorded call of the clerk."""
    return Entry(4, "tool_call", "look", "clerk", asked, digest_of(asked), None, "", None)


def said(kind: str, name: str, agent: str, asked: Any, first: Any) -> str:
    with pytest.raises(Nondeterministic) as caught:
        check(entry(**first), kind, name, agent, digest_of(asked), asked)
    return str(caught.value).removesuffix(f" {HINT}")


def test_what_is_asked_again_is_fine() -> None:
    check(entry(b=2, a=1), "tool_call", "look", "clerk", digest_of({"a": 1, "b": 2}))


@pytest.mark.parametrize(
    ("now", "asked", "sentence"),
    [
        (
            ("tool_call", "ask", "clerk"),
            {"n": 1},
            "now the workflow asks for tool_call 'ask' by clerk.",
        ),
        (
            ("model_call", "look", "clerk"),
            {"n": 1},
            "now the workflow asks for model_call 'look' by clerk.",
        ),
        (
            ("tool_call", "look", "payer"),
            {"n": 1},
            "now the workflow asks for tool_call 'look' by payer.",
        ),
        (
            ("tool_call", "look", "clerk"),
            {"n": 2},
            "now it is asked for with another input: /n was 1 and is 2.",
        ),
        (
            ("tool_call", "look", "clerk"),
            {},
            "now it is asked for with another input: /n was 1 and is not there.",
        ),
    ],
)
def test_names_both_sides_and_where_they_part(
    now: tuple[str, str, str], asked: Any, sentence: str
) -> None:
    first = "Step 4 was tool_call 'look' by clerk when it ran first; "
    assert said(*now, asked, {"n": 1}) == first + sentence


def test_says_what_to_look_for() -> None:
    with pytest.raises(Nondeterministic, match="belong into tools"):
        check(entry(n=1), "tool_call", "look", "clerk", digest_of({"n": 2}))


def test_quotes_only_the_beginning_of_a_long_value() -> None:
    sentence = said("tool_call", "look", "clerk", {"n": "y" * 900}, {"n": "x" * 900})
    assert len(sentence) < 400
