"""What leaves the house over HTTP: programs look, people say what became of it."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Field, Query, Router, Schema
from pydantic import ConfigDict

from approvals.api.executions import CarryingOut
from approvals.api.proposals import READERS
from approvals.operations import quarantining, resolving, stopping
from approvals.operations.asking_again import ask_now
from approvals.operations.compensating import compensate_again
from approvals.operations.reconciling import ask_for_reconciliation, close_discrepancy
from approvals.operations.testing_connectors import ask_for_test
from approvals.showing import abroad
from console.access.bearer import ClientRequest
from console.access.people import People
from console.endpoints import PROBLEMS

router = Router()
connectors_router = Router()
reconciliations_router = Router()
discrepancies_router = Router()
sending_router = Router()
Limit = Annotated[int, Query(ge=1, le=100)]
Status = Literal[
    "",
    "held",
    "ready",
    "claimed",
    "sent",
    "in_doubt",
    "quarantined",
    "succeeded",
    "failed",
    "recalled",
    "compensating",
    "compensated",
    "compensation_failed",
]


class OutsideOut(CarryingOut):
    """One effect that leaves the house; `key` names it at the provider, `reference` is theirs.

    `outlet` is where people approved that it goes: connector, kind, retry_class, address, digest.
    """

    key: str
    title: str
    outlet: dict[str, Any] | None
    amount: str | None
    currency: str


class OutsidePage(Schema):
    """Some effects, newest first; `next_cursor` continues, empty at the end."""

    items: list[OutsideOut]
    next_cursor: str


class AttemptOut(Schema):
    """One sending; `outcome` is empty, acknowledged, refused or unknown."""

    number: int
    request_digest: str
    request_bytes: int
    sent_at: datetime
    deadline_at: datetime
    outcome: str
    answer_status: int | None
    answer: str
    reference: str
    ended_at: datetime | None


class ObservationOut(Schema):
    """What was learned beside an answer: executed, absent, refused or unclear."""

    source: str
    says: str
    reference: str
    detail: str
    at: datetime


class ResolutionOut(Schema):
    """What one person said became of an attempt, and on which evidence."""

    attempt: int
    person: UUID
    name: str
    verdict: str
    reference: str
    evidence: str
    at: datetime


class TurnOut(Schema):
    """One step of undoing effects of the same cause, in its turn."""

    turn: int
    execution: UUID
    status: str
    proposal: UUID | None
    is_irreversible: bool
    text: str
    due_at: datetime | None


class OutsideDetail(OutsideOut):
    """One effect with its attempts, and everything learned and said about it, oldest first."""

    attempts: list[AttemptOut]
    observations: list[ObservationOut]
    resolutions: list[ResolutionOut]
    compensations: list[TurnOut]


class ResolveIn(Schema):
    """What a person says became of the newest attempt, and how they know."""

    model_config = ConfigDict(extra="forbid")

    attempt: Annotated[int, Field(ge=1, le=9999)]
    verdict: Literal["executed", "absent", "send_again"]
    reference: Annotated[str, Field(max_length=200)] = ""
    evidence: Annotated[str, Field(min_length=1, max_length=1000)]


class ReasonIn(Schema):
    """Why."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(max_length=500)]


class StopIn(ReasonIn):
    """Why sending is stopped, and the workspace's short name, typed."""

    typed: Annotated[str, Field(max_length=80)]


class NoteIn(Schema):
    """What somebody found out about a difference."""

    model_config = ConfigDict(extra="forbid")

    note: Annotated[str, Field(max_length=500)]


class ConnectorOut(Schema):
    """What everybody may know of a way out; no secret is among it."""

    id: UUID
    name: str
    kind: str
    retry_class: str
    address: str
    digest: str
    actions: list[str]
    deadline_seconds: float
    settle_seconds: float
    retention_seconds: float | None
    is_offered: bool
    can_ask: bool
    can_list: bool
    seen_at: datetime
    test_asked_at: datetime | None
    compare_asked_at: datetime | None
    tested_at: datetime | None
    test_passed: bool | None
    test_says: str


class ConnectorPage(Schema):
    """Some ways out, oldest first; `next_cursor` continues, empty at the end."""

    items: list[ConnectorOut]
    next_cursor: str


class ReconciliationOut(Schema):
    """One comparison of what we sent with what a provider lists."""

    id: UUID
    connector: str
    since: datetime
    until: datetime
    began_at: datetime
    ended_at: datetime | None
    counts: dict[str, int]
    problem: str


class ReconciliationPage(Schema):
    """Some comparisons, newest first; `next_cursor` continues, empty at the end."""

    items: list[ReconciliationOut]
    next_cursor: str


class DiscrepancyOut(Schema):
    """One difference: not_theirs, not_ours, twice or differs."""

    id: UUID
    connector: str
    kind: str
    key: str
    execution: UUID | None
    reference: str
    text: str
    found_at: datetime
    closed_at: datetime | None
    closed_by: UUID | None
    note: str


class DiscrepancyPage(Schema):
    """Some differences, newest first; `next_cursor` continues, empty at the end."""

    items: list[DiscrepancyOut]
    next_cursor: str


class SendingOut(Schema):
    """Whether effects may leave the house, and who said so last."""

    is_stopped: bool
    by: str
    reason: str
    at: datetime | None


class Proposed(Schema):
    """The proposal that would undo it."""

    proposal: UUID


@router.get("", auth=READERS, response={200: OutsidePage, **PROBLEMS})
def list_outside(
    request: ClientRequest,
    status: Status = "",
    connector: Annotated[str, Query(max_length=60)] = "",
    cursor: str = "",
    limit: Limit = 50,
) -> dict[str, Any]:
    """List what leaves the house, newest first."""
    return abroad.outside(
        request.actor.workspace_id, status=status, connector=connector, cursor=cursor, size=limit
    )


@router.get("/{uuid:execution_id}", auth=READERS, response={200: OutsideDetail, **PROBLEMS})
def get_outside(request: ClientRequest, execution_id: UUID) -> dict[str, Any]:
    """Look at one effect and all that is known of it."""
    return abroad.one(request.actor.workspace_id, execution_id)


@router.post(
    "/{uuid:execution_id}/resolve",
    auth=People("resolve"),
    response={200: OutsideDetail, **PROBLEMS},
)
def resolve_doubt(request: ClientRequest, execution_id: UUID, payload: ResolveIn) -> dict[str, Any]:
    """Say what became of it; two people who had no part in it have to agree."""
    resolving.resolve(
        actor=request.actor,
        execution_id=execution_id,
        attempt_number=payload.attempt,
        verdict=payload.verdict,
        reference=payload.reference,
        evidence=payload.evidence,
        now=datetime.now(UTC),
    )
    return abroad.one(request.actor.workspace_id, execution_id)


@router.post(
    "/{uuid:execution_id}/take-over",
    auth=People("resolve"),
    response={200: OutsideDetail, **PROBLEMS},
)
def take_over_doubt(request: ClientRequest, execution_id: UUID) -> dict[str, Any]:
    """Become the one who sees to it."""
    resolving.take_over(actor=request.actor, execution_id=execution_id, now=datetime.now(UTC))
    return abroad.one(request.actor.workspace_id, execution_id)


@router.post(
    "/{uuid:execution_id}/ask",
    auth=People("resolve"),
    response={200: OutsideDetail, **PROBLEMS},
)
def ask_provider(request: ClientRequest, execution_id: UUID) -> dict[str, Any]:
    """Have its provider asked now."""
    ask_now(actor=request.actor, execution_id=execution_id, now=datetime.now(UTC))
    return abroad.one(request.actor.workspace_id, execution_id)


@router.post(
    "/{uuid:execution_id}/try-again",
    auth=People("administer"),
    response={200: OutsideDetail, **PROBLEMS},
)
def try_set_aside_again(
    request: ClientRequest, execution_id: UUID, payload: ReasonIn
) -> dict[str, Any]:
    """Let the sender begin anew what was set aside."""
    now = datetime.now(UTC)
    quarantining.try_again(
        actor=request.actor, execution_id=execution_id, reason=payload.reason, now=now
    )
    return abroad.one(request.actor.workspace_id, execution_id)


@router.post(
    "/{uuid:execution_id}/drop",
    auth=People("administer"),
    response={200: OutsideDetail, **PROBLEMS},
)
def drop_set_aside(request: ClientRequest, execution_id: UUID, payload: ReasonIn) -> dict[str, Any]:
    """Let what was set aside not be carried out."""
    now = datetime.now(UTC)
    quarantining.drop(
        actor=request.actor, execution_id=execution_id, reason=payload.reason, now=now
    )
    return abroad.one(request.actor.workspace_id, execution_id)


@router.post(
    "/{uuid:execution_id}/undo-again",
    auth=People("resolve"),
    response={200: Proposed, **PROBLEMS},
)
def undo_again(request: ClientRequest, execution_id: UUID, payload: ReasonIn) -> dict[str, Any]:
    """Propose once more what undoes it; others decide on that."""
    now = datetime.now(UTC)
    made = compensate_again(
        actor=request.actor, execution_id=execution_id, reason=payload.reason, now=now
    )
    return {"proposal": made}


@connectors_router.get("", auth=READERS, response={200: ConnectorPage, **PROBLEMS})
def list_connectors(request: ClientRequest, cursor: str = "", limit: Limit = 50) -> dict[str, Any]:
    """List the ways out of the house."""
    return abroad.connectors(request.actor.workspace_id, cursor=cursor, size=limit)


@connectors_router.post(
    "/{uuid:connector_id}/test",
    auth=People("connect"),
    response={200: ConnectorOut, **PROBLEMS},
)
def test_connector(request: ClientRequest, connector_id: UUID) -> dict[str, Any]:
    """Have a provider reached without an order; what came of it stands in the connector."""
    workspace_id = request.actor.workspace_id
    name = abroad.connector(workspace_id, connector_id)["name"]
    ask_for_test(actor=request.actor, name=name, now=datetime.now(UTC))
    return abroad.connector(workspace_id, connector_id)


@connectors_router.post(
    "/{uuid:connector_id}/compare",
    auth=People("connect"),
    response={200: ConnectorOut, **PROBLEMS},
)
def compare_connector(request: ClientRequest, connector_id: UUID) -> dict[str, Any]:
    """Have what went through it compared with its provider's list."""
    workspace_id = request.actor.workspace_id
    name = abroad.connector(workspace_id, connector_id)["name"]
    ask_for_reconciliation(actor=request.actor, name=name, now=datetime.now(UTC))
    return abroad.connector(workspace_id, connector_id)


@reconciliations_router.get("", auth=READERS, response={200: ReconciliationPage, **PROBLEMS})
def list_reconciliations(
    request: ClientRequest, cursor: str = "", limit: Limit = 50
) -> dict[str, Any]:
    """List the comparisons that were made, newest first."""
    return abroad.reconciliations(request.actor.workspace_id, cursor=cursor, size=limit)


@discrepancies_router.get("", auth=READERS, response={200: DiscrepancyPage, **PROBLEMS})
def list_discrepancies(
    request: ClientRequest,
    closed: bool = False,  # noqa: FBT001, FBT002  (a word of the address)
    cursor: str = "",
    limit: Limit = 50,
) -> dict[str, Any]:
    """List what differs, newest first: what nobody has seen to, or what somebody has."""
    return abroad.discrepancies(
        request.actor.workspace_id, closed=closed, cursor=cursor, size=limit
    )


@discrepancies_router.post(
    "/{uuid:discrepancy_id}/close",
    auth=People("see"),
    response={200: DiscrepancyOut, **PROBLEMS},
)
def close_difference(
    request: ClientRequest, discrepancy_id: UUID, payload: NoteIn
) -> dict[str, Any]:
    """Note that somebody has seen to a difference, and what they found."""
    now = datetime.now(UTC)
    close_discrepancy(
        actor=request.actor, discrepancy_id=discrepancy_id, note=payload.note, now=now
    )
    return abroad.discrepancy(request.actor.workspace_id, discrepancy_id)


@sending_router.get("", auth=READERS, response={200: SendingOut, **PROBLEMS})
def get_sending(request: ClientRequest) -> dict[str, Any]:
    """Say whether effects may leave the house."""
    return abroad.switch(request.actor.workspace_id)


@sending_router.post("/stop", auth=People("connect"), response={200: SendingOut, **PROBLEMS})
def stop_the_sending(request: ClientRequest, payload: StopIn) -> dict[str, Any]:
    """Let nothing leave the house any more; stopped twice, it is stopped once."""
    now = datetime.now(UTC)
    stopping.stop_sending(actor=request.actor, reason=payload.reason, typed=payload.typed, now=now)
    return abroad.switch(request.actor.workspace_id)


@sending_router.post("/resume", auth=People("connect"), response={200: SendingOut, **PROBLEMS})
def resume_the_sending(request: ClientRequest, payload: ReasonIn) -> dict[str, Any]:
    """Let effects leave the house again."""
    now = datetime.now(UTC)
    stopping.resume_sending(actor=request.actor, reason=payload.reason, now=now)
    return abroad.switch(request.actor.workspace_id)
