"""Which parts of a text cannot be trusted by the eye?

What cannot be seen, what turns the reading direction, what looks like another letter, and what
cannot be drawn at all. Says where and why; showing it, and refusing it, is for others.

Source: Unicode UTS #39 (mixed scripts, confusables, stacked marks), UAX #9 (directions),
CVE-2021-42574 (direction marks in source code).
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Literal

Kind = Literal[
    "control",
    "direction",
    "invisible",
    "hidden_text",
    "private_use",
    "unassigned",
    "look_alike",
    "mixed_scripts",
    "not_composed",
    "stacked",
]
# What is not seen at all, or not told from a space; the rest is seen, and taken for another.
HIDDEN: Final = frozenset(
    {"control", "direction", "invisible", "hidden_text", "private_use", "unassigned"}
)
# A text beyond this is not laid out whole, so nobody can have read it.
LONGEST: Final = 20_000
# UTS #39, 5.4: more than four marks on one letter are in no language; so many hide their line.
_STACKED_FROM, _STACKED_AT_MOST = 5, 8

# Printable to Python, yet drawn as nothing or as a plain space.
_UNSEEN = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
_UNSEEN_ALSO = re.compile(f"[{_UNSEEN}\U000e0100-\U000e01ef]")
_TURNS = {"\u202a", "\u202b", "\u202d", "\u202e"}
_ISOLATES = {"\u2066", "\u2067", "\u2068"}
_DIRECTION = _TURNS | _ISOLATES | {"\u202c", "\u2069", "\u200e", "\u200f", "\u061c"}
# Line ends and tabs are layout; these two spaces group digits in several languages.
_LAYOUT = "\n\t\r"
_ORDINARY_SPACES = " \u00a0\u202f\u3000"
_ODD_CONTROL = re.compile(r"[^\n\t\r\x20-\x7e]")
_WORD = re.compile(r"[^\W_]+(?:[\u0300-\u036f]+[^\W_]*)*")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
# Square metres, ten to the ninth, water: there a raised or lowered digit is what it seems.
_PLAIN_POWER = re.compile(
    r"(?:[A-Za-z]+[\xb9\xb2\xb3\u2080-\u2089]*)+|10[\xb9\xb2\xb3\u2070-\u2079]+"
)
_JOINERS = "\u200c\u200d"
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

# Letters of Cyrillic, Greek, Armenian, Cherokee, Coptic, Hebrew and phonetic alphabets that are
# drawn like Latin ones; chosen from the table `confusables.txt` of UTS #39.
_DRAWN_LIKE = {
    "A": "\u0410\u0391\u13aa\u2c80",
    "B": "\u0412\u0392\u13f4",
    "C": "\u0421\u03f9\u13df\u2ca4",
    "D": "\u13a0",
    "E": "\u0415\u0395\u13ac",
    "G": "\u050c\u13c0",
    "H": "\u041d\u0397\u13bb\u2c8e",
    "I": "\u0406\u0399\u0196",
    "J": "\u0408\u037f",
    "K": "\u041a\u039a\u13e6\u2c94",
    "L": "\u053c\u13de",
    "M": "\u041c\u039c\u13b7\u2c98",
    "N": "\u039d",
    "O": "\u041e\u039f\u0555",
    "P": "\u0420\u03a1\u13e2\u2ca2",
    "Q": "\u051a",
    "R": "\u13a1\u13d2",
    "S": "\u0405\u054f\u13da",
    "T": "\u0422\u03a4\u13a2",
    "U": "\u054d",
    "V": "\u0474\u13d9",
    "W": "\u051c\u13b3",
    "X": "\u0425\u03a7",
    "Y": "\u0423\u03a5",
    "Z": "\u0396\u13c3",
    "a": "\u0430\u03b1\u0251",
    "b": "\u042c",
    "c": "\u0441\u03f2",
    "d": "\u0501",
    "e": "\u0435",
    "g": "\u0581\u0261",
    "h": "\u04bb\u0570",
    "i": "\u0456\u03b9",
    "j": "\u0458\u03f3\u0575",
    "l": "\u04cf\u05d5\u05df\u01c0",
    "n": "\u043f\u0578",
    "o": "\u043e\u03bf\u03c3\u0585\u2c9f\u05e1",
    "p": "\u0440\u03c1",
    "q": "\u051b\u0566",
    "r": "\u0433",
    "s": "\u0455",
    "u": "\u03c5\u057d",
    "v": "\u0475\u03bd",
    "w": "\u051d\u0561",
    "x": "\u0445",
    "y": "\u0443\u04af\u03b3",
}
LOOK_ALIKES: Final = {odd: plain for plain, odds in _DRAWN_LIKE.items() for odd in odds}
_POINTS = {"\u2024": ".", "\ua4f8": ".", "\u201a": ",", "\u2215": "/", "\u2236": ":", "\ua789": ":"}
# Written together in one word: Japanese, Korean, and Chinese with its two alphabets.
_TOGETHER = (
    {"LATIN", "CJK", "HIRAGANA", "KATAKANA"},
    {"LATIN", "CJK", "HANGUL"},
    {"LATIN", "CJK", "BOPOMOFO"},
)
_IN_SCRIPTS = {"Lu", "Ll", "Lt", "Lo"}
# Greek letters that stand for a millionth, and for ohms.
_UNITS = re.compile(r"[0-9]*(?:[\u03bc\xb5](?:g|l|L|m|mol|M|s)|[kmM]?\u03a9)")


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a text that deceives the eye: `text[start:end]`, how, and a sentence."""

    start: int
    end: int
    kind: Kind
    sentence: str


def deceptive(text: str) -> list[Part]:
    """Return the parts that deceive, in their order; nothing for a text that reads as it is."""
    text = text[:LONGEST]
    if not _ODD_CONTROL.search(text):
        return []
    found = [*_hidden(text), *_taken_for_others(text), *_marked(text)]
    return sorted(found, key=lambda part: (part.start, part.end))


def objection_to(text: str) -> str:
    """Say what in a text deceives, in one sentence, or nothing."""
    found = [part.sentence for part in deceptive(text)]
    more = len(found) - 1
    return found[0] + (f" And {more} more." if more else "") if found else ""


def cannot_be_shown(text: str, *, identifies: bool = False) -> str:
    """Say why a text cannot be laid before anybody, or nothing.

    What `identifies` (an account, a payee) has to be exactly what one sees, to the last letter.
    """
    if len(text) > LONGEST:
        return f"It has {len(text):,} characters; {LONGEST:,} are shown."
    found = deceptive(text)
    stacked = [part for part in found if part.kind == "stacked"]
    if any(_marks(text[part.start : part.end]) > _STACKED_AT_MOST for part in stacked):
        return f"It stacks more than {_STACKED_AT_MOST} marks on one letter."
    if _is_left_turned(text):
        return "It turns the reading direction and never turns it back."
    if identifies and found:
        return found[0].sentence
    return ""


def has_hidden(text: str) -> bool:
    """Tell whether a text has a character that cannot be seen, or not be told from a space."""
    return not text.isprintable() or _UNSEEN_ALSO.search(text) is not None


def name(letter: str) -> str:
    """Name a character: its code point, then its name in Unicode."""
    category = _CATEGORIES.get(unicodedata.category(letter), "UNNAMED")
    named = _CONTROLS.get(letter) or unicodedata.name(letter, category)
    return f"U+{ord(letter):04X} {named}"


def _hidden(text: str) -> Iterator[Part]:
    at = 0
    for kind, run in groupby(enumerate(text), lambda each: _hidden_kind(text, *each)):
        letters = [letter for _, letter in run]
        if kind:
            yield Part(at, at + len(letters), kind, _said_of_hidden(kind, "".join(letters)))
        at += len(letters)


def _hidden_kind(text: str, at: int, letter: str) -> Kind | None:
    if not has_hidden(letter) or letter in _LAYOUT or letter in _ORDINARY_SPACES:
        return None
    if letter in _DIRECTION:
        return "direction"
    if "\U000e0000" <= letter <= "\U000e007f":
        return "hidden_text"
    if letter in _JOINERS or "\ufe00" <= letter <= "\ufe0f":
        return None if _joins(text, at) else "invisible"
    category = unicodedata.category(letter)
    known: dict[str, Kind] = {"Cc": "control", "Co": "private_use", "Cn": "unassigned"}
    return known.get(category, "invisible")


def _joins(text: str, at: int) -> bool:
    """Say whether a joiner or a selector does what it is for: in emoji, in Indic, in Arabic."""
    before = text[at - 1] if at else ""
    if not before:
        return False
    if unicodedata.category(before) in {"So", "Sk", "Mn"} or before in "\ufe0f#*0123456789":
        return not before.isdecimal() or text[at + 1 : at + 2] == "\u20e3"
    return text[at] in _JOINERS and unicodedata.bidirectional(before) in {"AL", "NSM"}


def _said_of_hidden(kind: Kind, run: str) -> str:
    what = name(run[0]) + (f", {len(run)} times" if len(set(run)) == 1 and run[1:] else "")
    if kind == "hidden_text":
        said = "".join(chr(ord(letter) - 0xE0000) for letter in run)
        seen = "".join(letter for letter in said if letter.isprintable())
        return f"It hides {seen!a} in characters that nobody sees."
    return {
        "control": f"It contains a control character: {what}.",
        "direction": f"It contains a mark that turns the reading direction: {what}.",
        "private_use": f"It contains a character that means nothing outside one font: {what}.",
        "unassigned": f"It contains a character that does not exist: {what}.",
    }.get(kind, f"It contains a character that is not seen: {what}.")


def _taken_for_others(text: str) -> Iterator[Part]:
    words = [found for found in _WORD.finditer(text) if not found[0].isascii()]
    foreign = _written_in(words)
    for found in words:
        yield from _odd_in(found[0], found.start(), foreign)
    for found in _BEYOND_ASCII.finditer(text):
        at, letter = found.start(), found[0]
        if letter in _POINTS and _is_within_a_word(text, at):
            said = f"{name(letter)} looks like {_POINTS[letter]!r}."
            yield Part(at, at + 1, "look_alike", said)


def _is_within_a_word(text: str, at: int) -> bool:
    around = text[max(at - 1, 0) : at] + text[at + 1 : at + 2]
    return len(around) == len("ab") and around.isascii() and around.isalnum()


def _written_in(words: list[re.Match[str]]) -> set[str]:
    """Return the scripts of the words that could not be taken for Latin ones."""
    found: set[str] = set()
    for word in words:
        scripts = _scripts(word[0])
        if len(scripts) == 1 and not _is_all_alike(word[0]):
            found |= scripts.keys()
    return found


def _odd_in(word: str, start: int, written_in: set[str]) -> Iterator[Part]:
    scripts = _scripts(word)
    if len(scripts) > 1 and not any(scripts.keys() <= each for each in _TOGETHER):
        if not _UNITS.fullmatch(word):
            yield from _mixed(word, start, scripts)
    elif _is_all_alike(word) and not scripts.keys() <= written_in:
        as_read = "".join(LOOK_ALIKES.get(letter, letter) for letter in word)
        first = next(letter for letter in word if letter in LOOK_ALIKES)
        said = f"It reads {as_read!r} and is not: {name(first)}."
        yield Part(start, start + len(word), "look_alike", said)
    if not _PLAIN_POWER.fullmatch(word):
        yield from _drawn_otherwise(word, start)


def _mixed(word: str, start: int, scripts: Counter[str]) -> Iterator[Part]:
    # What was slipped into a Latin word is told from what a foreign word quotes.
    is_latin = "LATIN" in scripts and all(
        each in LOOK_ALIKES or _script(each) in {"", "LATIN"} for each in word
    )
    main = "LATIN" if is_latin else max(scripts, key=lambda script: scripts[script])
    at = start
    for script, run in groupby(word, _script):
        letters = "".join(run)
        if script not in {"", main}:
            both = f"{main.capitalize()} and {script.capitalize()}"
            like = LOOK_ALIKES.get(letters[0])
            said = f"One word mixes {both} letters: {name(letters[0])}"
            said += f" looks like {like!r}." if like else "."
            yield Part(at, at + len(letters), "mixed_scripts", said)
        at += len(letters)


def _drawn_otherwise(word: str, start: int) -> Iterator[Part]:
    """Find other drawings of ASCII letters and digits, as a raised or a full-width 2 is."""
    at = start
    for is_other, run in groupby(word, _is_another_drawing):
        letters = "".join(run)
        if is_other:
            more = f" and {len(letters) - 1} more" if letters[1:] else ""
            plain = unicodedata.normalize("NFKC", letters)
            said = f"{name(letters[0])}{more} can be taken for {plain!r}."
            yield Part(at, at + len(letters), "look_alike", said)
        at += len(letters)


def _is_another_drawing(letter: str) -> bool:
    plain = unicodedata.normalize("NFKC", letter)
    # Joined letters such as one of a print shop read as what they are.
    is_known = len(plain) > 1 or letter in "\xaa\xba"
    return letter != plain and plain.isascii() and plain.isalnum() and not is_known


def _is_all_alike(word: str) -> bool:
    """Say whether each letter of a word is another alphabet's look-alike of a Latin one."""
    letters = [letter for letter in word if not letter.isdecimal()]
    is_long = len(letters) > 1 or (len(word) > 1 and letters[:1] != [word[:1].lower()])
    return is_long and all(letter in LOOK_ALIKES for letter in letters)


def _scripts(word: str) -> Counter[str]:
    return Counter(filter(None, map(_script, word)))


def _script(letter: str) -> str:
    """Return the script of a letter: the first word of its name, as Python keeps no table of it."""
    if letter.isascii():
        return "LATIN" if letter.isalpha() else ""
    plain = unicodedata.normalize("NFKC", letter)
    if unicodedata.category(letter) not in _IN_SCRIPTS or plain.isascii():
        return ""
    return unicodedata.name(plain[0], "").partition(" ")[0].partition("-")[0]


def _marked(text: str) -> Iterator[Part]:
    """Find letters under heaps of marks, and letters written in two parts that look like one."""
    at = 0
    while at < len(text):
        end = at + 1
        while end < len(text) and unicodedata.category(text[end]) in {"Mn", "Me"}:
            end += 1
        whole = text[at:end]
        if _marks(whole) >= _STACKED_FROM:
            yield Part(at, end, "stacked", f"It stacks {_marks(whole)} marks on one letter.")
        elif not whole.isascii() and unicodedata.normalize("NFC", whole) != whole:
            composed = unicodedata.normalize("NFC", whole)
            said = f"{name(whole[-1])} is written where {composed!r} is read."
            yield Part(at, end, "not_composed", said)
        at = end


def _marks(cluster: str) -> int:
    return sum(
        unicodedata.category(letter) in {"Mn", "Me"} and not _UNSEEN_ALSO.match(letter)
        for letter in cluster
    )


def _is_left_turned(text: str) -> bool:
    """Say whether a line ends with a direction still turned; a line end turns it back by itself."""
    return any(_turned(line) for line in text.split("\n"))


def _turned(line: str) -> int:
    turns = isolates = 0
    for letter in line:
        turns += letter in _TURNS
        isolates += letter in _ISOLATES
        turns -= letter == "\u202c" and turns > 0
        isolates -= letter == "\u2069" and isolates > 0
    return turns + isolates
