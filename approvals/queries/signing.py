"""What would somebody sign who decides on a wording now, and what was signed?"""

from uuid import UUID

from approvals import packing
from approvals.fields import Field, rows
from approvals.models import Evidence, Proposal, Revision, Signature
from approvals.packing import Shown, Wording
from approvals.policy import Terms
from console.canonical import Json
from snapshots import queries as snapshots
from snapshots.diff import Change, apply


def wording_of(revision: Revision) -> Wording:
    """Return what names a revision in everything that is signed."""
    return Wording(revision.proposal_id, revision.number, revision.digest)


def rendering(proposal: Proposal, revision: Revision) -> bytes:
    """Return the bytes of what a reviewer sees of a proposal's current wording."""
    before, after = _documents(proposal, revision)
    changes = [Change.from_json(item) for item in revision.changes]
    fields = [Field.from_json(item) for item in proposal.action_type.fields]
    shown = Shown(
        title=proposal.title,
        base={
            "state": str(proposal.state_id),
            "number": revision.base_number,
            "digest": revision.base_digest,
            "epoch": revision.base_epoch,
        },
        checks=revision.checks,
        rows=rows(changes, fields, before, after),
        evidence=_evidence(proposal),
        terms=Terms.from_json(revision.terms, escalated=proposal.escalated_at is not None),
    )
    return packing.rendering(wording_of(revision), shown)


def signatures(workspace_id: UUID, proposal_id: UUID) -> list[Signature]:
    """Return the signatures on a proposal, oldest first."""
    rows = Signature.objects.filter(workspace=workspace_id, decision__proposal=proposal_id)
    return list(rows.select_related("decision").order_by("signed_at"))


def _documents(proposal: Proposal, revision: Revision) -> tuple[Json, Json]:
    changes = [Change.from_json(item) for item in revision.changes]
    try:
        before = snapshots.content(proposal.state_id, revision.base_number)
    except snapshots.Gone:
        return None, None
    return before, apply(before, changes)


def _evidence(proposal: Proposal) -> list[dict[str, Json]]:
    rows = Evidence.objects.filter(proposal=proposal).order_by("number")
    return [
        {"number": row.number, "label": row.label, "source": row.source, "digest": row.digest}
        for row in rows
    ]
