"""Word a proposal anew on the State as it stands: the next revision, with the reason for it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from approvals.lifecycle import PENDING
from approvals.models import Proposal, Revision, Snooze
from approvals.operations.evaluating import risk_of
from approvals.operations.framing import frame_again
from approvals.operations.previewing import Preview
from approvals.operations.wording import Words, write_revision
from approvals.policy import rank
from console.actors import Actor
from snapshots.diff import Change


def reopen(
    proposal: Proposal, current: Revision, shown: Preview, *, actor: Actor, why: str, now: datetime
) -> None:
    """Let an approved proposal wait for people again, as a new revision that says why.

    Part of the caller's transaction. Raises: DeniedByPolicy (403), Busy (409).
    """
    proposal.status, proposal.settled_at = PENDING, None
    proposal.settled_by = proposal.settled_reason = ""
    revise(proposal, current, shown, actor=actor, why=why, now=now)


def revise(  # noqa: PLR0913  (a wording may differ in each of these)
    proposal: Proposal,
    current: Revision,
    shown: Preview,
    *,
    actor: Actor,
    why: str,
    now: datetime,
    params: dict[str, Any] | None = None,
    stated: Sequence[Change] | None = None,
    rationale: str | None = None,
    lineage: Iterable[str] = (),
) -> None:
    """Make `shown` the proposal's next revision; part of the caller's transaction.

    What is not said stays as it was; `lineage` are those who had a part in this wording, too.
    Earlier decisions stay with the revision they were given to. Checks, terms, title, risk and
    place in the queue are those of the new preview. It comes back to whoever had put it off.
    Locks: the buckets of its limits. Raises: DeniedByPolicy (403), Busy (409).
    """
    params = current.params if params is None else params
    if stated is None:
        stated = [Change.from_json(item) for item in current.stated or []]
    found = frame_again(proposal, current, shown, now, params=params, lineage=lineage)
    terms = found.terms
    proposal.revision = current.number + 1
    proposal.base_number, proposal.title = shown.base.number, shown.title
    proposal.risk = risk_of(proposal.action_type, shown)
    proposal.rank = rank(proposal.risk, int(proposal.due_at.timestamp()))
    proposal.amount, proposal.currency = shown.measure.amount, shown.measure.currency
    proposal.counterparty, proposal.subject = shown.measure.counterparty, shown.measure.subject
    proposal.lineage = sorted({*proposal.lineage, *lineage})
    proposal.terms, proposal.policy, proposal.level = terms.to_json(), terms.policy, terms.level
    proposal.save()
    said = current.rationale if rationale is None else rationale
    words = Words(params, stated, said, why, current.second)
    write_revision(proposal, words, shown, found, author=actor, now=now)
    Snooze.objects.filter(proposal=proposal).delete()
