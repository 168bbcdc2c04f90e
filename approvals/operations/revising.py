"""Word a proposal anew on the State as it stands: the next revision, with the reason for it."""

from datetime import datetime

from approvals.effects import Check
from approvals.models import Proposal, Revision
from approvals.operations.evaluating import evaluate
from approvals.operations.previewing import Preview
from approvals.operations.proposing import ELIGIBILITY, risk_of, write_revision
from approvals.policy import rank
from console.actors import Actor
from snapshots.diff import Change


def revise(
    proposal: Proposal,
    current: Revision,
    shown: Preview,
    *,
    actor: Actor,
    why: str,
    now: datetime,
) -> None:
    """Make `shown` the proposal's next revision; part of the caller's transaction.

    Earlier decisions stay with the revision they were given to. Checks, title, risk and place in
    the queue are those of the new preview; who may decide was asked when it was proposed.
    """
    terms = evaluate(
        proposal.workspace_id,
        proposal.action_type,
        shown,
        current.params,
        agent=proposal.agent,
        now=now,
    )
    kept = [Check(**check) for check in current.checks if check["name"] == ELIGIBILITY]
    proposal.revision = current.number + 1
    proposal.base_number, proposal.title = shown.base.number, shown.title
    proposal.risk = risk_of(proposal.action_type, shown)
    proposal.rank = rank(proposal.risk, int(proposal.due_at.timestamp()))
    proposal.terms, proposal.policy, proposal.level = terms.to_json(), terms.policy, terms.level
    proposal.save()
    write_revision(
        proposal,
        proposal.revision,
        shown,
        [*shown.checks, *kept],
        author=actor,
        terms=terms,
        params=current.params,
        stated=[Change.from_json(item) for item in current.stated or []],
        rationale=current.rationale,
        why=why,
        now=now,
    )
