"""How attentively do people decide? To each their own figures, the rest only together."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from approvals.attentive import Share
from approvals.models import Decision
from approvals.policy import REASONED

Value = UUID | datetime | int
LOOKED_BACK = timedelta(days=30)
# Fewer than that say more about who they were than about how things go.
TOGETHER_AT_LEAST = 20
_HASTY_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Hasty:
    """A decision that came sooner than one can read: on what, when, after how many seconds."""

    proposal_id: UUID
    title: str
    at: datetime
    seconds: float
    fields: int


@dataclass(frozen=True, slots=True)
class Own:
    """One person's figures of the last 30 days, for their eyes."""

    decisions: int
    approvals: Share
    under_floor: Share
    evidence: Share
    found: Share
    median_seconds: float | None
    hasty: tuple[Hasty, ...]


@dataclass(frozen=True, slots=True)
class Together:
    """What was decided under one policy, by everybody; only where it is enough to hide each."""

    policy: str
    decisions: int
    approvals: Share
    under_floor: Share
    evidence: Share
    median_seconds: float | None
    found: Share | None


@dataclass(frozen=True, slots=True)
class Flow:
    """Whether people keep up: what waits, since when, and how long a decision takes."""

    waiting: int
    oldest_at: datetime | None
    median_seconds: float | None
    settled: dict[str, int]


_FIGURES = """
    count(*),
    count(*) FILTER (WHERE d.choice = 'approve'),
    count(*) FILTER (WHERE d.attention ? 'under_floor'),
    count(*) FILTER (WHERE (d.attention->>'under_floor')::boolean),
    count(*) FILTER (WHERE (d.attention->>'evidence_opened')::int > 0),
    percentile_cont(0.5) WITHIN GROUP (ORDER BY (d.attention->>'visible_seconds')::float8)
"""
_OWN = f"""
    SELECT {_FIGURES} FROM approvals_decision d
    WHERE d.workspace_id = %s AND d.person_id = %s AND d.decided_at >= %s
"""  # noqa: S608  (nothing of a request is in it)
_TOGETHER = f"""
    SELECT p.policy, {_FIGURES} FROM approvals_decision d
    JOIN approvals_proposal p ON p.id = d.proposal_id
    WHERE d.workspace_id = %s AND d.decided_at >= %s
    GROUP BY p.policy HAVING count(*) >= %s ORDER BY p.policy
"""  # noqa: S608  (nothing of a request is in it)
_CANARIES = """
    SELECT policy, count(*) FILTER (WHERE choice <> 'approve'), count(*) FROM approvals_canary
    WHERE workspace_id = %s AND answered_at >= %s AND choice <> 'unseen'
    GROUP BY policy
"""
_OWN_CANARIES = """
    SELECT count(*) FILTER (WHERE choice <> 'approve'), count(*) FROM approvals_canary
    WHERE workspace_id = %s AND person_id = %s AND answered_at >= %s AND choice <> 'unseen'
"""
_DUE = """
    SELECT d.workspace_id, d.person_id
    FROM approvals_decision d
    JOIN approvals_proposal p ON p.id = d.proposal_id
    WHERE d.decided_at >= %s AND p.level >= %s
        AND d.decided_at > coalesce((
            SELECT max(c.planted_at) FROM approvals_canary c
            WHERE c.workspace_id = d.workspace_id AND c.person_id = d.person_id
        ), '-infinity')
        AND NOT EXISTS (
            SELECT FROM approvals_canary c
            WHERE c.workspace_id = d.workspace_id AND c.person_id = d.person_id
                AND c.answered_at IS NULL
        )
    GROUP BY d.workspace_id, d.person_id
    HAVING count(*) >= %s
    LIMIT %s
"""
_FLOW = """
    SELECT
        (SELECT count(*) FROM approvals_proposal
            WHERE workspace_id = %(workspace)s AND status = 'pending'),
        (SELECT min(created_at) FROM approvals_proposal
            WHERE workspace_id = %(workspace)s AND status = 'pending'),
        (SELECT percentile_cont(0.5) WITHIN GROUP (
                ORDER BY extract(epoch FROM settled_at - created_at))
            FROM approvals_proposal
            WHERE workspace_id = %(workspace)s AND settled_at >= %(since)s
                AND status IN ('approved', 'rejected') AND level > 0)
"""
_SETTLED = """
    SELECT status, count(*) FROM approvals_proposal
    WHERE workspace_id = %s AND settled_at >= %s
        AND status NOT IN ('pending', 'info_requested', 'changes_requested')
    GROUP BY status ORDER BY status
"""


def own(workspace_id: UUID, person_id: UUID, now: datetime) -> Own:
    """Return a person's figures of the last 30 days."""
    since = now - LOOKED_BACK
    (count, approved, timed, hasty, opened, median) = _one(_OWN, workspace_id, person_id, since)
    found, answered = _one(_OWN_CANARIES, workspace_id, person_id, since)
    return Own(
        decisions=count,
        approvals=Share(approved, count),
        under_floor=Share(hasty, timed),
        evidence=Share(opened, timed),
        found=Share(found, answered),
        median_seconds=median,
        hasty=tuple(_hasty(workspace_id, person_id, since)),
    )


def _hasty(workspace_id: UUID, person_id: UUID, since: datetime) -> list[Hasty]:
    rows = Decision.objects.filter(workspace=workspace_id, person=person_id, decided_at__gte=since)
    rows = rows.filter(attention__under_floor=True).select_related("proposal")
    return [
        Hasty(
            row.proposal_id,
            row.proposal.title,
            row.decided_at,
            row.attention["visible_seconds"],
            row.attention.get("fields", 0),
        )
        for row in rows.order_by("-decided_at")[:_HASTY_SHOWN]
    ]


def together(workspace_id: UUID, now: datetime) -> list[Together]:
    """Return the figures by policy, for policies under which enough was decided."""
    since = now - LOOKED_BACK
    canaries = {row[0]: Share(row[1], row[2]) for row in _all(_CANARIES, workspace_id, since)}
    return [
        Together(
            policy=policy,
            decisions=count,
            approvals=Share(approved, count),
            under_floor=Share(hasty, timed),
            evidence=Share(opened, timed),
            median_seconds=median,
            found=_if_enough(canaries.get(policy)),
        )
        for policy, count, approved, timed, hasty, opened, median in _all(
            _TOGETHER, workspace_id, since, TOGETHER_AT_LEAST
        )
    ]


def _if_enough(share: Share | None) -> Share | None:
    return share if share and share.of >= TOGETHER_AT_LEAST else None


def due_for_a_canary(*, every: int, now: datetime, at_most: int) -> list[tuple[UUID, UUID]]:
    """Return (workspace, person) of those who decided `every` times since their last canary."""
    return [(row[0], row[1]) for row in _all(_DUE, now - LOOKED_BACK, REASONED, every, at_most)]


def flow(workspace_id: UUID, now: datetime) -> Flow:
    """Return whether people keep up, over the last 30 days."""
    since = now - LOOKED_BACK
    with connection.cursor() as cursor:
        cursor.execute(_FLOW, {"workspace": workspace_id, "since": since})
        waiting, oldest_at, median = cursor.fetchone()
    settled = {row[0]: row[1] for row in _all(_SETTLED, workspace_id, since)}
    return Flow(waiting, oldest_at, median, settled)


def _one(query: str, *values: Value) -> tuple[Any, ...]:
    return _all(query, *values)[0]


def _all(query: str, *values: Value) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return list(cursor.fetchall())
