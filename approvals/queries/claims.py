"""Which of the claims that something was approved does no decision of the workspace bear out?"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from approvals.authority_claims import Claim, claims, unfounded
from approvals.models import Decision, Revision


def false_claims(
    workspace_id: UUID, texts: Iterable[tuple[str, str]], state_id: UUID | None
) -> list[Claim]:
    """Return the claims in texts (place, words) that name nothing approved for this State.

    A decision about another record says nothing of this one.
    """
    found = claims(texts)
    if not found:
        return []
    named = {each for claim in found for each in claim.named}
    rows = Decision.objects.filter(
        proposal__workspace=workspace_id,
        proposal__state=state_id,
        proposal__in=named,
        proposal__status="approved",
        choice="approve",
    )
    return unfounded(found, set(rows.values_list("proposal", flat=True)) if named else set())


def false_authority(workspace_id: UUID, proposal_id: UUID) -> list[Claim]:
    """Return the claims for which the newest wording of a proposal is marked."""
    rows = Revision.objects.filter(workspace=workspace_id, proposal=proposal_id)
    kept = rows.order_by("-number").values_list("false_authority", flat=True).first()
    return [Claim.from_json(item) for item in kept or []]


def newly_false(workspace_id: UUID, proposal_id: UUID, since: datetime) -> list[Claim]:
    """Return the claims that wordings since then are marked for, and none before was."""
    rows = Revision.objects.filter(workspace=workspace_id, proposal=proposal_id).order_by("number")
    known: set[str] = set()
    new: dict[str, Claim] = {}
    for created_at, kept in rows.values_list("created_at", "false_authority"):
        claims = map(Claim.from_json, kept)
        if created_at < since:
            known |= {claim.quote for claim in claims}
        else:
            new |= {claim.quote: claim for claim in claims if claim.quote not in known}
    return [*new.values()]
