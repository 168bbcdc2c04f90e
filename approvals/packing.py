"""What exactly does somebody sign, and over which bytes?

Everything that is signed is canonical JSON (RFC 8785), so that whoever computes it again gets the
same bytes. A signature is over a statement; the statement holds the digest of the wording and of
what was rendered of it, and what was rendered is kept with the signature.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from approvals.fields import Row
from approvals.formats import Formatted
from approvals.policy import LEVELS, SIGNED, Terms, Threshold
from console.canonical import Json, canonical_bytes, digest

FORMAT = "countersign-evidence/1"
SIGNED_CHOICES = ("approve", "reject")
# What a signature means, by the word that a form sends; 21 CFR 11.50 asks for it.
MEANINGS: Mapping[str, Mapping[str, str]] = {
    "reviewed": {
        "approve": "I reviewed this change and approve it",
        "reject": "I reviewed this change and reject it",
    },
    "responsible": {
        "approve": "I am responsible for this record and approve the change",
        "reject": "I am responsible for this record and reject the change",
    },
    "verified": {
        "approve": "I verified this change against its source and approve it",
        "reject": "I verified this change against its source and reject it",
    },
}
MEANING_LABELS: Mapping[str, str] = {
    "reviewed": "I reviewed this change",
    "responsible": "I am responsible for this record",
    "verified": "I verified this change against its source",
}


@dataclass(frozen=True, slots=True)
class Wording:
    """A revision: which proposal's, its number, and the digest of its sealed bytes."""

    proposal: UUID
    number: int
    digest: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What a reviewer sees of a wording: checks and evidence as their rows keep them."""

    title: str
    base: Mapping[str, Json]
    checks: Sequence[Mapping[str, Any]]
    rows: Sequence[Row]
    evidence: Sequence[Mapping[str, Json]]
    terms: Terms


@dataclass(frozen=True, slots=True)
class Signing:
    """Who signs what, when and with which meaning; `nonce` is what nobody can guess before."""

    person: UUID
    printed_name: str
    at: datetime
    meaning: str
    choice: str
    wording: Wording
    render_digest: str
    nonce: str


def purpose(proposal_id: UUID, revision_digest: str, choice: str) -> str:
    """Return what a step-up for a decision is for, as SHA-256."""
    return digest(
        {
            "for": "decision",
            "proposal": str(proposal_id),
            "revision": revision_digest,
            "choice": choice,
        }
    )


def meaning_of(word: str, choice: str) -> str | None:
    """Return the sentence that is signed, or nothing when there is no such meaning."""
    return MEANINGS.get(word, {}).get(choice)


def is_signed(level: int, choice: str) -> bool:
    """Say whether a decision at this level takes a signature."""
    return level >= SIGNED and choice in SIGNED_CHOICES


def rendering(wording: Wording, shown: Shown) -> bytes:
    """Return the bytes of what a reviewer saw: words and numbers, without their layout."""
    rows: list[Json] = [_row(row) for row in shown.rows]
    checks: list[Json] = [
        {"name": item["name"], "passed": item["passed"], "sentence": item["sentence"]}
        for item in shown.checks
    ]
    asked: list[Json] = [*in_words(shown.terms)]
    value: Json = {
        "format": "countersign-rendering/1",
        "proposal": str(wording.proposal),
        "revision": wording.number,
        "revision_digest": wording.digest,
        "title": shown.title,
        "base": dict(shown.base),
        "checks": checks,
        "rows": rows,
        "evidence": [dict(item) for item in shown.evidence],
        "policy": f"{shown.terms.policy}, version {shown.terms.version}",
        "terms": asked,
    }
    return canonical_bytes(value)


def statement(signing: Signing) -> bytes:
    """Return the bytes of what is signed."""
    return canonical_bytes(
        {
            "format": "countersign-signature/1",
            "signer": {"id": str(signing.person), "printed_name": signing.printed_name},
            "signed_at": in_utc(signing.at),
            "meaning": signing.meaning,
            "choice": signing.choice,
            "proposal": str(signing.wording.proposal),
            "revision": signing.wording.number,
            "revision_digest": signing.wording.digest,
            "render_digest": signing.render_digest,
            "nonce": signing.nonce,
        }
    )


def in_utc(at: datetime) -> str:
    """Return a time as it stands in a statement: UTC, to the microsecond."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def in_words(terms: Terms) -> list[str]:
    """Say what terms ask for, one sentence each."""
    deny = min((item.deny for item in terms.asked), default=1)
    denials = "1 rejection ends it" if deny == 1 else f"{deny} rejections end it"
    people = ", or ".join(_people(item) for item in terms.asked) or "Nobody"
    sentences = [
        f"Level {terms.level}: {LEVELS[terms.level]}.",
        f"{people} must agree; {denials}.",
    ]
    if terms.hold_seconds:
        sentences.append(f"Held for {duration(terms.hold_seconds)} before it is carried out.")
    return sentences


def duration(seconds: int) -> str:
    """Say a number of seconds the way people do."""
    for size, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            count = seconds // size
            return f"{count} {word}" if count == 1 else f"{count} {word}s"
    return f"{seconds} seconds"


def _people(asked: Threshold) -> str:
    people = "1 person" if asked.approve == 1 else f"{asked.approve} people"
    filtered = f" of whom holds: {asked.filter}" if asked.filter else ""
    return f"{people} with the role {' or '.join(asked.roles)}{filtered}"


def _row(row: Row) -> dict[str, Json]:
    return {
        "path": row.path,
        "label": " · ".join(filter(None, [row.label, row.secondary])),
        "group": row.group or "",
        "op": row.op,
        "before": _text(row.before),
        "after": _text(row.after),
        "note": row.note,
    }


def _text(value: Formatted | None) -> str | None:
    if value is None:
        return None
    return f"{value.text} ({value.code})" if value.code else value.text
