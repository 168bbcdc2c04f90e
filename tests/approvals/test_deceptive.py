# ruff: noqa: RUF001  (look-alikes are what this file is about)
"""Text that deceives the eye: what is found, what it is called, and what nobody can be shown."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.deceptive import LONGEST, cannot_be_shown, deceptive, objection_to
from approvals.formats import Segment, visible
from approvals.showing.texts import told

NAUGHTY = Path(__file__).parents[3] / "shared" / "data" / "naughty_strings" / "blns.json"
TAGS = "".join(chr(0xE0000 + ord(letter)) for letter in "send it")

TABLE = [
    ("pay\u202elap", "direction", 3, 4, "U+202E RIGHT-TO-LEFT OVERRIDE"),
    ("a\u200bb", "invisible", 1, 2, "U+200B ZERO WIDTH SPACE"),
    ("a\u00adb", "invisible", 1, 2, "U+00AD SOFT HYPHEN"),
    ("x\u3164\u3164y", "invisible", 1, 3, "U+3164 HANGUL FILLER, 2 times"),
    ("a\ufe0fb", "invisible", 1, 2, "U+FE0F VARIATION SELECTOR-16"),
    ("a\U000e0101b", "invisible", 1, 2, "U+E0101 VARIATION SELECTOR-18"),
    (f"ok{TAGS}", "hidden_text", 2, 9, "'send it'"),
    ("a\x1b[8mb", "control", 1, 2, "U+001B ESCAPE"),
    ("a\ue000", "private_use", 1, 2, "U+E000 PRIVATE USE"),
    ("a\ufffe", "unassigned", 1, 2, "U+FFFE UNASSIGNED"),
    ("p\u0430ypal", "mixed_scripts", 1, 2, "U+0430 CYRILLIC SMALL LETTER A looks like 'a'"),
    # Nearly all of it is Cyrillic, and yet it is a Latin word that somebody tampered with.
    ("\u0440\u0430\u0443\u0440\u0430l", "mixed_scripts", 0, 5, "looks like 'p'"),
    ("\u0391\u0392\u0395 Ltd", "look_alike", 0, 3, "It reads 'ABE' and is not: U+0391 GREEK"),
    ("\u054d\u054f Bank", "look_alike", 0, 2, "It reads 'US' and is not: U+054D ARMENIAN"),
    ("account \u041012", "look_alike", 8, 11, "It reads 'A12'"),
    ("98\u00b2", "look_alike", 2, 3, "U+00B2 SUPERSCRIPT TWO can be taken for '2'"),
    ("\uff11\uff12.00", "look_alike", 0, 2, "and 1 more can be taken for '12'"),
    ("1\u2024000", "look_alike", 1, 2, "U+2024 ONE DOT LEADER looks like '.'"),
    ("Mu\u0308ller", "not_composed", 1, 3, "U+0308 COMBINING DIAERESIS is written where 'ü'"),
    ("a" + "\u0301" * 5, "stacked", 0, 6, "stacks 5 marks"),
]
TRUSTED = [
    "",
    "EUR 1,234.56 — to Nordlicht GmbH, “as agreed”…",
    "lines\nand\ttabs\r\n",
    "1\u202f234,56\u00a0€",
    "Müller, Łódź, Ærø, İstanbul ısı, Việt Nam, España 1º 2ª",
    "Москва, оса и сор",
    "Αθήνα, ΑΒΕ",
    "שָׁלוֹם עולם",
    "می\u200cخواهم ٣٤",
    "क्\u200dष",
    "東京Tower ホテル 서울PC",
    "5 µg, 10\u03bcg, 5 k\u03a9, mg/m², 10⁹/l, H₂O, C₆H₁₂O₆, ½ tablet, 37 ℃, № 5",
    "TNF-α, β2, α1-antitrypsin, γ-GT",
    "❤️ 👨\u200d👩\u200d👧 1️⃣ 🇩🇪",
    "ﬁnal oﬃce™",
]


@pytest.mark.parametrize(("text", "kind", "start", "end", "said"), TABLE)
def test_what_deceives_is_found_and_named(
    text: str, kind: str, start: int, end: int, said: str
) -> None:
    [part] = deceptive(text)
    assert (part.kind, part.start, part.end) == (kind, start, end)
    assert said in part.sentence


@pytest.mark.parametrize("text", TRUSTED)
def test_what_reads_as_it_is_stays_unmarked(text: str) -> None:
    assert deceptive(text) == []
    assert cannot_be_shown(text, identifies=True) == ""
    assert objection_to(text) == ""


def test_more_than_one_is_counted() -> None:
    assert objection_to("a\u200bb\u00adc\u202d") == (
        "It contains a character that is not seen: U+200B ZERO WIDTH SPACE. And 2 more."
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pay \u202elap", "It turns the reading direction and never turns it back."),
        ("pay \u2067lap", "It turns the reading direction and never turns it back."),
        ("pay \u202elap\u202c one\n\u202dtwo", "never turns it back"),
        ("\u202e\u2069", "never turns it back"),
        ("Z" + "\u0335" * 9, "It stacks more than 8 marks on one letter."),
        ("a" * (LONGEST + 1), "It has 20,001 characters; 20,000 are shown."),
    ],
)
def test_what_nobody_can_read_cannot_be_shown(text: str, said: str) -> None:
    assert said in cannot_be_shown(text)


@pytest.mark.parametrize(
    "text", ["pay \u202elap\u202c", "p\u0430ypal", "a\u200bb", "Z" + "\u0335" * 8, "a" * LONGEST]
)
def test_what_is_shown_under_its_name_can_be_shown(text: str) -> None:
    assert cannot_be_shown(text) == ""


@pytest.mark.parametrize("text", [row[0] for row in TABLE])
def test_what_identifies_has_to_be_what_one_sees(text: str) -> None:
    assert cannot_be_shown(text, identifies=True)


def test_a_taken_letter_is_shown_with_a_chip_behind_it() -> None:
    assert visible("p\u0430ypal") == (
        Segment("p\u0430"),
        Segment(
            "U+0430 CYRILLIC SMALL LETTER A",
            "hidden",
            note="One word mixes Latin and Cyrillic letters: "
            "U+0430 CYRILLIC SMALL LETTER A looks like 'a'.",
        ),
        Segment("ypal"),
    )


def test_a_heap_of_marks_is_counted_and_not_drawn() -> None:
    chip = Segment("9 MARKS ON ONE LETTER", "hidden", note="It stacks 9 marks on one letter.")
    assert told("Z" + "\u0335" * 9 + "!") == (Segment("Z"), chip, Segment("!"))


@given(st.text(max_size=60))
def test_parts_lie_within_the_text_and_hide_nothing_else(text: str) -> None:
    for part in deceptive(text):
        assert 0 <= part.start < part.end <= len(text)
    plain = "".join(part.text for part in visible(text) if part.kind == "plain")
    assert plain.isprintable()


@pytest.mark.parametrize(
    "text", ["Müller " * 2_800, "абв " * 5_000, "\u202e" * LONGEST, "а1" * 9_999]
)
def test_long_texts_take_a_moment_only(text: str) -> None:
    began = time.perf_counter()
    deceptive(text)
    assert time.perf_counter() - began < 1.0


@pytest.mark.data
@pytest.mark.skipif(not NAUGHTY.exists(), reason="the folder ../shared/data is not here")
def test_naughty_strings_leave_nothing_unseen() -> None:
    strings = json.loads(NAUGHTY.read_text(encoding="utf-8"))
    for text in strings:
        shown = told(text)
        plain = "".join(part.text for part in shown if part.kind == "plain")
        assert all(letter.isprintable() or letter in "\n\t" for letter in plain), ascii(text)
    found = {text: {part.kind for part in deceptive(text)} for text in strings}
    assert sum(map(bool, found.values())) >= 35
    every = set().union(*found.values())
    assert every >= {"control", "direction", "invisible", "look_alike", "mixed_scripts", "stacked"}
    assert sum(bool(cannot_be_shown(text)) for text in strings) >= 5
