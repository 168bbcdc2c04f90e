"""Put an action before people: validate, preview, find the terms, write, ring."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from approvals.effects import STATED, Check
from approvals.models import ActionType, Evidence, Proposal, Revision
from approvals.operations.evaluating import evaluate
from approvals.operations.previewing import Preview, preview
from approvals.parameters import objections_to
from approvals.policy import Terms, rank
from console.access.queries import people_with_role
from console.actors import Actor
from console.canonical import FILE_LIMITS, Json, Unreadable, check, digest, sha256
from console.errors import Conflict, Invalid, KeyReused
from console.ledger.operations.appending import append
from console.live import ring
from snapshots import queries as snapshots
from snapshots.diff import Change
from snapshots.operations.committing import EpochPassed, HeadMoved
from snapshots.queries import Head

EVIDENCE_AT_MOST = 20
RATIONALE_AT_MOST = 4_000
ELIGIBILITY = "Enough people may decide"


class UnknownActionType(Invalid):
    """There is no action type with this name in the workspace."""

    code = "unknown_action_type"


class ParamsInvalid(Invalid):
    """The parameters do not fit the action type's schema."""

    code = "invalid_params"


class AlreadyRejected(Conflict):
    """People rejected exactly this action on this record; change it or stop."""

    code = "already_rejected"


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A piece of evidence as it comes in: what it is called, where it was found, what it says.

    `paths` are the JSON Pointers of the changed values that it speaks for.
    """

    label: str
    source: str
    content: str
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """An action somebody wants to be carried out.

    `origin` and `origin_step` name the place it came from; the same place proposes once.
    `base_number` is the snapshot the proposer looked at, if it insists on it; `epoch` is that of
    the State when the proposer began, if it has to be still the same.
    `stated` are the changes of an action type whose effect is `stated`.
    """

    state_key: str
    action_type: str
    params: dict[str, Any]
    origin: str
    origin_step: str
    stated: tuple[Change, ...] = ()
    evidence: tuple[Exhibit, ...] = ()
    rationale: str = ""
    external_ref: str = ""
    wake_task: str = ""
    lineage: tuple[str, ...] = field(default=())
    base_number: int | None = None
    epoch: int | None = None

    @property
    def digest(self) -> str:
        """Return what makes two requests the same: State, action, parameters, stated changes."""
        stated: list[Json] = [change.to_json() for change in self.stated]
        value: Json = {
            "state": self.state_key,
            "action_type": self.action_type,
            "params": self.params,
            "stated": stated,
        }
        return digest(value)


def propose(*, actor: Actor, request: Request, now: datetime) -> UUID:
    """Make an action wait for a decision and return the proposal's id; one place proposes once.

    Raises: UnknownActionType, UnknownState, ParamsInvalid, KeyReused, EffectImpossible (422),
    AlreadyRejected, EpochPassed (409), HeadMoved (412).
    """
    _refuse_unless_storable(request)
    if known := _known(actor, request):
        return known
    action_type = _action_type(actor, request)
    base = snapshots.named(actor.workspace_id, request.state_key)
    if request.epoch is not None and request.epoch != base.epoch:
        raise EpochPassed
    if request.base_number not in {None, base.number}:
        raise HeadMoved(expected=request.base_number, found=base.number)
    _refuse_if_rejected(actor, request, base)
    shown = preview(action_type, request.params, list(request.stated), base)
    try:
        with transaction.atomic():
            return _write(actor, request, action_type, shown, now)
    except IntegrityError:
        # Two deliveries of one step met here; the other one has written the proposal.
        if known := _known(actor, request):
            return known
        raise


def _refuse_unless_storable(request: Request) -> None:
    stated: list[Json] = [change.to_json() for change in request.stated]
    said: list[Json] = [request.rationale, request.external_ref]
    shown: list[Json] = [
        text for item in request.evidence for text in (item.label, item.source, item.content)
    ]
    try:
        check([request.params, stated, said, shown], FILE_LIMITS)
    except Unreadable as error:
        raise ParamsInvalid(error.sentence) from error


def _known(actor: Actor, request: Request) -> UUID | None:
    rows = Proposal.objects.filter(workspace_id=actor.workspace_id, origin=request.origin)
    known = rows.filter(origin_step=request.origin_step).first()
    if known and not _is_repeated(known, request):
        raise KeyReused(proposal=str(known.id))
    return known.id if known else None


def _refuse_if_rejected(actor: Actor, request: Request, base: Head) -> None:
    """Refuse what the same run asked before, or the same client while the record has not moved."""
    rows = Proposal.objects.filter(
        workspace_id=actor.workspace_id,
        origin=request.origin,
        request_digest=request.digest,
        status="rejected",
    )
    if not request.origin.startswith("run:"):
        rows = rows.filter(base_number=base.number)
    if rows.exists():
        raise AlreadyRejected


def _is_repeated(known: Proposal, request: Request) -> bool:
    """Tell whether a request says what the one before it said, down to its evidence."""
    first = known.revisions.get(number=1)
    rows = known.evidence.order_by("number")
    shown = [Exhibit(row.label, row.source, row.content, tuple(row.paths)) for row in rows]
    return (
        known.request_digest == request.digest
        and known.external_ref == request.external_ref
        and first.rationale == request.rationale[:RATIONALE_AT_MOST]
        and shown == list(request.evidence)
    )


def _action_type(actor: Actor, request: Request) -> ActionType:
    rows = ActionType.objects.filter(workspace_id=actor.workspace_id)
    action_type = rows.filter(name=request.action_type).first()
    if action_type is None:
        sentence = f"There is no action type {request.action_type!r}."
        raise UnknownActionType(sentence, field="action_type")
    found = objections_to(request.params, action_type.params_schema)
    if found:
        listed: list[Json] = [{"field": f"params.{name}", "message": text} for name, text in found]
        raise ParamsInvalid(found[0][1], errors=listed)
    if request.stated and action_type.effect != STATED:
        sentence = "The effect of this action type is worked out here; it takes no stated changes."
        raise ParamsInvalid(sentence, field="changes")
    if len(request.evidence) > EVIDENCE_AT_MOST:
        raise ParamsInvalid(f"At most {EVIDENCE_AT_MOST} pieces of evidence.", field="evidence")
    return action_type


def _write(
    actor: Actor, request: Request, action_type: ActionType, shown: Preview, now: datetime
) -> UUID:
    agent = actor.name if actor.kind == "agent" else ""
    terms = evaluate(actor.workspace_id, action_type, shown, request.params, agent=agent, now=now)
    lineage = sorted({*actor.lineage, *request.lineage})
    checks = [*shown.checks, *_eligibility(actor, terms, lineage)]
    risk = risk_of(action_type, shown)
    due_at = now + timedelta(seconds=terms.expires_seconds)
    proposal = Proposal.objects.create(
        workspace_id=actor.workspace_id,
        state_id=shown.base.state_id,
        action_type=action_type,
        base_number=shown.base.number,
        title=shown.title,
        proposer=actor.to_json(),
        lineage=lineage,
        terms=terms.to_json(),
        policy=terms.policy,
        level=terms.level,
        amount=shown.measure.amount,
        currency=shown.measure.currency,
        counterparty=shown.measure.counterparty,
        subject=shown.measure.subject,
        agent=agent[:120],
        risk=risk,
        rank=rank(risk, int(due_at.timestamp())),
        origin=request.origin,
        origin_step=request.origin_step,
        request_digest=request.digest,
        wake_task=request.wake_task,
        external_ref=request.external_ref,
        created_at=now,
        due_at=due_at,
    )
    write_revision(
        proposal,
        1,
        shown,
        checks,
        author=actor,
        terms=terms,
        params=request.params,
        stated=request.stated,
        rationale=request.rationale[:RATIONALE_AT_MOST],
        why="proposed",
        now=now,
    )
    _keep_evidence(proposal, request.evidence, now)
    body: dict[str, Json] = {
        "title": proposal.title,
        "action_type": action_type.name,
        "revision": 1,
        "digest": shown.digest,
        "policy": f"{terms.policy} v{terms.version}",
    }
    append(actor, "proposal.made", f"proposal:{proposal.id}", body)
    ring("queue", actor.workspace_id)
    return proposal.id


def write_revision(  # noqa: PLR0913  (a row's columns)
    proposal: Proposal,
    number: int,
    shown: Preview,
    checks: Sequence[Check],
    *,
    author: Actor,
    terms: Terms,
    params: dict[str, Any],
    stated: Sequence[Change],
    rationale: str,
    why: str,
    now: datetime,
) -> Revision:
    """Write one immutable wording of a proposal; part of the caller's transaction."""
    return Revision.objects.create(
        workspace_id=proposal.workspace_id,
        proposal=proposal,
        number=number,
        params=params,
        stated=[change.to_json() for change in stated] or None,
        changes=[change.to_json() for change in shown.changes],
        checks=[check.to_json() for check in checks],
        base_number=shown.base.number,
        base_digest=shown.base.digest,
        base_epoch=shown.base.epoch,
        sealed=shown.sealed,
        measure=shown.measure.to_json(),
        terms=terms.to_json(),
        lineage=proposal.lineage,
        author=author.to_json(),
        digest=shown.digest,
        rationale=rationale,
        why=why,
        created_at=now,
    )


def risk_of(action_type: ActionType, shown: Preview) -> int:
    """Return 1 to 3: as declared, one more for what nobody described, one for a failed check."""
    failed = any(not check.passed for check in shown.checks)
    return min(3, action_type.risk + (not shown.is_described) + failed)


def _eligibility(actor: Actor, terms: Terms, lineage: list[str]) -> list[Check]:
    people = people_with_role(actor.workspace_id, list(terms.roles))
    left = [person for person, _ in people if f"person:{person.id}" not in lineage]
    if len(left) >= terms.needed:
        return []
    sentence = f"{terms.needed} must agree, but only {len(left)} in this workspace may."
    return [Check(ELIGIBILITY, passed=False, sentence=sentence)]


def _keep_evidence(proposal: Proposal, exhibits: Sequence[Exhibit], now: datetime) -> None:
    Evidence.objects.bulk_create(
        Evidence(
            workspace_id=proposal.workspace_id,
            proposal=proposal,
            number=number,
            label=item.label,
            source=item.source,
            content=item.content,
            paths=list(item.paths),
            digest=sha256(item.content.encode()),
            created_at=now,
        )
        for number, item in enumerate(exhibits, start=1)
    )
