"""Sign a decision: a fresh proof of who somebody is, over exactly what they saw and said.

A statement is made before the proof, so that a passkey signs its very digest; when the decision
is recorded, the statement is made again from what is true then and has to be the same.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol
from uuid import UUID

from approvals import packing
from approvals.models import Decision, Proposal, Revision, Signature
from approvals.packing import Signing
from approvals.queries import canaries
from approvals.queries.signing import rendering, wording_of
from console.access.operations import stepping_up
from console.access.operations.stepping_up import Proof, StepUpRequired
from console.actors import Actor
from console.canonical import Json, sha256
from console.errors import Conflict, Invalid, NotFound


class MeaningUnknown(Invalid):
    """Say what your signature means, in one of the ways that the form offers."""

    code = "meaning_unknown"


class RenderingChanged(Conflict):
    """What is shown here changed after you opened it; look at it again before you sign."""

    code = "rendering_changed"
    status: ClassVar[int] = 412


class Signed(Protocol):
    """What of an act concerns its signature."""

    @property
    def choice(self) -> str:
        """Return what was chosen."""

    @property
    def meaning(self) -> str:
        """Return the word for what the signature means."""

    @property
    def step_up(self) -> UUID | None:
        """Return the proof of who it is."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement that waits for a proof: what the proof is for, and what it has to be about.

    `challenge` is what a passkey signs, the statement's digest; empty where nothing is stated.
    """

    purpose: str
    about: Mapping[str, Json] = field(default_factory=dict)
    challenge: bytes = b""


def prepare(
    *,
    actor: Actor,
    proposal_id: UUID,
    revision_digest: str,
    choice: str,
    meaning: str,
    now: datetime,
) -> Prepared:
    """Return the statement of a decision on a wording that is current now.

    A choice that is proven and not signed, such as breaking the glass, has no statement.
    Raises: NotFound (404), RenderingChanged (412), MeaningUnknown (422).
    """
    proposal, current = _found(actor, proposal_id)
    if current.digest != revision_digest:
        raise RenderingChanged
    purpose = packing.purpose(proposal_id, revision_digest, choice)
    if choice not in packing.SIGNED_CHOICES:
        return Prepared(purpose)
    about: dict[str, Json] = {
        "meaning": meaning,
        "nonce": secrets.token_hex(16),
        "render_digest": sha256(rendering(proposal, current)),
        "signed_at": now.isoformat(),
    }
    stated = packing.statement(_signing(actor, current, choice, about))
    return Prepared(purpose, about, bytes.fromhex(sha256(stated)))


def sign(
    *, decision: Decision, revision: Revision, actor: Actor, act: Signed, now: datetime
) -> Signature:
    """Make a decision a signed one and use the proof up; part of the caller's transaction.

    Raises: StepUpRequired (403), RenderingChanged (412), MeaningUnknown (422).
    """
    proof = stepping_up.use(
        step_up=act.step_up,
        person=UUID(actor.id),
        purpose=packing.purpose(decision.proposal_id, revision.digest, act.choice),
        now=now,
    )
    rendered = rendering(decision.proposal, revision)
    about = _about(proof, act.meaning, sha256(rendered))
    if about["render_digest"] != sha256(rendered):
        raise RenderingChanged
    signing = _signing(actor, revision, act.choice, about)
    stated = packing.statement(signing)
    if act.meaning != about["meaning"] or not _is_over(proof, stated):
        raise StepUpRequired
    return Signature.objects.create(
        workspace_id=decision.workspace_id,
        decision=decision,
        person_id=signing.person,
        step_up_id=proof.id,
        printed_name=signing.printed_name,
        meaning=signing.meaning,
        method=proof.method,
        statement=stated,
        digest=sha256(stated),
        rendering=rendered,
        render_digest=signing.render_digest,
        assertion=proof.assertion,
        signed_at=signing.at,
    )


def _found(actor: Actor, proposal_id: UUID) -> tuple[Proposal, Revision]:
    rows = Proposal.objects.filter(workspace=actor.workspace_id, id=proposal_id)
    proposal = rows.select_related("action_type").first()
    if proposal is None:
        return _planted(actor, proposal_id)
    return proposal, Revision.objects.get(proposal=proposal, number=proposal.revision)


def _planted(actor: Actor, canary_id: UUID) -> tuple[Proposal, Revision]:
    """Return a canary as the proposal it looks like: up to the decision it asks for the same."""
    if actor.kind != "person":
        raise NotFound
    found = canaries.detail_of(canaries.canary(actor.workspace_id, UUID(actor.id), canary_id))
    return found.proposal, found.revision


def _about(proof: Proof, meaning: str, render_digest: str) -> Mapping[str, Any]:
    """Return what a proof was about; one made without a statement is about what is true now."""
    if proof.about:
        return proof.about
    return {
        "meaning": meaning,
        "nonce": proof.id.hex,
        "render_digest": render_digest,
        "signed_at": proof.verified_at.isoformat(),
    }


def _signing(actor: Actor, revision: Revision, choice: str, about: Mapping[str, Any]) -> Signing:
    meaning = packing.meaning_of(about["meaning"], choice)
    if meaning is None:
        raise MeaningUnknown(field="meaning")
    return Signing(
        person=UUID(actor.id),
        printed_name=actor.name,
        at=datetime.fromisoformat(about["signed_at"]),
        meaning=meaning,
        choice=choice,
        wording=wording_of(revision),
        render_digest=about["render_digest"],
        nonce=about["nonce"],
    )


def _is_over(proof: Proof, stated: bytes) -> bool:
    """Say whether a passkey signed this very statement; a password signs none."""
    if proof.method != "passkey":
        return True
    return proof.assertion is not None and proof.assertion["challenge"] == sha256(stated)
