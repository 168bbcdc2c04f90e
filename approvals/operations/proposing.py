"""Put an action before people: validate, preview, find the terms, write, ring."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F

from approvals import authority_claims
from approvals.authority_claims import Claim
from approvals.effects import STATED
from approvals.fields import Field
from approvals.grounding import is_tainted
from approvals.legible import Wording, cannot_be_shown
from approvals.models import ActionType, Evidence, Proposal, Revision
from approvals.operations.automating import approve_alone, hold_still
from approvals.operations.evaluating import Evaluation, asked_of_people, evaluate, risk_of
from approvals.operations.fencing import refuse_unless_fitting
from approvals.operations.framing import Frame, Subject, frame
from approvals.operations.hearing import hear, say_false, with_claims
from approvals.operations.previewing import Precondition, Preview, preview
from approvals.operations.settling import wake
from approvals.operations.telling import tell_made
from approvals.operations.wording import Words, write_revision
from approvals.parameters import objections_to
from approvals.policy import AUTO, rank
from approvals.second_opinion import Second
from console.actors import Actor
from console.canonical import FILE_LIMITS, Json, Unreadable, check, digest, sha256
from console.errors import Conflict, Invalid, KeyReused
from console.ledger.operations.appending import append
from console.live import ring
from snapshots import queries as snapshots
from snapshots.content import NotContent
from snapshots.diff import Absent, BadChange, Change, DoesNotFit, apply, diff
from snapshots.operations.committing import EpochPassed, HeadMoved
from snapshots.queries import Head

logger = logging.getLogger(__name__)

EVIDENCE_AT_MOST = 20
RATIONALE_AT_MOST = 4_000
AGENT_AT_MOST = 120


class UnknownActionType(Invalid):
    """There is no action type with this name in the workspace."""

    code = "unknown_action_type"


class ParamsInvalid(Invalid):
    """The parameters do not fit the action type's schema."""

    code = "invalid_params"


class AlreadyRejected(Conflict):
    """People rejected exactly this action on this record; change it or stop."""

    code = "already_rejected"


class TooManyAttempts(Conflict):
    """People rejected this kind of action again and again; stop asking."""

    code = "too_many_attempts"


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
    `preconditions` are what the State has to say for as long as it waits. What is `by_people` no
    policy approves alone.
    `stated` are the changes of an action type whose effect is `stated`. `sources` say where values
    came from, by `params` followed by a parameter's path, or by the path of a stated change.
    `not_after` is when deciding comes too late, whatever the terms give. `second` is what another
    agent would have done, who looked at the same snapshot by itself.
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
    preconditions: tuple[Precondition, ...] = ()
    by_people: bool = False
    sources: tuple[dict[str, Json], ...] = ()
    not_after: datetime | None = None
    second: Second | None = None

    @property
    def digest(self) -> str:
        """Return what makes two requests the same: State, action, parameters, stated changes."""
        stated: list[Json] = [change.to_json() for change in self.stated]
        value: dict[str, Json] = {
            "state": self.state_key,
            "action_type": self.action_type,
            "params": self.params,
            "stated": stated,
        }
        relied_on: list[Json] = [item.to_json() for item in self.preconditions]
        return digest({**value, "preconditions": relied_on} if relied_on else value)


def propose(*, actor: Actor, request: Request, now: datetime) -> UUID:
    """Make an action wait for a decision and return the proposal's id; one place proposes once.

    Raises: UnknownActionType, UnknownState, ParamsInvalid, KeyReused, EffectImpossible (422),
    AlreadyRejected, TooManyAttempts, EpochPassed, PoliciesProtected, Busy (409), HeadMoved,
    PreconditionFailed (412).
    """
    refuse_unless_storable(request)
    if known := _known(actor, request):
        return known
    action_type = usable_type(actor, request)
    base = snapshots.named(actor.workspace_id, request.state_key)
    refuse_unless_fitting(actor, action_type, base, request.params)
    if request.epoch is not None and request.epoch != base.epoch:
        raise EpochPassed
    if request.base_number not in {None, base.number}:
        raise HeadMoved(expected=request.base_number, found=base.number)
    refuse_if_rejected(actor, request, base)
    refuse_if_too_often(actor, request, action_type, base)
    shown = preview(
        action_type,
        request.params,
        list(request.stated),
        base,
        request.preconditions,
        request.sources,
    )
    shown = with_claims(shown, hear(actor, words_of(request), base.state_id))
    try:
        with transaction.atomic():
            return _write(actor, request, action_type, shown, now)
    except IntegrityError:
        # Two deliveries of one step met here; the other one has written the proposal.
        if known := _known(actor, request):
            return known
        raise


def refuse_unless_storable(request: Request) -> None:
    """Let through what can be kept and read alike by everybody. Raises: ParamsInvalid (422)."""
    stated: list[Json] = [change.to_json() for change in request.stated]
    said: list[Json] = [request.rationale, request.external_ref]
    relied_on: list[Json] = [item.to_json() for item in request.preconditions]
    shown: list[Json] = [
        text for item in request.evidence for text in (item.label, item.source, item.content)
    ]
    second = request.second.to_json() if request.second else None
    try:
        check([request.params, stated, said, shown, relied_on, second], FILE_LIMITS)
    except Unreadable as error:
        raise ParamsInvalid(error.sentence) from error


def words_of(request: Request) -> list[tuple[str, str]]:
    """Return the texts of a request in which the proposer speaks for itself, with their places."""
    stated = [
        (change.path, change.value)
        for change in request.stated
        if not isinstance(change.value, Absent)
    ]
    shown = [(item.label, item.source, item.content) for item in request.evidence]
    words = [*authority_claims.words(request.rationale, request.params, stated, shown)]
    return [*words, ("second opinion", request.second.why)] if request.second else words


def _known(actor: Actor, request: Request) -> UUID | None:
    rows = Proposal.objects.filter(workspace_id=actor.workspace_id, origin=request.origin)
    known = rows.filter(origin_step=request.origin_step).first()
    if known and not _is_repeated(known, request):
        raise KeyReused(proposal=str(known.id))
    return known.id if known else None


def refuse_if_rejected(actor: Actor, request: Request, base: Head) -> None:
    """Refuse what the same run asked before, or the same client while the record has not moved.

    What counts is the wording that people rejected, not the one it began with.
    Raises: AlreadyRejected (409).
    """
    stated: list[Json] = [change.to_json() for change in request.stated]
    rows = Revision.objects.filter(
        proposal__workspace_id=actor.workspace_id,
        proposal__origin=request.origin,
        proposal__status="rejected",
        proposal__state=base.state_id,
        proposal__action_type__name=request.action_type,
        number=F("proposal__revision"),
        params=request.params,
    )
    rows = rows.filter(stated=stated) if stated else rows.filter(stated__isnull=True)
    if not request.origin.startswith("run:"):
        rows = rows.filter(base_number=base.number)
    if rows.exists():
        raise AlreadyRejected


def refuse_if_too_often(
    actor: Actor, request: Request, action_type: ActionType, base: Head
) -> None:
    """Refuse an origin whose last tries of this kind on this record were all rejected.

    Raises: TooManyAttempts (409).
    """
    at_most: int = settings.REJECTIONS_AT_MOST
    rows = Proposal.objects.filter(
        workspace_id=actor.workspace_id,
        origin=request.origin,
        action_type=action_type,
        state=base.state_id,
        status__in=["approved", "rejected"],
    )
    if not request.origin.startswith("run:"):
        rows = rows.filter(base_number=base.number)
    last = list(rows.order_by("-created_at", "-id").values_list("status", flat=True)[:at_most])
    if len(last) == at_most and set(last) == {"rejected"}:
        raise TooManyAttempts(f"People rejected this {at_most} times in a row; stop asking.")


def _is_repeated(known: Proposal, request: Request) -> bool:
    """Tell whether a request says what the one before it said, down to its evidence."""
    first = known.revisions.get(number=1)
    # Answers to questions became evidence later.
    rows = known.evidence.filter(created_at=known.created_at).order_by("number")
    shown = [Exhibit(row.label, row.source, row.content, tuple(row.paths)) for row in rows]
    return (
        known.request_digest == request.digest
        and known.external_ref == request.external_ref
        and first.rationale == request.rationale[:RATIONALE_AT_MOST]
        and shown == list(request.evidence)
    )


def usable_type(actor: Actor, request: Request) -> ActionType:
    """Return the action type that a request names, whose schema it fits.

    Raises: UnknownActionType, ParamsInvalid (422).
    """
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
    lineage = sorted({*actor.lineage, *request.lineage})
    agent = actor.name[:AGENT_AT_MOST] if actor.kind == "agent" else ""
    subject = Subject(action_type, agent, lineage)
    evaluation = _evaluated(request, subject, shown, now)
    head = hold_still(shown) if _may_pass(evaluation) else None
    found = frame(evaluation, shown, subject, now)
    proposal = _make(actor, request, subject, shown, found, now)
    rationale = request.rationale[:RATIONALE_AT_MOST]
    second = _second(request, shown)
    words = Words(request.params, request.stated, rationale, "proposed", second)
    revision = write_revision(proposal, words, shown, found, author=actor, now=now)
    keep_evidence(proposal, request.evidence, now)
    tell_made(proposal, revision, is_stuck=found.is_stuck)
    _say(actor, proposal, revision, found)
    if head is not None and found.terms.level == AUTO:
        approve_alone(proposal, revision, head, found.terms, now)
    ring("queue", actor.workspace_id)
    return proposal.id


def _second(request: Request, shown: Preview) -> dict[str, Json] | None:
    """Return the other opinion with the changes as a diff would name them, if it can be laid so."""
    if request.second is None:
        return None
    base, second = shown.base, request.second
    before = snapshots.content(base.state_id, base.number)
    try:
        after = apply(before, list(second.changes))
        second = replace(second, changes=tuple(diff(before, after, keys=base.list_keys)))
    except (BadChange, DoesNotFit, NotContent):
        logger.warning("a second opinion does not fit snapshot %s", base.number)
    return {**second.to_json(), "base_number": base.number}


def _evaluated(request: Request, subject: Subject, shown: Preview, now: datetime) -> Evaluation:
    action_type = subject.action_type
    found = evaluate(
        action_type.workspace_id,
        action_type,
        shown,
        request.params,
        agent=subject.agent,
        tainted=is_tainted(shown.sources),
        now=now,
    )
    fields = [Field.from_json(item) for item in action_type.fields]
    wording = Wording(shown.changes, fields, request.params, shown.title, shown.measure)
    # What nobody can be shown is for a person to reject, whatever a policy says.
    if request.by_people or cannot_be_shown(wording):
        return asked_of_people(found)
    return found


def _may_pass(evaluation: Evaluation) -> bool:
    return evaluation.terms.level == AUTO and not evaluation.denied


def _make(
    actor: Actor,
    request: Request,
    subject: Subject,
    shown: Preview,
    found: Frame,
    now: datetime,
) -> Proposal:
    terms = found.terms
    risk = risk_of(subject.action_type, shown)
    due_at = now + timedelta(seconds=terms.expires_seconds)
    due_at = min(due_at, request.not_after or due_at)
    return Proposal.objects.create(
        workspace_id=actor.workspace_id,
        state_id=shown.base.state_id,
        action_type=subject.action_type,
        base_number=shown.base.number,
        title=shown.title,
        proposer=actor.to_json(),
        lineage=list(subject.lineage),
        terms=terms.to_json(),
        policy=terms.policy,
        level=terms.level,
        amount=shown.measure.amount,
        currency=shown.measure.currency,
        counterparty=shown.measure.counterparty,
        subject=shown.measure.subject,
        agent=subject.agent,
        risk=risk,
        rank=rank(risk, int(due_at.timestamp())),
        origin=request.origin,
        origin_step=request.origin_step,
        request_digest=request.digest,
        wake_task=request.wake_task,
        external_ref=request.external_ref,
        created_at=now,
        due_at=due_at,
        **(_denied(found, now) if found.denied else {}),
    )


def _denied(found: Frame, now: datetime) -> dict[str, Any]:
    return {
        "status": "denied",
        "settled_at": now,
        "settled_by": f"Policy {found.terms.policy}"[:120],
        "settled_reason": found.denied[:1000],
    }


def _say(actor: Actor, proposal: Proposal, revision: Revision, found: Frame) -> None:
    """Write down that it was made, that it was denied, and that nobody is left to decide."""
    about = f"proposal:{proposal.id}"
    body: dict[str, Json] = {
        "title": proposal.title,
        "action_type": proposal.action_type.name,
        "revision": revision.number,
        "digest": revision.digest,
        "policy": f"{found.terms.policy} v{found.terms.version}",
    }
    append(actor, "proposal.made", about, body)
    say_false(proposal, tuple(map(Claim.from_json, revision.false_authority)))
    if found.denied:
        policy = Actor("system", "policy", proposal.settled_by, proposal.workspace_id)
        append(policy, "proposal.denied", about, {"reason": found.denied})
        wake(proposal)
    elif found.is_stuck:
        append(actor, "proposal.nobody_may_decide", about, {"needed": found.terms.needed})


def keep_evidence(proposal: Proposal, exhibits: Sequence[Exhibit], now: datetime) -> None:
    """Keep what is shown for a claim, numbered on from what is there already."""
    kept = proposal.evidence.count()
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
        for number, item in enumerate(exhibits, start=kept + 1)
    )
