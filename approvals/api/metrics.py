"""Figures about decisions, for whoever watches from outside: never about a single person."""

from datetime import UTC, datetime

from ninja import Router, Schema

from approvals.attentive import Share
from approvals.queries import attention
from console.access.bearer import Bearer, ClientRequest
from console.access.people import People
from console.endpoints import PROBLEMS

router = Router()


class ShareOut(Schema):
    """So many of so many; `low` and `high` are percentages between which the share lies (95 %)."""

    count: int
    of: int
    low: int | None
    high: int | None


class PolicyFigures(Schema):
    """What was decided under one policy in 30 days, where it was enough to hide each person."""

    policy: str
    decisions: int
    approvals: ShareOut
    under_floor: ShareOut
    evidence_opened: ShareOut
    median_seconds: float | None
    canaries_found: ShareOut | None


class ApprovalMetrics(Schema):
    """Whether people keep up, and whether they look."""

    waiting: int
    oldest_at: datetime | None
    median_seconds_to_decide: float | None
    settled: dict[str, int]
    policies: list[PolicyFigures]


@router.get(
    "/approvals",
    auth=[Bearer("policies:read"), People("see", only=False)],
    response={200: ApprovalMetrics, **PROBLEMS},
)
def approval_metrics(request: ClientRequest) -> ApprovalMetrics:
    """Say what waits, how long decisions take, and how they were made, over the last 30 days."""
    now = datetime.now(UTC)
    flow = attention.flow(request.actor.workspace_id, now)
    return ApprovalMetrics(
        waiting=flow.waiting,
        oldest_at=flow.oldest_at,
        median_seconds_to_decide=flow.median_seconds,
        settled=flow.settled,
        policies=[_policy(row) for row in attention.together(request.actor.workspace_id, now)],
    )


def _policy(row: attention.Together) -> PolicyFigures:
    return PolicyFigures(
        policy=row.policy,
        decisions=row.decisions,
        approvals=_share(row.approvals),
        under_floor=_share(row.under_floor),
        evidence_opened=_share(row.evidence),
        median_seconds=row.median_seconds,
        canaries_found=_share(row.found) if row.found else None,
    )


def _share(share: Share) -> ShareOut:
    low, high = share.interval or (None, None)
    return ShareOut(count=share.count, of=share.of, low=low, high=high)
