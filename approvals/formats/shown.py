"""What does a reviewer get to see of one value?

Plain values, no markup: templates lay them out. Nothing here contains a character that cannot be
seen: what is invisible or turns the reading direction becomes a segment that says its name.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from approvals.deceptive import HIDDEN, LONGEST, Part, deceptive, has_hidden, name
from console.canonical import Json

SegmentKind = Literal["plain", "hidden", "gap"]


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a shown value: text as it is, a chip about a character, or what is left out.

    Shape: a chip (`hidden`) stands in the place of what cannot be seen, and right behind what is
    seen and taken for something else; then `note` is the sentence that says for what.
    """

    text: str
    kind: SegmentKind = "plain"
    changed: bool = False
    note: str = ""


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
    segments = _edged(whole[:LONGEST])
    if (more := len(whole) - LONGEST) > 0:
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
    """Split a text so that what deceives the eye stands by itself, under its name."""
    odd = [part for part in deceptive(text) if part.kind not in HIDDEN]
    if not odd and not has_hidden(text):
        return (Segment(text, "plain", changed),)
    segments: list[Segment] = []
    at = 0
    for part in odd:
        # A heap of marks is drawn over its neighbours, so the letter alone is.
        end = part.start + 1 if part.kind == "stacked" else part.end
        segments += _named(text[at:end], keep, changed)
        segments.append(Segment(_chip(text, part), "hidden", changed, part.sentence))
        at = max(at, part.end)
    return (*segments, *_named(text[at:], keep, changed))


def visible_text(text: str) -> str:
    """Write a text in one line with the hidden characters named in brackets."""
    return in_a_line(visible(text))


def in_a_line(segments: tuple[Segment, ...]) -> str:
    """Join segments into one text."""
    return "".join(
        {"plain": part.text, "hidden": f"[{part.text}]", "gap": f" … {part.text}"}[part.kind]
        for part in segments
    )


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


def _named(text: str, keep: str, changed: bool) -> Iterator[Segment]:  # noqa: FBT001
    """Give every character that cannot be seen a segment with its name."""
    for letter, run in groupby(text, lambda each: each if _must_name(each, keep) else ""):
        if not letter:
            yield Segment("".join(run), "plain", changed)
        else:
            yield Segment(_counted(letter, len(list(run))), "hidden", changed)


def _chip(text: str, part: Part) -> str:
    if part.kind == "stacked":
        return f"{part.end - part.start - 1} MARKS ON ONE LETTER"
    odd = text[part.start : part.end]
    if part.kind == "not_composed":
        return name(odd[-1])
    more = len(odd) - 1
    return f"{name(odd[0])} and {more} more" if more else name(odd)


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
