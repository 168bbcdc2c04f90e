"""What has left the house, what is known of it, and what is still open outside?"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from approvals.models import (
    Attempt,
    Compensation,
    Connector,
    Decision,
    Discrepancy,
    Execution,
    Observation,
    Reconciliation,
    Resolution,
    Revision,
    SendSwitch,
)
from console.errors import NotFound
from console.ledger import queries as ledger
from console.ledger.models import Entry

_COUNTED_AT_MOST = 1_000
TOLD_BY_LEDGER = (
    "execution.asked_about",
    "execution.compensated",
    "execution.compensating",
    "execution.compensation_failed",
    "execution.failed",
    "execution.given_back",
    "execution.quarantined",
    "execution.recalled",
    "execution.taken_over",
    "execution.tried_again",
)


@dataclass(frozen=True, slots=True)
class Outside:
    """One execution, and all that is known of what became of it, oldest first."""

    execution: Execution
    revision: Revision
    connector: Connector | None
    decisions: list[Decision]
    attempts: list[Attempt]
    observations: list[Observation]
    resolutions: list[Resolution]
    discrepancies: list[Discrepancy]
    lines: list[Entry]
    # What is owed for it, and the whole of what is owed for the same cause, in its turns.
    compensation: Compensation | None
    turns: list[Compensation]
    # What this execution itself undoes, if it is a way back.
    compensates: Compensation | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many of a workspace wait for people, each counted up to a thousand."""

    in_doubt: int
    quarantined: int
    discrepancies: int


def executions(workspace_id: UUID) -> QuerySet[Execution]:
    """Return what leaves the house, with what a list shows of it."""
    return _shown(workspace_id).exclude(retry_class="local")


def set_aside(workspace_id: UUID) -> QuerySet[Execution]:
    """Return what was begun too often, whether it leaves the house or not."""
    return _shown(workspace_id).filter(status="quarantined")


def _shown(workspace_id: UUID) -> QuerySet[Execution]:
    rows = Execution.objects.filter(workspace=workspace_id)
    return rows.select_related("proposal__state", "owner", "compensation").defer("owner__password")


def wordings(found: Sequence[Execution]) -> dict[UUID, Revision]:
    """Return the approved wording of each of these executions, by execution."""
    asked = Q()
    for row in found:
        asked |= Q(proposal=row.proposal_id, number=row.revision)
    if not found:
        return {}
    rows = Revision.objects.filter(asked).only("proposal_id", "number", "outlet", "measure")
    by_wording = {(row.proposal_id, row.number): row for row in rows}
    return {row.id: by_wording[row.proposal_id, row.revision] for row in found}


def count_in_doubt(workspace_id: UUID) -> int:
    """Return how many nobody knows of whether they happened, counted up to a thousand."""
    rows = Execution.objects.filter(workspace=workspace_id, status="in_doubt")
    return rows.order_by()[:_COUNTED_AT_MOST].count()


def counts(workspace_id: UUID) -> Counts:
    """Return how many wait for people."""
    waiting = Execution.objects.filter(workspace=workspace_id, status="quarantined")
    differ = discrepancies(workspace_id).filter(closed_at=None)
    return Counts(
        in_doubt=count_in_doubt(workspace_id),
        quarantined=waiting.order_by()[:_COUNTED_AT_MOST].count(),
        discrepancies=differ.order_by()[:_COUNTED_AT_MOST].count(),
    )


def outside(workspace_id: UUID, execution_id: UUID) -> Outside:
    """Return one execution and all that is known of it. Raises: NotFound (404)."""
    row = _shown(workspace_id).filter(id=execution_id).first()
    if row is None:
        raise NotFound
    wording = Revision.objects.defer("sealed").get(proposal=row.proposal_id, number=row.revision)
    owed = Compensation.objects.filter(execution=row).select_related("proposal").first()
    return Outside(
        execution=row,
        revision=wording,
        connector=connectors(workspace_id).filter(name=row.connector).first(),
        decisions=_decisions(row),
        attempts=list(row.attempts.order_by("number")),
        observations=list(row.observations.order_by("at", "id")),
        resolutions=list(
            row.resolutions.select_related("person").defer("person__password").order_by("at", "id")
        ),
        discrepancies=list(discrepancies(workspace_id).filter(execution=row).order_by("found_at")),
        lines=_lines(row),
        compensation=owed,
        turns=_turns(workspace_id, owed),
        compensates=Compensation.objects.filter(workspace=workspace_id, proposal=row.proposal_id)
        .select_related("execution__proposal")
        .first(),
    )


def _decisions(row: Execution) -> list[Decision]:
    rows = Decision.objects.filter(proposal=row.proposal_id, revision=row.revision)
    rows = rows.select_related("person", "stands_for").defer(
        "person__password", "stands_for__password"
    )
    return list(rows.order_by("decided_at"))


def _lines(row: Execution) -> list[Entry]:
    """Return what of it stands nowhere but in the ledger: who took it over, and what was let go."""
    rows = ledger.entries(row.workspace_id).filter(subject=f"proposal:{row.proposal_id}")
    return list(rows.filter(verb__in=TOLD_BY_LEDGER).order_by("seq"))


def _turns(workspace_id: UUID, owed: Compensation | None) -> list[Compensation]:
    if owed is None:
        return []
    rows = Compensation.objects.filter(workspace=workspace_id, cause=owed.cause)
    return list(rows.select_related("execution__proposal", "proposal").order_by("number"))


def connectors(workspace_id: UUID) -> QuerySet[Connector]:
    """Return a workspace's ways out, whether they are offered now or not."""
    return Connector.objects.filter(workspace=workspace_id)


def connector(workspace_id: UUID, connector_id: UUID) -> Connector:
    """Return one way out. Raises: NotFound (404)."""
    row = connectors(workspace_id).filter(id=connector_id).first()
    if row is None:
        raise NotFound
    return row


def reconciliations(workspace_id: UUID) -> QuerySet[Reconciliation]:
    """Return the comparisons with what providers list, each with how many differences are open."""
    rows = Reconciliation.objects.filter(workspace=workspace_id).select_related("connector")
    return rows.annotate(still_open=Count("found", filter=Q(found__closed_at=None)))


def discrepancies(workspace_id: UUID) -> QuerySet[Discrepancy]:
    """Return the differences between our list and theirs."""
    rows = Discrepancy.objects.filter(workspace=workspace_id)
    return rows.select_related("connector", "execution__proposal", "closed_by").defer(
        "closed_by__password"
    )


def discrepancy(workspace_id: UUID, discrepancy_id: UUID) -> Discrepancy:
    """Return one difference. Raises: NotFound (404)."""
    row = discrepancies(workspace_id).filter(id=discrepancy_id).first()
    if row is None:
        raise NotFound
    return row


def switch(workspace_id: UUID) -> SendSwitch | None:
    """Return whether a workspace's effects may leave, if anybody ever said so."""
    return SendSwitch.objects.filter(workspace=workspace_id).first()


def stopped(workspace_id: UUID) -> SendSwitch | None:
    """Return who stopped the sending of a workspace, if it is stopped."""
    return SendSwitch.objects.filter(workspace=workspace_id, is_stopped=True).first()


def compensated_of(workspace_id: UUID, causes: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return for each cause how many of its compensations are done, and how many there are."""
    rows = Compensation.objects.filter(workspace=workspace_id, cause__in=causes)
    found = (
        rows.order_by()
        .values("cause")
        .annotate(done=Count("id", filter=Q(execution__status="compensated")), every=Count("id"))
    )
    return {row["cause"]: (row["done"], row["every"]) for row in found}
