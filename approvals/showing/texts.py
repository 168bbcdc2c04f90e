"""How is a text that somebody else wrote laid before a reader?"""

from approvals.formats import Segment, visible

_KEPT = "\n\t"


def told(text: str) -> tuple[Segment, ...]:
    """Return a text in parts; a character that cannot be seen stands by itself, under its name."""
    return visible(text, keep=_KEPT) if text else ()
