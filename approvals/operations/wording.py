"""Write one immutable wording of a proposal."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from approvals.models import Proposal, Revision
from approvals.operations.evaluating import record
from approvals.operations.exposing import note
from approvals.operations.framing import Frame
from approvals.operations.previewing import Preview
from console.actors import Actor
from console.canonical import Json
from snapshots.diff import Change


@dataclass(frozen=True, slots=True)
class Words:
    """What a proposer or an editor said: parameters, stated changes, and their reasons.

    `second` is what another agent would have done, as a row keeps it.
    """

    params: dict[str, Any]
    stated: Sequence[Change]
    rationale: str
    why: str
    second: dict[str, Json] | None = None


def write_revision(
    proposal: Proposal, words: Words, shown: Preview, frame: Frame, *, author: Actor, now: datetime
) -> Revision:
    """Write the revision whose number the proposal has, with what it adds to its limits.

    Part of the caller's transaction, in which it was framed.
    """
    revision = Revision.objects.create(
        workspace_id=proposal.workspace_id,
        proposal=proposal,
        number=proposal.revision,
        params=words.params,
        stated=[change.to_json() for change in words.stated] or None,
        changes=[change.to_json() for change in shown.changes],
        checks=[check.to_json() for check in frame.checks],
        base_number=shown.base.number,
        base_digest=shown.base.digest,
        base_epoch=shown.base.epoch,
        outlet=shown.outlet,
        sealed=shown.sealed,
        digest=shown.digest,
        measure=shown.measure.to_json(),
        sources=[*shown.sources],
        terms=frame.terms.to_json(),
        # Who set the terms has no part in the proposal, and does not decide under them either.
        lineage=sorted({*proposal.lineage, *frame.terms.by}),
        author=author.to_json(),
        second=words.second,
        false_authority=[claim.to_json() for claim in shown.claims],
        rationale=words.rationale,
        why=words.why,
        created_at=now,
    )
    if not frame.denied:
        note(proposal, frame.shares, frame.buckets, now)
    record(proposal, proposal.revision, frame.evaluation, now)
    return revision
