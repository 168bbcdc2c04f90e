"""What do words of a run say: a number nobody gave, a no, a yes, that there is none of something?

English only, and by plain patterns: it is good enough to point at a step, never to decide.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Final

from agents.trail import CUT_OFF
from console.canonical import Json

_NUMBER: Final = re.compile(r"(?<![\w.#-])\d[\d,]*(?:\.\d+)?(?![\w-])")
_ANY_NUMBER: Final = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
_LISTED: Final = re.compile(r"(?m)^\s*(?:\*\*)?\d+[.)]")
_NAMED: Final = re.compile(r"#?\b[A-Z0-9_]*\d[A-Za-z0-9_]{3,}\b")
_REFUSAL: Final = re.compile(
    r"\b(?:unfortunately|cannot|can't|can’t|unable to|not able to|not possible)\b", re.IGNORECASE
)
_TOO_LATE: Final = re.compile(
    r"\balready (?:been )?(?:\w+ed|done|made|sent)\b|\bonce [^.]*\bcompleted\b", re.IGNORECASE
)
_CONSENT: Final = re.compile(
    r"^\W*(?:yes|yep|yeah|yup|sure|ok|okay|perfect|great|correct|confirmed|absolutely|"
    r"that[’']?s (?:right|correct|perfect|fine)|that is (?:right|correct)|"
    r"go ahead|please (?:go ahead|proceed)|sounds good|thank you|thanks)\b",
    re.IGNORECASE,
)
_WANTS_MORE: Final = re.compile(
    r"\b(?:also|but|instead|actually|however|wait|rather|except|could you|can you|need to|"
    r"want to|would like|i[’']d like)\b",
    re.IGNORECASE,
)
_NONE_OF: Final = re.compile(
    r"\b(?:does not|doesn[’']?t|do not|don[’']?t) have (?:an?|any) ([a-z][a-z ]{2,30}?)"
    r"(?= because| as | since|,|\.|;|!|$)|\bthere (?:is|are) no ([a-z][a-z ]{2,30}?)"
    r"(?= for| on| in| because|,|\.|;|!|$)",
    re.IGNORECASE,
)
_KNOWN_AT_MOST: Final = 600
_DERIVED_FROM_AT_MOST: Final = 150
_CENTS: Final = 2
# A number that everybody may say without having read it.
_EVERYDAY: Final = frozenset({"0", "1", "2", "100"})


def is_refusal(text: str) -> bool:
    """Say whether a text says that something cannot be done."""
    return _REFUSAL.search(text) is not None


def is_too_late(text: str) -> bool:
    """Say whether a text says that something cannot be done because of what was done already."""
    return is_refusal(text) and _TOO_LATE.search(text) is not None


def is_consent(text: str) -> bool:
    """Say whether a text is a mere yes, and wants nothing beyond."""
    return _CONSENT.search(text) is not None and _WANTS_MORE.search(text) is None


def value_of(content: Json) -> Json:
    """Return a result as a value, where it was recorded as the text of one."""
    if isinstance(content, str) and content[:1] in "[{":
        try:
            found: Json = json.loads(content)
        except ValueError:
            return content
        return found
    return content


def as_text(content: Json) -> str:
    """Return a content as a text in which values can be looked for."""
    if content is None:
        return ""
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def leaves(value: Json, name: str = "") -> Iterator[tuple[str, Json]]:
    """Yield each value within a value that is told from others, with the name it stands under."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from leaves(part, key)
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part, name)
    elif isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
        yield name, value


def holds(content: Json, value: Json) -> bool:
    """Say whether a content holds a value as a word of its own."""
    text, wanted = as_text(content), as_text(value)
    if wanted not in text:
        return False
    return re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", text) is not None


def denied(text: str, read: Sequence[Json]) -> Iterator[str]:
    """Yield what a text says there is none of, although a result about the same thing holds it.

    The same thing is one whose number or name the text gives.
    """
    things = [(found[1] or found[2]).strip().casefold() for found in _NONE_OF.finditer(text)]
    named = {word.lstrip("#") for word in _NAMED.findall(text)} if things else set()
    about = [each for each in read if any(holds(each, name) for name in named)]
    for thing in things:
        if any(_has(each, thing) for each in about):
            yield thing


def _has(value: Json, thing: str) -> bool:
    if isinstance(value, dict):
        return any(
            (_is_called(key, thing) and part not in (None, "", [], {})) or _has(part, thing)
            for key, part in value.items()
        )
    return isinstance(value, list) and any(_has(part, thing) for part in value)


def _is_called(key: str, thing: str) -> bool:
    words = [word for word in re.split(r"[\W_]+", key.casefold()) if word]
    return bool(words) and words[0] in thing.split()


class Numbers:
    """Which numbers a run holds so far, to tell those that come from nowhere."""

    def __init__(self) -> None:
        """Begin with the numbers that everybody knows."""
        self._known: set[float] = set()
        self._amounts: list[float] = []
        self.has_read = False
        self._is_whole = True

    def add(self, content: Json, *, is_result: bool) -> None:
        """Take in what was said or read: its numbers, how many there are of it, its sums."""
        if content is None or len(self._known) > _KNOWN_AT_MOST * 10:
            return
        self.has_read |= is_result
        text = as_text(content)
        self._is_whole &= CUT_OFF not in text
        for written in _ANY_NUMBER.findall(text):
            self._know(float(written.replace(",", "")), is_amount="." in written)
        if is_result:
            for number in _counts_and_sums(value_of(content)):
                self._know(number, is_amount=False)

    def strange_in(self, text: str) -> list[str]:
        """Return the numbers of a text that were nowhere before and follow from no two of them.

        Nothing can be said once only the beginning of something was recorded.
        """
        if not self._is_whole:
            return []
        said = _NUMBER.findall(_LISTED.sub(" ", text))
        return [
            each
            for each in dict.fromkeys(said)
            if each not in _EVERYDAY and not self._follows(each)
        ]

    def _know(self, number: float, *, is_amount: bool) -> None:
        self._known.add(round(number, _CENTS))
        if is_amount and len(self._amounts) < _KNOWN_AT_MOST:
            self._amounts.append(number)

    def _follows(self, written: str) -> bool:
        """Say whether a number is known, or an amount that is the sum or difference of two."""
        number = float(written.replace(",", ""))
        wanted = round(number, _CENTS)
        if wanted in self._known or "." not in written:
            return wanted in self._known
        some = self._amounts[-_DERIVED_FROM_AT_MOST:]
        return any(
            round(other, _CENTS) in self._known
            for one in some
            for other in (wanted - one, one - wanted, one + wanted)
        )


def _counts_and_sums(value: Json) -> Iterator[float]:
    if isinstance(value, dict):
        yield len(value)
        for part in value.values():
            yield from _counts_and_sums(part)
    elif isinstance(value, list):
        yield len(value)
        yield from _sums(value)
        for part in value:
            yield from _counts_and_sums(part)


def _sums(rows: list[Json]) -> Iterator[float]:
    sums: dict[str, float] = {}
    for row in rows:
        for key, part in row.items() if isinstance(row, dict) else ():
            if isinstance(part, int | float) and not isinstance(part, bool):
                sums[key] = sums.get(key, 0.0) + part
    yield from sums.values()
