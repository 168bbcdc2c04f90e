"""What does a proposer say was approved that was not, and what follows for its proposal?

Only agents and programs are judged: a person who says so can be asked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from approvals.authority_claims import Claim
from approvals.models import Proposal, Revision
from approvals.operations.previewing import Preview, preview_again
from approvals.operations.revising import revise
from approvals.queries.claims import false_claims
from console.actors import Actor, system
from console.canonical import Json
from console.ledger.operations.appending import append
from snapshots.queries import Head

_JUDGED = frozenset({"agent", "client"})
_WHY = "The answer says that this was approved; no such decision exists."


def hear(
    actor: Actor, texts: Iterable[tuple[str, str]], state_id: UUID | None
) -> tuple[Claim, ...]:
    """Return the claims in an actor's texts (place, words) that no decision on the State backs."""
    if actor.kind not in _JUDGED:
        return ()
    return tuple(false_claims(actor.workspace_id, texts, state_id))


def with_claims(shown: Preview, heard: Sequence[Claim]) -> Preview:
    """Return a preview with these claims beside those that were there before."""
    known = {claim.quote for claim in shown.claims}
    new = [claim for claim in heard if claim.quote not in known]
    return replace(shown, claims=(*shown.claims, *new)) if new else shown


def mark(
    head: Head,
    proposal: Proposal,
    current: Revision,
    heard: Sequence[Claim],
    *,
    actor: Actor,
    now: datetime,
) -> None:
    """Let a proposal stand under higher terms, as a new revision; part of the caller's transaction.

    Raises: EffectImpossible (422), DeniedByPolicy (403), Busy (409).
    """
    shown = preview_again(proposal, current, head)
    marked = with_claims(shown, heard)
    if marked.claims == shown.claims:
        return
    revise(proposal, current, marked, actor=actor, why=_WHY, now=now)
    say_false(proposal, heard)


def say_false(proposal: Proposal, heard: Sequence[Claim]) -> None:
    """Write down who claimed what, and under which level it stands for that."""
    if not heard:
        return
    quotes: list[Json] = [claim.to_json() for claim in heard]
    body: dict[str, Json] = {
        "claims": quotes,
        "revision": proposal.revision,
        "level": proposal.level,
    }
    guard = system("authority-check", proposal.workspace_id)
    append(guard, "proposal.false_authority", f"proposal:{proposal.id}", body)
