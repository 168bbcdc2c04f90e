"""Which snapshot of a memory is the last sane one, and why?

A guard's verdict, or a drift over its limit, is the first sign that something is wrong: what the
agent remembered before that is the newest that nobody has doubted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Version:
    """A snapshot of the memory: its number and since when it was the newest."""

    number: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """A sign that the agent is not well: what it was, and when."""

    at: datetime
    what: str


@dataclass(frozen=True, slots=True)
class Sane:
    """The proposed snapshot, if there is one, and the sentence that says why it is this one.

    Without a snapshot the agent starts clean where a sign is known, else it is left alone.
    """

    number: int | None
    why: str
    is_known: bool = True


def last_sane(agent: str, versions: Sequence[Version], verdicts: Sequence[Verdict]) -> Sane:
    """Propose the newest version from before the first verdict."""
    if not verdicts:
        return Sane(
            None,
            f"No guard has found fault with {agent}, so nothing is proposed; choose yourself.",
            is_known=False,
        )
    first = min(verdicts, key=lambda verdict: verdict.at)
    said = f"{first.what} at {first.at:%Y-%m-%d %H:%M:%S} UTC"
    before = [version for version in versions if version.at < first.at]
    if not before:
        return Sane(
            None,
            f"All that {agent} remembers is newer than the first verdict, "
            f"so it starts clean: {said}.",
        )
    newest = max(before, key=lambda version: version.number)
    return Sane(
        newest.number, f"Snapshot {newest.number} is the newest before the first verdict: {said}."
    )
