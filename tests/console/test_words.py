"""Filters say stored values the way people do."""

import json

import pytest

from console import words


@pytest.mark.parametrize(
    ("status", "label"),
    [("pending", "Needs review"), ("in_doubt", "In doubt"), ("rolled_back", "Rolled back")],
)
def test_status_label(status: str, label: str) -> None:
    assert words.status_label(status) == label


@pytest.mark.parametrize(("risk", "label"), [(1, "Low risk"), (2, "Medium risk"), (3, "High risk")])
def test_risk_label(risk: int, label: str) -> None:
    assert words.risk_label(risk) == label


def test_an_unknown_risk_is_never_shown_as_a_small_one() -> None:
    assert words.risk_status(0) == words.risk_status(9) == "high"


@pytest.mark.parametrize(
    ("names", "sentence"),
    [([], ""), (["Ana"], "Ana"), (["Ana", "Ben"], "Ana and Ben"), ("ABC", "A, B and C")],
)
def test_listed(names: list[str], sentence: str) -> None:
    assert words.listed(names) == sentence


@pytest.mark.parametrize(
    ("number", "word", "text"),
    [
        (1, "value", "1 value"),
        (0, "value", "0 values"),
        (1200, "entry", "1,200 entries"),
        (2, "more person", "2 more people"),
    ],
)
def test_counted(number: int, word: str, text: str) -> None:
    assert words.counted(number, word) == text


def test_subject_label_keeps_the_end_of_an_id() -> None:
    assert words.subject_label("proposal:0190c7b2-0000-7000-8000-0000deadbeef") == (
        "proposal …deadbeef"
    )
    assert words.subject_label("run:1") == "run 1"


@pytest.mark.parametrize("letter", ["\u202e", "\u200b", "\x00", "\u00a0", "\U000e0041", "\ud800"])
def test_what_nobody_can_see_is_named_in_text_and_escaped_in_json(letter: str) -> None:
    assert words.printable(f"a{letter}b").startswith("a[U+")
    shown = words.as_json({"text": f"a{letter}ü"})
    assert letter not in shown
    assert "ü" in shown
    assert json.loads(shown) == {"text": f"a{letter}ü"}
