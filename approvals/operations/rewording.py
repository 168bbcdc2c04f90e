"""Let a proposer word its proposal anew: other parameters, changes, reasons or evidence."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from approvals.models import Proposal, Revision
from approvals.operations.asking import conclude
from approvals.operations.barring import refuse_unless_open
from approvals.operations.fencing import refuse_unless_fitting
from approvals.operations.finding import find_with_state
from approvals.operations.hearing import hear, say_false, with_claims
from approvals.operations.previewing import preview_again
from approvals.operations.proposing import (
    RATIONALE_AT_MOST,
    Exhibit,
    Request,
    keep_evidence,
    refuse_if_rejected,
    refuse_unless_storable,
    usable_type,
    words_of,
)
from approvals.operations.revising import revise
from approvals.operations.settling import announce
from approvals.policy import Terms, rank
from approvals.queries.talking import is_proposer, open_question
from console.actors import Actor
from console.canonical import Json, canonical_bytes
from console.errors import Conflict, Forbidden, Invalid
from console.ledger.operations.appending import append
from snapshots.diff import Change

REVISIONS_AT_MOST = 50
WHY_AT_MOST = 200


class NothingChanged(Invalid):
    """Changes were requested, and this wording says exactly what the last one said."""

    code = "nothing_changed"


class RevisedTooOften(Conflict):
    """This proposal was revised so often that a new one reads better; withdraw it."""

    code = "revised_too_often"


def reword(  # noqa: PLR0913  (what a wording consists of)
    *,
    actor: Actor,
    proposal_id: UUID,
    params: dict[str, Any] | None = None,
    stated: Sequence[Change] | None = None,
    rationale: str = "",
    evidence: Sequence[Exhibit] = (),
    sources: Sequence[dict[str, Json]] | None = None,
    why: str = "",
    now: datetime,
) -> int:
    """Make a new revision as the proposer words it and return its number; said twice, it is one.

    What is left out stays as it was. Approvals stay with the wording they were given to. A question
    that waits is answered by it. `sources` say where its values come from, if that is known; those
    that stay keep theirs. The deadline starts anew only where changes were requested.
    Locks: the State, then the proposal.
    Raises: AlreadySettled, AlreadyRejected, RevisedTooOften, Busy (409), Forbidden (403),
    ParamsInvalid, EffectImpossible, NothingChanged (422), NotFound (404).
    """
    with transaction.atomic():
        head, proposal, current = find_with_state(actor, proposal_id)
        if not is_proposer(actor, proposal):
            raise Forbidden("Only whoever proposed it words it anew; people edit and hand on.")
        refuse_unless_open(proposal)
        request = _request(proposal, current, params, stated)
        request = replace(
            request, evidence=tuple(evidence), rationale=rationale or current.rationale
        )
        refuse_unless_storable(request)
        refuse_unless_fitting(actor, usable_type(actor, request), head, request.params)
        if _says_the_same(current, request):
            return _standing(proposal)
        if current.number >= REVISIONS_AT_MOST:
            raise RevisedTooOften
        refuse_if_rejected(actor, request, head)
        shown = preview_again(
            proposal,
            current,
            head,
            params=request.params,
            stated=request.stated,
            sources=sources,
        )
        heard = hear(actor, [*words_of(request), ("why", why)], head.state_id)
        shown = with_claims(shown, heard)
        was_sent_back = proposal.status == "changes_requested"
        _reopen(proposal, actor, why, now)
        revise(
            proposal,
            current,
            shown,
            actor=actor,
            why=why[:WHY_AT_MOST] or "Worded anew by the proposer.",
            now=now,
            params=request.params,
            stated=request.stated,
            rationale=request.rationale[:RATIONALE_AT_MOST],
        )
        if was_sent_back:
            _start_anew(proposal, now)
        keep_evidence(proposal, request.evidence, now)
        body: dict[str, Json] = {"revision": proposal.revision, "digest": shown.digest, "why": why}
        append(actor, "proposal.reworded", f"proposal:{proposal.id}", body)
        say_false(proposal, heard)
        announce(proposal.id, proposal.workspace_id)
    return proposal.revision


def _request(
    proposal: Proposal,
    current: Revision,
    params: dict[str, Any] | None,
    stated: Sequence[Change] | None,
) -> Request:
    if stated is None:
        stated = [Change.from_json(item) for item in current.stated or []]
    return Request(
        state_key=proposal.state.key,
        action_type=proposal.action_type.name,
        params=current.params if params is None else params,
        origin=proposal.origin,
        origin_step=proposal.origin_step,
        stated=tuple(stated),
    )


def _says_the_same(current: Revision, request: Request) -> bool:
    stated: list[Json] = [change.to_json() for change in request.stated]
    # As canonical bytes, because to Python 1 and true are the same.
    before = canonical_bytes([current.params, current.stated or []])
    same = before == canonical_bytes([request.params, stated])
    return same and current.rationale == request.rationale and _is_shown(current, request)


def _is_shown(current: Revision, request: Request) -> bool:
    rows = current.proposal.evidence.values_list("label", "source", "content")
    return {(item.label, item.source, item.content) for item in request.evidence} <= set(rows)


def _standing(proposal: Proposal) -> int:
    if proposal.status == "changes_requested":
        raise NothingChanged
    return proposal.revision


def _reopen(proposal: Proposal, actor: Actor, why: str, now: datetime) -> None:
    """Let it wait for people again; a question is answered by the new wording itself."""
    if asked := open_question(proposal.id):
        conclude(proposal, asked, actor, why or "Answered by a new wording.", now)
    proposal.status = "pending"


def _start_anew(proposal: Proposal, now: datetime) -> None:
    proposal.due_at = now + timedelta(seconds=Terms.from_json(proposal.terms).expires_seconds)
    proposal.rank = rank(proposal.risk, int(proposal.due_at.timestamp()))
    proposal.save(update_fields=["due_at", "rank"])
