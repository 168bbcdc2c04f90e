"""Tell the others who is looking at a proposal; it keeps nobody from deciding."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction

from approvals.models import Proposal
from approvals.operations.barring import refuse_unless_eligible, refuse_unless_pending
from approvals.operations.finding import find_alone
from approvals.operations.settling import announce
from console.access.rights import allows
from console.actors import Actor
from console.errors import Conflict, Forbidden


class AlreadyClaimed(Conflict):
    """Somebody else is looking at this proposal; you can still decide on it."""

    code = "already_claimed"


def claim(*, actor: Actor, proposal_id: UUID, now: datetime) -> datetime:
    """Say until when this person is looking at a proposal, and return that time.

    Whoever holds the claim renews it by claiming again; one that is over is anybody's. Nothing is
    written to the ledger: a lease says what somebody means to do, not what they did.
    Locks: the proposal.
    Raises: AlreadyClaimed, AlreadySettled, NotPending (409), NotEligible (403), NotFound (404).
    """
    with transaction.atomic():
        proposal, current = find_alone(actor, proposal_id)
        refuse_unless_pending(proposal, now)
        refuse_unless_eligible(actor, proposal, current, now)
        _refuse_if_anothers(actor, proposal, now)
        proposal.claimed_by_id = UUID(actor.id)
        proposal.claimed_until = now + settings.CLAIM_LEASE
        proposal.save(update_fields=["claimed_by", "claimed_until"])
        announce(proposal.id, proposal.workspace_id)
    return proposal.claimed_until


def release(*, actor: Actor, proposal_id: UUID, now: datetime) -> None:
    """Let go of a claim; one that is over or gone is let go already.

    Locks: the proposal. Raises: Forbidden (403), NotFound (404).
    """
    with transaction.atomic():
        proposal, _ = find_alone(actor, proposal_id)
        if not _is_claimed(proposal, now):
            return
        if not (_is_mine(actor, proposal) or allows(actor.roles, "administer")):
            raise Forbidden("Only whoever claimed it, or an admin, may release a claim.")
        proposal.claimed_by = proposal.claimed_until = None
        proposal.save(update_fields=["claimed_by", "claimed_until"])
        announce(proposal.id, proposal.workspace_id)


def _refuse_if_anothers(actor: Actor, proposal: Proposal, now: datetime) -> None:
    if _is_claimed(proposal, now) and not _is_mine(actor, proposal):
        name = proposal.claimed_by.name if proposal.claimed_by else ""
        until = proposal.claimed_until.isoformat() if proposal.claimed_until else ""
        sentence = f"{name} is looking at this proposal; you can still decide on it."
        raise AlreadyClaimed(sentence, by=name, until=until)


def _is_claimed(proposal: Proposal, now: datetime) -> bool:
    return proposal.claimed_until is not None and now < proposal.claimed_until


def _is_mine(actor: Actor, proposal: Proposal) -> bool:
    return str(proposal.claimed_by_id) == actor.id
