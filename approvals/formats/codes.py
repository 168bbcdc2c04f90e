"""How is a stored word, or a yes or no, said to a person?"""

import re

from approvals.formats.shown import Formatted, shown
from console.canonical import Json

_CODE = re.compile(r"[A-Za-z][A-Za-z0-9]*([_ -][A-Za-z0-9]+)*", re.ASCII)
_ABBREVIATION = re.compile(r"[A-Z0-9]{1,3}", re.ASCII)


def read(value: Json, unit: str | None) -> str | None:
    """Read a stored word such as `PENDING_REVIEW`."""
    return value if isinstance(value, str) and _CODE.fullmatch(value) else None


def show(value: Json, code: str, other: str | None, unit: str | None) -> Formatted:
    """Show a word's label, with the word itself beside it where they differ."""
    label = humanised(code)
    return shown(label, value, code="" if label == code else code)


def compare(before: str, after: str, unit: str | None) -> str:
    """Say when two words would be read as one."""
    return "another word with the same label" if humanised(before) == humanised(after) else ""


def read_bool(value: Json, unit: str | None) -> bool | None:
    """Read a yes or no."""
    return value if isinstance(value, bool) else None


def show_bool(value: Json, answer: bool, other: bool | None, unit: str | None) -> Formatted:  # noqa: FBT001
    """Show yes or no; a yes with what the field's unit says that it means."""
    yes = f"Yes: {unit}" if unit else "Yes"
    return shown(yes if answer else "No", value, code="true" if answer else "false")


def humanised(code: str) -> str:
    """Turn a stored word into words: `PENDING_REVIEW` reads Pending review."""
    words = re.sub(r"[_-]+", " ", code).strip()
    if words.isupper() and not _ABBREVIATION.fullmatch(words):
        words = words.lower()
    return words[:1].upper() + words[1:]
