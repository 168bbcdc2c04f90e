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

    def canonical(self) -> bytes:
        """Return the one byte string that stands for this line."""
        return canonical_bytes(
            {
                "workspace": self.workspace,
                "seq": self.seq,
                "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
                "actor": self.actor,
                "verb": self.verb,
                "subject": self.subject,
                "body": self.body,
            }
        )

    def digest(self, previous: str) -> str:
        """Return SHA-256 over the previous digest and this line's canonical bytes."""
        return digest_after(previous, self.canonical())


@dataclass(frozen=True, slots=True)
class Seal:
    """What an entry says about itself: the digest before it, and its own."""

    previous: str
    digest: str


def digest_after(previous: str, canonical: bytes) -> str:
    """Return the digest of the line with these canonical bytes behind another one."""
    return sha256(previous.encode() + canonical)


def objection_to(line: Line, seal: Seal, previous: str, expected_seq: int) -> str | None:
    """Say what is wrong with an entry that should follow `previous`, or nothing."""
    return objection_to_bytes(line.seq, line.canonical(), seal, previous, expected_seq)


def objection_to_bytes(
    seq: int, canonical: bytes, seal: Seal, previous: str, expected_seq: int
) -> str | None:
    """Say the same of an entry whose canonical bytes are known."""
    if seq > expected_seq:
        return f"entry {expected_seq} is missing; the next one found is {seq}"
    if seq < expected_seq:
        return f"entry {expected_seq} is missing; entry {seq} stands in its place"
    if seal.previous != previous:
        return f"entry {seq} was altered, or does not follow the entry before it"
    if seal.digest != digest_after(previous, canonical):
        return f"entry {seq} was altered, or does not follow the entry before it"
    return None
