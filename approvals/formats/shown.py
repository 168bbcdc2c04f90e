"""What does a reviewer get to see of one value?

Plain values, no markup: templates lay them out. Nothing here contains a character that cannot be
seen: what is invisible or turns the reading direction becomes a segment that says its name.
"""

import json
import re
import unicodedata
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from console.canonical import Json

SegmentKind = Literal["plain", "hidden", "gap"]

# Printable to Python, yet drawn as nothing or as a plain space.
_UNSEEN = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
_UNSEEN_ALSO = re.compile(f"[{_UNSEEN}\U000e0100-\U000e01ef]")
_CONTROLS = {
    "\x00": "NULL",
    "\x07": "BELL",
    "\x08": "BACKSPACE",
    "\t": "TAB",
    "\n": "LINE FEED",
    "\r": "CARRIAGE RETURN",
    "\x1b": "ESCAPE",
    "\x7f": "DELETE",
    "\x85": "NEXT LINE",
}
_CATEGORIES = {"Cc": "CONTROL", "Co": "PRIVATE USE", "Cs": "LONE SURROGATE", "Cn": "UNASSIGNED"}
_SHOWN_AT_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a shown value: text as it is, a hidden character's name, or what is left out."""

    text: str
    kind: SegmentKind = "plain"
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Characters of a number that stay together on the line, and whether the other side differs."""

    text: str
    differs: bool = False


@dataclass(frozen=True, slots=True)
class Formatted:
    """One value as a reviewer sees it.

    Shape: `text` is the whole in one line, `segments` the same in parts, `groups` only for account
    numbers, `code` the stored word behind a label, `title` the exact JSON with hidden characters
    escaped: parsing it gives the value back.
    """

    text: str
    title: str
    segments: tuple[Segment, ...] = ()
    groups: tuple[Group, ...] = ()
    code: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """Both sides of a change, and what to know about the step between them."""

    before: Formatted | None
    after: Formatted | None
    note: str = ""


def shown(text: str, value: Json, *, code: str = "") -> Formatted:
    """Show a value as a text of ours."""
    return Formatted(text=text, title=exact(value), segments=(Segment(text),), code=code)


def as_it_is(value: Json) -> Formatted:
    """Show a value without any reading of it: a string's characters, else its JSON text."""
    whole = value if isinstance(value, str) else written(value)
    segments = _edged(whole[:_SHOWN_AT_MOST])
    if (more := len(whole) - _SHOWN_AT_MOST) > 0:
        segments += (Segment(f"{more:,} more characters", "gap"),)
    return Formatted(text=in_a_line(segments), title=exact(value), segments=segments)


def exact(value: Json) -> str:
    """Write a value's JSON with every hidden character escaped."""
    text = written(value)
    if not has_hidden(text):
        return text
    return "".join(_escaped(letter) if has_hidden(letter) else letter for letter in text)


def written(value: Json) -> str:
    """Write a value's JSON as text for people."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def visible(text: str, *, keep: str = "", changed: bool = False) -> tuple[Segment, ...]:
    """Split a text so that each hidden character stands by itself, under its name."""
    if not has_hidden(text):
        return (Segment(text, "plain", changed),)
    segments: list[Segment] = []
    for letter, run in groupby(text, lambda each: each if _must_name(each, keep) else ""):
        if not letter:
            segments.append(Segment("".join(run), "plain", changed))
        else:
            segments.append(Segment(_counted(letter, len(list(run))), "hidden", changed))
    return tuple(segments)


def visible_text(text: str) -> str:
    """Write a text in one line with the hidden characters named in brackets."""
    return in_a_line(visible(text))


def in_a_line(segments: tuple[Segment, ...]) -> str:
    """Join segments into one text."""
    return "".join(
        {"plain": part.text, "hidden": f"[{part.text}]", "gap": f" … {part.text}"}[part.kind]
        for part in segments
    )


def has_hidden(text: str) -> bool:
    """Tell whether a text has a character that cannot be seen, or not be told from a space."""
    return not text.isprintable() or _UNSEEN_ALSO.search(text) is not None


def name(letter: str) -> str:
    """Name a character: its code point, then its name in Unicode."""
    category = _CATEGORIES.get(unicodedata.category(letter), "UNNAMED")
    named = _CONTROLS.get(letter) or unicodedata.name(letter, category)
    return f"U+{ord(letter):04X} {named}"


def kind_of(value: Json) -> str:
    """Name a value's JSON type in everyday words."""
    if isinstance(value, bool):
        return "yes or no"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, list):
        return "list"
    return "empty" if value is None else "object"


def _must_name(letter: str, keep: str) -> bool:
    return letter not in keep and has_hidden(letter)


def _edged(text: str) -> tuple[Segment, ...]:
    """Name the spaces at both ends of a text, where nobody would notice them."""
    if not text:
        return (Segment("empty text", "hidden"),)
    inner = text.strip(" ")
    before = len(text) - len(text.lstrip(" "))
    ends = before if inner else 0, len(text) - len(inner) - (before if inner else 0)
    left, right = (_spaces(count) for count in ends)
    return left + (visible(inner) if inner else ()) + right


def _spaces(count: int) -> tuple[Segment, ...]:
    """Name spaces that stand where they are not seen."""
    return (Segment(_counted(" ", count), "hidden"),) if count else ()


def _counted(letter: str, times: int) -> str:
    return name(letter) if times == 1 else f"{name(letter)}, {times} times"


def _escaped(letter: str) -> str:
    return json.dumps(letter)[1:-1] if letter > "\x7f" else f"\\u{ord(letter):04x}"
