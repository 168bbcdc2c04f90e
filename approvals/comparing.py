"""What does it mean when a provider lists an order, or does not, that we hold something about?"""

from datetime import datetime, timedelta
from typing import Final, Literal

from approvals.lifecycle import DONE, UNSENT

Kind = Literal["not_theirs", "not_ours", "twice", "differs"]
Meaning = Literal["matched", "settles", "under_way", "not_ours", "twice", "differs"]
# Two clocks, and the way there.
SLACK: Final = timedelta(minutes=5)
# What one comparison keeps in mind: some 100 bytes for each line, so 20 MB at most.
LINES_AT_MOST: Final = 200_000

TEXTS: Final[dict[Kind, str]] = {
    "not_theirs": "We hold it executed; their list does not show it.",
    "not_ours": "Their list shows it; we have sent nothing under this key.",
    "twice": "Their list shows it more than once.",
    "differs": "Their list shows it executed; we hold it {status}.",
}


def meaning_of(status: str | None, *, times: int = 1, was_sent: bool = True) -> Meaning:
    """Say what a line of theirs means: `status` is ours, nothing if we know nothing of it.

    `times` counts this line among those with the same key. What waits to be sent again settles,
    too: it had happened after all.
    """
    if status is None:
        return "not_ours"
    if times > 1:
        return "twice"
    if status in DONE:
        return "matched"
    if status == "in_doubt" or (status in UNSENT and was_sent):
        return "settles"
    return "under_way" if status == "sent" else "differs"


def is_missing(status: str, sent_at: datetime, settle: timedelta, until: datetime) -> bool:
    """Say whether something of ours should stand in a list that reaches to `until`."""
    return status in (*DONE, "in_doubt") and sent_at + settle + SLACK <= until


def contradicts(status: str, says: str) -> Kind | None:
    """Return how something learned late contradicts what was settled, or nothing."""
    if says == "executed" and status in {"failed", "recalled"}:
        return "differs"
    if says in {"absent", "refused"} and status in DONE:
        return "not_theirs"
    return None


def text_of(kind: Kind, status: str = "", more: str = "") -> str:
    """Return the sentence about a difference, with what their list says, cut short."""
    said = TEXTS[kind].format(status=status.replace("_", " "))
    return f"{said} {more}".strip()[:500]
