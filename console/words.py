"""How are statuses, risks and digests said on a page? Filters that every template may use."""

import json
import unicodedata
from collections.abc import Iterable

from django import template

from console.canonical import Json

register = template.Library()

_LABELS = {
    "pending": "Needs review",
    "stale": "Out of date",
    "in_doubt": "In doubt",
    "info_requested": "Question asked",
    "lost_contact": "Lost contact",
}
_RISKS = {1: "low", 2: "medium", 3: "high"}
_SHORT_DIGEST = 12
_SHORT_ID = 8


@register.filter
def status_label(status: str) -> str:
    """Return the words for a stored status: `in_doubt` reads In doubt."""
    return _LABELS.get(status) or status.replace("_", " ").capitalize()


@register.filter
def risk_status(risk: int) -> str:
    """Return the word, and so the icon and colour, of a risk from 1 to 3."""
    return _RISKS.get(risk, "high")


@register.filter
def risk_label(risk: int) -> str:
    """Return how a person says a risk from 1 to 3."""
    return f"{risk_status(risk).capitalize()} risk"


@register.filter
def short_digest(digest: str) -> str:
    """Return the beginning of a digest, enough to compare by eye."""
    return digest[:_SHORT_DIGEST]


@register.filter
def short_id(name: object) -> str:
    """Return the end of an id: its head is the time, alike for everything made in one minute."""
    return str(name)[-_SHORT_ID:]


@register.filter
def subject_label(subject: str) -> str:
    """Return a kind with the end of its id: `proposal:0190…f2ab` reads proposal …f2ab."""
    kind, _, name = subject.partition(":")
    return f"{kind} …{short_id(name)}" if len(name) > _SHORT_ID else f"{kind} {name}"


@register.filter
def spaced(code: str) -> str:
    """Return a dotted or underscored code in words: `proposal.decided` reads proposal decided."""
    return code.replace(".", " ").replace("_", " ")


@register.filter
def printable(text: object) -> str:
    """Return a text in which characters that nobody can see stand under their names."""
    whole = str(text)
    return whole if whole.isprintable() else "".join(map(_seen, whole))


@register.filter
def as_json(value: Json) -> str:
    """Return a value's JSON, indented; what nobody can see is escaped, so it stays valid JSON."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return "".join(each if each.isprintable() or each == "\n" else _escaped(each) for each in text)


@register.filter
def listed(names: Iterable[str], word: str = "and") -> str:
    """Join names as a sentence does: Ana, Ben and Cleo."""
    *most, last = list(names) or [""]
    return f"{', '.join(most)} {word} {last}" if most else last


@register.filter
def counted(number: int, word: str) -> str:
    """Return a number with its noun: 1 field, 2 fields."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {_plural(word)}"


def _plural(word: str) -> str:
    if word.endswith("person"):
        return f"{word.removesuffix('person')}people"
    return f"{word[:-1]}ies" if word.endswith("ry") else f"{word}s"


def _escaped(letter: str) -> str:
    return json.dumps(letter)[1:-1]


def _seen(letter: str) -> str:
    if letter.isprintable() or letter == "\n":
        return letter
    return f"[U+{ord(letter):04X} {unicodedata.name(letter, 'CONTROL')}]"
