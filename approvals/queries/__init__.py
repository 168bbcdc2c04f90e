"""What waits, what does it say, and what became of it?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from approvals import lifecycle
from approvals.fields import Field
from approvals.models import (
    ActionType,
    Connector,
    Decision,
    Evidence,
    Execution,
    Proposal,
    Revision,
)
from approvals.policy import Terms
from approvals.queries.eligible import (
    Eligible,
    authority_limits,
    delegations,
    eligible,
    in_force,
    left_to_agree,
    may_stand_for,
)
from approvals.queries.policies import Policies, open_policy_changes, policies
from approvals.queries.reviewers import (
    authority,
    most_who_may,
    question,
    reviewer,
    reviewers,
    stake_of,
    terms_of,
    votes,
)
from console.canonical import Json
from console.errors import NotFound
from snapshots.diff import Change

__all__ = [
    "Answer",
    "Detail",
    "Eligible",
    "Policies",
    "Settled",
    "Waiting",
    "action_types",
    "answer",
    "authority",
    "authority_limits",
    "delegations",
    "detail",
    "eligible",
    "execution",
    "fields_of",
    "final_among",
    "first_waiting",
    "held_on",
    "in_force",
    "left_the_house",
    "left_to_agree",
    "may_stand_for",
    "most_who_may",
    "of_origin",
    "on_their_way",
    "open_on",
    "open_policy_changes",
    "open_proposals",
    "outdated_states",
    "outlet_of",
    "policies",
    "proposals",
    "question",
    "recently_settled",
    "reviewer",
    "reviewers",
    "revisions",
    "sealed",
    "settled_proposals",
    "stake_of",
    "status_at_first",
    "stood_on",
    "terms_of",
    "votes",
    "with_execution",
    "with_wording",
    "workspace_of_open",
]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a proposer learns: where the proposal stands, who settled it, and why.

    `is_final` says that nothing more will come unless the proposer does something: it is settled
    for good, or changes were requested of it. `revision` is the one that this is about.
    """

    proposal_id: UUID
    status: str
    is_final: bool
    by: str
    reason: str
    snapshot_number: int | None
    revision: int = 1

    def to_json(self) -> dict[str, Json]:
        """Return the answer as a run's journal keeps it."""
        return {
            "proposal_id": str(self.proposal_id),
            "status": self.status,
            "by": self.by,
            "reason": self.reason,
            "snapshot_number": self.snapshot_number,
            "revision": self.revision,
        }


@dataclass(frozen=True, slots=True)
class Detail:
    """Everything a reviewer's page shows about one proposal."""

    proposal: Proposal
    revision: Revision
    terms: Terms
    evidence: list[Evidence]
    decisions: list[Decision]
    execution: Execution | None

    @property
    def changes(self) -> list[Change]:
        """Return the effect as changes."""
        return [Change.from_json(item) for item in self.revision.changes]

    @property
    def fields(self) -> list[Field]:
        """Return how the action type describes its fields."""
        return fields_of(self.proposal.action_type)


def fields_of(action_type: ActionType) -> list[Field]:
    """Return how an action type describes its fields."""
    return [Field.from_json(item) for item in action_type.fields]


def proposals(workspace_id: UUID) -> QuerySet[Proposal]:
    """Return a workspace's proposals with what a list shows of them."""
    return Proposal.objects.filter(workspace=workspace_id).select_related("action_type", "state")


def open_proposals(workspace_id: UUID) -> QuerySet[Proposal]:
    """Return what waits, with the number of approvals its current revision has."""
    approves = Decision.objects.filter(
        proposal=OuterRef("pk"), revision=OuterRef("revision"), choice="approve"
    )
    # A subquery per shown row: a join would count before the page is cut.
    counted = approves.order_by().values("proposal").annotate(n=Count("*")).values("n")
    rows = proposals(workspace_id).filter(status__in=lifecycle.OPEN)
    return rows.annotate(approvals=Coalesce(Subquery(counted), 0))


def recently_settled(workspace_id: UUID, *, size: int = 10) -> list[Proposal]:
    """Return what was settled last, newest first."""
    rows = proposals(workspace_id).exclude(status__in=lifecycle.OPEN)
    return list(rows.order_by("-settled_at", "-id")[:size])


def detail(workspace_id: UUID, proposal_id: UUID) -> Detail:
    """Return one proposal with its current revision and all around it. Raises: NotFound (404)."""
    rows = (
        proposals(workspace_id)
        .select_related("assignee", "claimed_by")
        .defer("assignee__password", "claimed_by__password")
    )
    proposal = rows.filter(id=proposal_id).first()
    if proposal is None:
        raise NotFound
    decisions = Decision.objects.filter(proposal=proposal)
    decisions = decisions.select_related("person", "stands_for", "signature").defer(
        "person__password", "stands_for__password"
    )
    revision = Revision.objects.defer("sealed").get(proposal=proposal, number=proposal.revision)
    return Detail(
        proposal=proposal,
        revision=revision,
        terms=terms_of(proposal, revision),
        evidence=list(proposal.evidence.order_by("number")),
        decisions=list(decisions.order_by("decided_at")),
        execution=proposal.executions.order_by("-revision").first(),
    )


def revisions(workspace_id: UUID, proposal_id: UUID) -> list[Revision]:
    """Return every wording a proposal has had, oldest first."""
    rows = Revision.objects.filter(workspace=workspace_id, proposal=proposal_id)
    return list(rows.defer("sealed").order_by("number"))


def answer(workspace_id: UUID, proposal_id: UUID) -> Answer:
    """Return what a proposer may know now. Raises: NotFound (404).

    An approval is final once it is known what became of it: carried out, or not.
    """
    row = Proposal.objects.filter(workspace=workspace_id, id=proposal_id).first()
    if row is None:
        raise NotFound
    execution = row.executions.filter(revision=row.revision).first()
    is_under_way = execution is not None and execution.status in lifecycle.UNDER_WAY
    by, reason = _changes_requested(row) or (row.settled_by, row.settled_reason)
    return Answer(
        proposal_id=row.id,
        status=row.status,
        is_final=row.status not in lifecycle.UNANSWERED and not is_under_way,
        by=by,
        reason=reason,
        snapshot_number=execution.snapshot_number if execution else None,
        revision=row.revision,
    )


def _changes_requested(row: Proposal) -> tuple[str, str] | None:
    """Return who wants which changes, if somebody does."""
    if row.status != "changes_requested":
        return None
    asked = row.decisions.filter(revision=row.revision, choice="request_changes")
    last = asked.select_related("person").defer("person__password").order_by("-decided_at").first()
    return (last.person.name, last.reason) if last else None


def final_among(proposal_ids: Sequence[UUID]) -> set[UUID]:
    """Return those of the proposals of which nothing more will come by itself; see `Answer`."""
    rows = Proposal.objects.filter(id__in=proposal_ids)
    settled = rows.exclude(status__in=lifecycle.UNANSWERED)
    way = Execution.objects.filter(proposal__in=proposal_ids, status__in=lifecycle.UNDER_WAY)
    return set(settled.values_list("id", flat=True)) - set(way.values_list("proposal", flat=True))


def status_at_first(proposal_id: UUID) -> Literal["pending", "approved", "denied"]:
    """Return how a proposal stood when it was made: waiting for people, or settled by a policy."""
    first = Revision.objects.select_related("proposal").get(proposal=proposal_id, number=1)
    if first.proposal.status == "denied":
        return "denied"
    return "pending" if first.terms["level"] else "approved"


def of_origin(workspace_id: UUID, origin: str) -> list[Proposal]:
    """Return what one run or client has proposed, oldest first."""
    rows = proposals(workspace_id).filter(origin=origin)
    return list(rows.order_by("created_at", "id")[:500])


def outdated_states(*, at_most: int = 50) -> list[tuple[UUID, UUID]]:
    """Return (workspace, State) where open proposals stand on an older snapshot."""
    rows = Proposal.objects.filter(status__in=lifecycle.OPEN).exclude(
        base_number=F("state__number")
    )
    found = rows.order_by().values_list("workspace_id", "state_id").distinct()
    return list(found[:at_most])


def outlet_of(action_type: ActionType) -> dict[str, Json] | None:
    """Return where the effect of an action type leaves the house, or nothing if nobody knows."""
    rows = Connector.objects.filter(workspace=action_type.workspace_id)
    row = rows.filter(name=action_type.connector).first()
    if row is None or (row.actions and action_type.name not in row.actions):
        return None
    return {
        "connector": row.name,
        "kind": row.kind,
        "retry_class": row.retry_class,
        "address": row.address,
        "digest": row.digest,
    }


def action_types(workspace_id: UUID) -> QuerySet[ActionType]:
    """Return a workspace's action types."""
    return ActionType.objects.filter(workspace=workspace_id)


def workspace_of_open(state_id: UUID) -> UUID | None:
    """Return the workspace of a State on which proposals are open, or nothing."""
    rows = Proposal.objects.filter(state=state_id, status__in=lifecycle.OPEN)
    return rows.values_list("workspace_id", flat=True).first()


@dataclass(frozen=True, slots=True)
class Waiting:
    """One open proposal of a list: its current wording, and what was decided on that."""

    proposal: Proposal
    revision: Revision
    decisions: list[Decision]

    @property
    def changes(self) -> list[Change]:
        """Return the effect as changes."""
        return [Change.from_json(item) for item in self.revision.changes]


@dataclass(frozen=True, slots=True)
class Settled:
    """One settled proposal of a list, and how it was carried out if it was."""

    proposal: Proposal
    execution: Execution | None


def settled_proposals(workspace_id: UUID) -> QuerySet[Proposal]:
    """Return what no longer waits."""
    return proposals(workspace_id).exclude(status__in=lifecycle.OPEN)


def with_wording(found: Sequence[Proposal]) -> list[Waiting]:
    """Return proposals with their current revisions and the decisions on these."""
    current = Revision.objects.filter(proposal__in=found, number=F("proposal__revision"))
    wordings = {row.proposal_id: row for row in current.defer("sealed", "params", "rationale")}
    decisions: dict[UUID, list[Decision]] = {}
    said = Decision.objects.filter(proposal__in=found, revision=F("proposal__revision"))
    for row in said.select_related("person").defer("person__password").order_by("decided_at"):
        decisions.setdefault(row.proposal_id, []).append(row)
    return [Waiting(row, wordings[row.id], decisions.get(row.id, [])) for row in found]


def with_execution(found: Sequence[Proposal]) -> list[Settled]:
    """Return settled proposals with their last executions."""
    rows = Execution.objects.filter(proposal__in=found).order_by("revision")
    executions = {row.proposal_id: row for row in rows}
    return [Settled(row, executions.get(row.id)) for row in found]


def first_waiting(workspace_id: UUID, *, size: int) -> list[Waiting]:
    """Return the head of the queue: highest risk first, then the nearest deadline."""
    rows = proposals(workspace_id).filter(status__in=lifecycle.OPEN)
    return with_wording(list(rows.order_by("rank", "id")[:size]))


def sealed(workspace_id: UUID, proposal_id: UUID, number: int | None) -> Revision:
    """Return a wording with its sealed bytes; the current one without a number.

    Raises: NotFound (404).
    """
    rows = Revision.objects.filter(workspace=workspace_id, proposal=proposal_id)
    rows = rows.filter(number=F("proposal__revision") if number is None else number)
    row = rows.first()
    if row is None:
        raise NotFound("This proposal has no such revision.")
    return row


def execution(workspace_id: UUID, execution_id: UUID) -> Execution:
    """Return one execution. Raises: NotFound (404)."""
    row = Execution.objects.filter(workspace=workspace_id, id=execution_id).first()
    if row is None:
        raise NotFound
    return row


def held_on(state_id: UUID) -> Execution | None:
    """Return the execution that keeps others off a State, if there is one."""
    rows = Execution.objects.filter(status__in=lifecycle.UNDER_WAY, proposal__state=state_id)
    return rows.select_related("proposal").first()


def stood_on(workspace_id: UUID, state_id: UUID) -> dict[int, str]:
    """Return the snapshots on which a State's proposals stand: `open` or else `decided`.

    A wording that was superseded before anybody decided on it is not counted: with every new
    snapshot an open proposal gets another one.
    """
    decided = Decision.objects.filter(
        proposal=OuterRef("proposal"), revision=OuterRef("number"), workspace=workspace_id
    )
    rows = Revision.objects.filter(workspace=workspace_id, proposal__state=state_id)
    rows = rows.filter(Q(number=F("proposal__revision")) | Exists(decided))
    found = rows.values_list("base_number", "number", "proposal__revision", "proposal__status")
    stands: dict[int, str] = {}
    for base, number, current, status in found.distinct().iterator():
        is_open = lifecycle.is_open(status) and number == current
        stands[base] = "open" if is_open else stands.get(base, "decided")
    return stands


def open_on(
    workspace_id: UUID, state_ids: Sequence[UUID], origins: Sequence[str] = ()
) -> list[Proposal]:
    """Return what waits for a decision on one of these States, or from one of these runs."""
    rows = proposals(workspace_id).filter(status__in=lifecycle.OPEN)
    rows = rows.filter(Q(state__in=state_ids) | Q(origin__in=origins))
    return list(rows.order_by("created_at", "id"))


def on_their_way(
    workspace_id: UUID, state_ids: Sequence[UUID], origins: Sequence[str]
) -> list[Execution]:
    """Return the executions under way to one of these States, or for one of these runs.

    Held, or outside: nothing may be brought back below them.
    """
    rows = Execution.objects.filter(workspace=workspace_id, status__in=lifecycle.UNDER_WAY)
    rows = rows.filter(Q(proposal__state__in=state_ids) | Q(proposal__origin__in=origins))
    return list(rows.select_related("proposal").order_by("due_at", "id"))


def left_the_house(workspace_id: UUID, state_id: UUID, *, after: int) -> list[Execution]:
    """Return the executions on a State whose effect outside no rollback takes back.

    Only those recorded in snapshots after a number, and those that the record could not follow,
    which stand in no snapshot.
    """
    rows = Execution.objects.filter(
        workspace=workspace_id, status__in=lifecycle.DONE, proposal__state=state_id
    )
    outside = Q(proposal__action_type__leaves_house=True) | ~Q(retry_class="local")
    unrecorded = Q(snapshot_number=None) & ~Q(retry_class="local")
    rows = rows.filter(outside, Q(snapshot_number__gt=after) | unrecorded)
    found = rows.select_related("proposal__action_type").order_by("snapshot_number", "executed_at")
    return list(found)
