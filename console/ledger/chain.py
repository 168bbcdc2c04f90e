"""How does one line of the ledger hold the one before it?"""

from dataclasses import dataclass
from datetime import UTC, datetime

from console.canonical import Json, canonical_bytes, sha256

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Line:
    """What is hashed of one entry. Times are UTC to the microsecond."""

    workspace: str
    seq: int
    at: datetime
    actor: dict[str, Json]
    verb: str
    subject: str
    body: dict[str, Json]

    def digest(self, previous: str) -> str:
        """Return SHA-256 over the previous digest and this line's canonical bytes."""
        value: Json = {
            "workspace": self.workspace,
            "seq": self.seq,
            "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "actor": self.actor,
            "verb": self.verb,
            "subject": self.subject,
            "body": self.body,
        }
        return sha256(previous.encode() + canonical_bytes(value))


@dataclass(frozen=True, slots=True)
class Seal:
    """What an entry says about itself: the digest before it, and its own."""

    previous: str
    digest: str


def objection_to(line: Line, seal: Seal, previous: str, expected_seq: int) -> str | None:
    """Say what is wrong with an entry that should follow `previous`, or nothing."""
    if line.seq != expected_seq:
        return f"entry {expected_seq} is missing; the next one found is {line.seq}"
    if seal != Seal(previous, line.digest(previous)):
        return f"entry {line.seq} was altered, or does not follow the entry before it"
    return None
