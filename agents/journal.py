"""What is one entry of a journal, and does a replayed step match it?"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from console.canonical import Json, sha256
from snapshots.content import content_bytes
from snapshots.diff import Absent, diff

HINT: Final = (
    "A run is replayed from its journal, so a workflow asks the same each time: the time, random "
    "numbers, settings and files belong into tools, and a changed workflow gets a new name."
)
_QUOTED: Final = 80


class Nondeterministic(Exception):
    """A replayed workflow asked for something else than the journal holds."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A recorded step: what was asked, what came back."""

    index: int
    kind: str
    name: str
    agent: str
    input: Json
    input_digest: str
    output: Json
    error: str
    proposal_id: UUID | None
    started_at: datetime | None = None
    ended_at: datetime | None = None


def digest_of(value: Json) -> str:
    """Return what makes two inputs of a step the same."""
    return sha256(content_bytes(value))


def check(
    entry: Entry, kind: str, name: str, agent: str, input_digest: str, asked: Json = None
) -> None:
    """Refuse to go on with a journal that tells of another program.

    `asked` is the input itself, so that the place where both part can be named.
    Raises: Nondeterministic, with both sides and what to look for.
    """
    recorded = (entry.kind, entry.name, entry.agent, entry.input_digest)
    if recorded == (kind, name, agent, input_digest):
        return
    first, now = _said(entry.kind, entry.name, entry.agent), _said(kind, name, agent)
    what = f"now the workflow asks for {now}."
    if first == now:
        what = f"now it is asked for with another input{_parted(entry.input, asked)}."
    raise Nondeterministic(f"Step {entry.index} was {first} when it ran first; {what} {HINT}")


def _said(kind: str, name: str, agent: str) -> str:
    return f"{kind} {name!r}" + (f" by {agent}" if agent else "")


def _parted(first: Json, now: Json) -> str:
    """Say where two inputs part, if both are known."""
    changes = diff(first, now) if now is not None else []
    if not changes:
        return ""
    change = changes[0]
    return f": {change.path or 'all of it'} was {_short(change.old)} and is {_short(change.value)}"


def _short(value: Json | Absent) -> str:
    if isinstance(value, Absent):
        return "not there"
    text = content_bytes(value).decode()
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…"
