"""Which words of a text changed?

Both sides keep every changed word; long unchanged stretches between them shrink to a count.
"""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

from approvals.formats.shown import Formatted, Segment, as_it_is, exact, visible, visible_text
from console.canonical import Json

_WORD = re.compile(r"\S+\s*|\s+")
_CONTEXT = 8
# The matcher's time grows with the product; past this, all between the ends counts as changed.
_COMPARED_AT_MOST = 90_000
_KEPT = "\n\t"


def read(value: Json, unit: str | None) -> str | None:
    """Read a text."""
    return value if isinstance(value, str) else None


def show(value: Json, text: str, other: str | None, unit: str | None) -> Formatted:
    """Show a text with the words marked that the other side does not have there."""
    if not text:
        return as_it_is(value)
    if other is None:
        segments = visible(text, keep=_KEPT)
    else:
        segments = tuple(_compared(_WORD.findall(text), _WORD.findall(other)))
    return Formatted(text=visible_text(text), title=exact(value), segments=segments)


def _compared(ours: list[str], theirs: list[str]) -> Iterator[Segment]:
    stretches = _stretches(ours, theirs)
    for nth, (words, changed) in enumerate(stretches):
        if changed:
            yield from visible("".join(words), keep=_KEPT, changed=True)
        else:
            first, last = nth == 0, nth == len(stretches) - 1
            yield from _shortened(words, 0 if first else _CONTEXT, 0 if last else _CONTEXT)


def _shortened(words: list[str], head: int, tail: int) -> Iterator[Segment]:
    left_out = len(words) - head - tail
    if left_out <= _CONTEXT:
        yield from visible("".join(words), keep=_KEPT)
        return
    if head:
        yield from visible("".join(words[:head]), keep=_KEPT)
    yield Segment(f"{left_out:,} unchanged words", "gap")
    if tail:
        yield from visible("".join(words[-tail:]), keep=_KEPT)


def _stretches(ours: list[str], theirs: list[str]) -> list[tuple[list[str], bool]]:
    """Cut our words into runs that the other side has too, and runs that it has not."""
    start = _common(ours, theirs)
    end = _common(ours[start:][::-1], theirs[start:][::-1])
    middle, other = ours[start : len(ours) - end], theirs[start : len(theirs) - end]
    runs = [(ours[:start], False), *_matched(middle, other), (ours[len(ours) - end :], False)]
    return [(words, changed) for words, changed in runs if words]


def _matched(ours: list[str], theirs: list[str]) -> Iterator[tuple[list[str], bool]]:
    if len(ours) * len(theirs) > _COMPARED_AT_MOST:
        yield ours, True
        return
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    for tag, i, j, _, _ in matcher.get_opcodes():
        yield ours[i:j], tag != "equal"


def _common(ours: list[str], theirs: list[str]) -> int:
    count = 0
    for mine, its in zip(ours, theirs, strict=False):
        if mine != its:
            break
        count += 1
    return count
