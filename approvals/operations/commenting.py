"""Say something about a proposal; it stays as it was said, and decides nothing."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from approvals.models import Comment
from approvals.operations.finding import find_alone
from approvals.operations.settling import announce
from approvals.queries.talking import is_proposer
from console.access.rights import allows
from console.actors import Actor
from console.canonical import Json, sha256
from console.errors import Forbidden, Invalid
from console.ledger.operations.appending import append

TEXT_AT_MOST = 4_000


class CommentInvalid(Invalid):
    """A comment says something, in at most 4,000 characters, none of them NUL."""

    code = "comment_invalid"


def comment(*, actor: Actor, proposal_id: UUID, text: str, now: datetime) -> UUID:
    """Keep what a person of the workspace, or the proposer, says; return the comment's id.

    Locks: the proposal. Raises: CommentInvalid (422), Forbidden (403), NotFound (404).
    """
    said = text.strip()
    if not said or len(said) > TEXT_AT_MOST or "\x00" in said:
        raise CommentInvalid(field="text")
    with transaction.atomic():
        proposal, _ = find_alone(actor, proposal_id)
        is_member = actor.kind == "person" and allows(actor.roles, "see")
        if not (is_member or is_proposer(actor, proposal)):
            raise Forbidden("People of the workspace and whoever proposed it may comment.")
        row = Comment.objects.create(
            workspace_id=proposal.workspace_id,
            proposal=proposal,
            revision=proposal.revision,
            actor=actor.to_json(),
            text=said,
            at=now,
        )
        body: dict[str, Json] = {"comment": str(row.id), "digest": sha256(said.encode())}
        append(actor, "proposal.commented", f"proposal:{proposal.id}", body)
        announce(proposal.id, proposal.workspace_id)
    return row.id
