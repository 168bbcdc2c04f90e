"""What is one entry of a journal, and does a replayed step match it?"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from console.canonical import Json, sha256
from snapshots.content import content_bytes


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


def check(entry: Entry, kind: str, name: str, agent: str, input_digest: str) -> None:
    """Refuse to go on with a journal that tells of another program.

    Raises: Nondeterministic, with both sides.
    """
    recorded = (entry.kind, entry.name, entry.agent, entry.input_digest)
    if recorded != (kind, name, agent, input_digest):
        raise Nondeterministic(
            f"Step {entry.index} was {entry.kind} {entry.name!r} when it ran first; "
            f"now the workflow asks for {kind} {name!r}"
            + ("." if entry.name != name else " by another agent or with another input.")
        )
