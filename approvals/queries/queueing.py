"""Which proposals are wanted, how many, and what else touches what they touch?

Everything that is only asked of what is open goes through partial indexes over what is open.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet, Subquery

from approvals import lifecycle
from approvals.filtering import ME, NONE, OPEN, Filters
from approvals.models import ActionType, Decision, Proposal, Snooze
from approvals.policy import Reviewer
from approvals.queries.eligible import in_force
from approvals.queries.reviewers import as_reviewers
from console.access.queries import people_with_role
from console.access.rights import ROLES, allows
from console.actors import Actor
from snapshots import queries as snapshots

HIGH = 3
SOON = timedelta(hours=1)
LATELY = timedelta(days=1)
# How many that wait on one State are held against each other.
COMPARED_AT_MOST = 40
DECIDERS = sorted(role for role in ROLES if allows(frozenset({role}), "decide"))
ORDERS = {"queue": ("rank", False), "newest": ("created_at", True), "deadline": ("due_at", False)}
_EQUAL = ("agent", "subject", "counterparty", "policy", "currency")
# Read per State, so that one with thousands costs no more than one with forty.
_TOUCHED = """
    SELECT near.id, near.state_id, near.title,
           jsonb_path_query_array(wording.changes, '$[*].path') AS paths
      FROM unnest(%(states)s::uuid[]) AS wanted (id)
     CROSS JOIN LATERAL (
        SELECT id, state_id, title, revision, rank FROM approvals_proposal
         WHERE state_id = wanted.id AND workspace_id = %(workspace)s AND status = ANY(%(open)s)
         ORDER BY rank, id LIMIT %(most)s) AS near
      JOIN approvals_revision AS wording
        ON wording.proposal_id = near.id AND wording.number = near.revision
     ORDER BY near.rank, near.id
"""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at the queue, in whose place they may decide, and who else decides.

    `mine` is the person as a reviewer, and once more for each that they stand in for; `deciders`
    is the same of everybody who decides in this workspace.
    """

    person_id: UUID | None
    stands_for: tuple[UUID, ...] = ()
    mine: tuple[Reviewer, ...] = ()
    deciders: tuple[Reviewer, ...] = ()

    @property
    def everyone(self) -> list[UUID]:
        """Return this person and whom they stand in for."""
        return [*([self.person_id] if self.person_id else []), *self.stands_for]


@dataclass(frozen=True, slots=True)
class Touching:
    """Another proposal that waits on the same State, and the paths that it changes."""

    id: UUID
    state_id: UUID
    title: str
    paths: frozenset[str]


@dataclass(frozen=True, slots=True)
class Lately:
    """What a person did in the last day, when the next deadline is, and if there ever was one."""

    decided: int
    next_due_at: datetime | None
    is_first_day: bool


def viewer(actor: Actor, now: datetime) -> Viewer:
    """Return whoever looks at the queue; a program looks at everybody's, and decides nothing."""
    if actor.kind != "person":
        return Viewer(None)
    person_id = UUID(actor.id)
    people = [one.id for one, _ in people_with_role(actor.workspace_id, DECIDERS)]
    away = sorted(set(in_force(actor.workspace_id, now).values_list("delegate", "person")))
    pairs: list[tuple[UUID, UUID | None]] = [(one, None) for one in people]
    pairs += [(delegate, person) for delegate, person in away if delegate in people]
    known = as_reviewers(actor.workspace_id, pairs)
    return Viewer(
        person_id,
        stands_for=tuple(person for delegate, person in away if delegate == person_id),
        mine=tuple(one for one in known if one.ref == actor.ref),
        deciders=tuple(known),
    )


def wanted(
    workspace_id: UUID, filters: Filters, known: Viewer, now: datetime
) -> QuerySet[Proposal]:
    """Return the proposals that filters ask for, with what a list shows of them."""
    rows = (
        Proposal.objects.filter(workspace=workspace_id)
        .select_related("action_type", "state", "assignee", "claimed_by")
        .defer("assignee__password", "claimed_by__password")
    )
    if filters.status:
        rows = rows.filter(_status(filters.status))
    for name in _EQUAL:
        if value := getattr(filters, name):
            rows = rows.filter(**{name: value})
    # Not joined by their names: a subquery is asked once, and then an index leads on.
    if filters.action_type:
        named = ActionType.objects.filter(workspace=workspace_id, name=filters.action_type)
        rows = rows.filter(action_type=Subquery(named.values("id")))
    if filters.state:
        kept = snapshots.states(workspace_id).filter(key=filters.state)
        rows = rows.filter(state=Subquery(kept.values("id")))
    return rows.filter(_measured(filters, now)).filter(_personal(filters, known, now))


def among(workspace_id: UUID, ids: Sequence[UUID]) -> dict[UUID, Proposal]:
    """Return those of a workspace's proposals, by id, whatever became of them."""
    rows = Proposal.objects.filter(workspace=workspace_id, id__in=ids)
    known = rows.select_related("action_type", "state", "assignee", "claimed_by").defer(
        "assignee__password", "claimed_by__password"
    )
    return {row.id: row for row in known}


def counts(workspace_id: UUID, known: Viewer, now: datetime) -> dict[str, int]:
    """Return how many are open, of which kind, and how many of them are this person's."""
    rows = Proposal.objects.filter(workspace=workspace_id, status__in=lifecycle.OPEN).order_by()
    kinds = {status: Q(status=status) for status in lifecycle.OPEN}
    kinds |= {
        "high_risk": Q(risk__gte=HIGH),
        "due_within_an_hour": Q(due_at__lt=now + SOON),
        "unassigned": Q(assignee=None),
        "escalated": Q(escalated_at__isnull=False),
    }
    if known.person_id is not None:
        kinds |= {"mine": _mine(known, now), "claimed": _claimed(known, now)}
    kept = {f"of_{name}": Count("id", filter=kind) for name, kind in kinds.items()}
    found: dict[str, int] = rows.aggregate(of_open=Count("id"), **kept)
    return {name.removeprefix("of_"): number for name, number in found.items()}


def lately(workspace_id: UUID, known: Viewer, now: datetime) -> Lately:
    """Return what an empty queue tells: what this person decided, and the next deadline."""
    decided = Decision.objects.filter(
        workspace=workspace_id, person=known.person_id, decided_at__gte=now - LATELY
    )
    rows = Proposal.objects.filter(workspace=workspace_id)
    next_due_at = rows.filter(status__in=lifecycle.OPEN).aggregate(at=Min("due_at"))["at"]
    return Lately(decided.count(), next_due_at, is_first_day=not rows.exists())


def touching(workspace_id: UUID, state_ids: Iterable[UUID]) -> list[Touching]:
    """Return what waits on these States with the paths it changes, at most so many of each."""
    values: dict[str, Any] = {
        "workspace": workspace_id,
        "states": sorted(set(state_ids)),
        "open": [*lifecycle.OPEN],
        "most": COMPARED_AT_MOST,
    }
    with connection.cursor() as cursor:
        cursor.execute(_TOUCHED, values)
        return [
            Touching(row_id, state_id, title, frozenset(json.loads(paths)))
            for row_id, state_id, title, paths in cursor.fetchall()
        ]


def _status(status: str) -> Q:
    return Q(status__in=lifecycle.OPEN) if status == OPEN else Q(status=status)


def _measured(filters: Filters, now: datetime) -> Q:
    asked = Q()
    if filters.risk_gte is not None:
        asked &= Q(risk__gte=filters.risk_gte)
    if filters.level is not None:
        asked &= Q(level=filters.level)
    if filters.amount_gte is not None:
        asked &= Q(amount__gte=filters.amount_gte)
    if due_by := filters.due_by(now):
        asked &= Q(due_at__lt=due_by)
    return asked & Q(title__icontains=filters.q) if filters.q else asked


def _personal(filters: Filters, known: Viewer, now: datetime) -> Q:
    """Return what depends on whoever looks; what they put off is not in their queue."""
    asked = Q()
    if filters.assignee == NONE:
        asked &= Q(assignee=None)
    elif filters.assignee == ME:
        asked &= _mine(known, now)
    if filters.claimed == ME:
        asked &= _claimed(known, now)
    if filters.eligible == ME:
        asked &= _undecided(known)
    if known.person_id is None or not filters.is_open:
        return asked
    put_off = Exists(
        Snooze.objects.filter(proposal=OuterRef("pk"), person=known.person_id, until__gt=now)
    )
    return asked & (Q(put_off) if filters.snoozed == ME else ~Q(put_off))


def _mine(known: Viewer, now: datetime) -> Q:
    return Q(assignee__in=known.everyone) | _claimed(known, now)


def _claimed(known: Viewer, now: datetime) -> Q:
    return Q(claimed_by=known.person_id, claimed_until__gt=now)


def _undecided(known: Viewer) -> Q:
    """Return what can be decided on and is not this person's own, nor decided by them.

    Roles, predicates and authority are asked of the rules afterwards.
    """
    said = Decision.objects.filter(
        proposal=OuterRef("pk"), revision=OuterRef("revision"), person=known.person_id
    )
    own = Q(lineage__contains=[f"person:{known.person_id}"])
    return Q(status=lifecycle.PENDING) & ~own & ~Q(Exists(said))
