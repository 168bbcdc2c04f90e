"""How are statuses, risks and digests said on a page? Filters that every template may use."""

import unicodedata
from collections.abc import Iterable

from django import template

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
# The tail: the head of such an id is the time it was made, alike for everything of one minute.
_ID_LENGTH = 36


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
    """Return the end of an id, enough to tell one from its neighbours."""
    text = str(name)
    return text[-_SHORT_ID:] if len(text) >= _ID_LENGTH else text


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
def listed(names: Iterable[str], word: str = "and") -> str:
    """Join names as a sentence does: Ana, Ben and Cleo."""
    *most, last = list(names) or [""]
    return f"{', '.join(most)} {word} {last}" if most else last


@register.filter
def counted(number: int, word: str) -> str:
    """Return a number with its noun: 1 field, 2 fields."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def _seen(letter: str) -> str:
    if letter.isprintable() or letter == "\n":
        return letter
    return f"[U+{ord(letter):04X} {unicodedata.name(letter, 'CONTROL')}]"
