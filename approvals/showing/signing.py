"""What does somebody sign with, and which signatures stand on a proposal?"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from approvals import packing
from approvals.formats import Segment
from approvals.packing import MEANING_LABELS, SIGNED_CHOICES
from approvals.queries import Detail
from approvals.queries.signing import rendering, signatures
from approvals.showing.texts import told
from console.access.queries import factor_kinds
from console.actors import Actor
from console.canonical import sha256

METHODS = {
    "password_totp": "password and one-time code",
    "passkey": "passkey, over the statement itself",
}


@dataclass(frozen=True, slots=True)
class SignForm:
    """What `approvals/_sign.html` asks for; `rendering` is the digest of what is on the page."""

    printed_name: str
    meanings: tuple[tuple[str, str], ...]
    meaning: str
    has_code: bool
    has_passkey: bool
    rendering: str


@dataclass(frozen=True, slots=True)
class Signed:
    """One signature as it stands on the record."""

    name: tuple[Segment, ...]
    meaning: str
    choice: str
    at: datetime
    method: str
    revision: int
    digest: str
    render_digest: str


def sign_form(found: Detail, actor: Actor, *, meaning: str = "") -> SignForm | None:
    """Return what the decision form asks for its signature, or nothing where it takes none."""
    if actor.kind != "person" or not packing.is_signed(found.terms.level, SIGNED_CHOICES[0]):
        return None
    kinds = factor_kinds(UUID(actor.id))
    return SignForm(
        printed_name=actor.name,
        meanings=tuple(MEANING_LABELS.items()),
        meaning=meaning or next(iter(MEANING_LABELS)),
        has_code="totp" in kinds,
        has_passkey="webauthn" in kinds,
        rendering=sha256(rendering(found.proposal, found.revision)),
    )


def signed(found: Detail) -> list[Signed]:
    """Return what `approvals/_signatures.html` shows, oldest first."""
    return [
        Signed(
            name=told(row.printed_name),
            meaning=row.meaning,
            choice=row.decision.choice,
            at=row.signed_at,
            method=METHODS[row.method],
            revision=row.decision.revision,
            digest=row.digest,
            render_digest=row.render_digest,
        )
        for row in signatures(found.proposal.workspace_id, found.proposal.id)
    ]
