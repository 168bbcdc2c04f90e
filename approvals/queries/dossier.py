"""Which rows tell the whole of one proposal, from its first wording to what was carried out?"""

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from approvals.models import (
    Attempt,
    BreakGlass,
    Comment,
    Compensation,
    Decision,
    Evidence,
    Execution,
    InfoRequest,
    Observation,
    Proposal,
    Resolution,
    Review,
    Revision,
    Signature,
)
from console.errors import NotFound
from console.ledger import queries as ledger
from console.ledger.models import Entry
from snapshots import queries as snapshots

if TYPE_CHECKING:
    from snapshots.models import Snapshot


@dataclass(frozen=True, slots=True)
class Everything:
    """All rows of a proposal, each kind in the order in which it came."""

    proposal: Proposal
    revisions: list[Revision]
    evidence: list[Evidence]
    decisions: list[Decision]
    signatures: list[Signature]
    comments: list[Comment]
    questions: list[InfoRequest]
    glasses: list[BreakGlass]
    executions: list[Execution]
    attempts: list[Attempt]
    observations: list[Observation]
    resolutions: list[Resolution]
    compensations: list[Compensation]
    snapshots: "dict[int, Snapshot]"
    reviews: list[Review]
    lines: list[Entry]
    end: Entry | None

    @property
    def current(self) -> Revision:
        """Return the wording that counts."""
        return self.revisions[-1]


def everything(workspace_id: UUID, proposal_id: UUID) -> Everything:
    """Return all rows of a proposal. Raises: NotFound (404)."""
    rows = Proposal.objects.filter(workspace=workspace_id, id=proposal_id)
    proposal = rows.select_related("action_type", "state", "workspace").first()
    if proposal is None:
        raise NotFound
    executions = list(proposal.executions.order_by("revision"))
    reviews = (
        Review.objects.filter(execution__proposal=proposal)
        .select_related("person")
        .defer("person__password")
    )
    return Everything(
        proposal=proposal,
        revisions=list(proposal.revisions.order_by("number")),
        evidence=list(proposal.evidence.order_by("number")),
        decisions=_decisions(proposal),
        signatures=_signatures(proposal),
        comments=list(proposal.comments.order_by("at", "id")),
        questions=list(
            proposal.info_requests.select_related("person")
            .defer("person__password")
            .order_by("number")
        ),
        glasses=_glasses(proposal),
        executions=executions,
        attempts=list(Attempt.objects.filter(execution__in=executions).order_by("number")),
        observations=list(
            Observation.objects.filter(execution__in=executions).order_by("at", "id")
        ),
        resolutions=_resolutions(executions),
        compensations=list(Compensation.objects.filter(execution__in=executions)),
        snapshots=_snapshots(proposal, executions),
        reviews=list(reviews.order_by("due_at", "number")),
        lines=_lines(proposal),
        end=ledger.entries(workspace_id).order_by("-seq").first(),
    )


def _decisions(proposal: Proposal) -> list[Decision]:
    rows = proposal.decisions.select_related("person", "stands_for").defer(
        "person__password", "stands_for__password"
    )
    return list(rows.order_by("decided_at", "id"))


def _signatures(proposal: Proposal) -> list[Signature]:
    return list(Signature.objects.filter(decision__proposal=proposal).order_by("signed_at", "id"))


def _glasses(proposal: Proposal) -> list[BreakGlass]:
    rows = BreakGlass.objects.filter(proposal=proposal)
    return list(rows.select_related("person").defer("person__password").order_by("at"))


def _resolutions(executions: list[Execution]) -> list[Resolution]:
    rows = (
        Resolution.objects.filter(execution__in=executions)
        .select_related("person")
        .defer("person__password")
    )
    return list(rows.order_by("at", "id"))


def _snapshots(proposal: Proposal, executions: list[Execution]) -> "dict[int, Snapshot]":
    numbers = [row.snapshot_number for row in executions if row.snapshot_number is not None]
    rows = snapshots.snapshots(proposal.workspace_id, proposal.state_id)
    return {row.number: row for row in rows.filter(number__in=numbers)}


def _lines(proposal: Proposal) -> list[Entry]:
    rows = ledger.entries(proposal.workspace_id).filter(subject=f"proposal:{proposal.id}")
    return list(rows.order_by("seq"))
