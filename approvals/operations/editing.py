"""Let a reviewer change the parameters of what they decide on; another person has to approve it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from approvals import queries
from approvals.effects import STATED
from approvals.models import Proposal, Revision
from approvals.operations.barring import refuse_unless_eligible, refuse_unless_pending
from approvals.operations.deciding import RevisionChanged, Seen
from approvals.operations.finding import find_with_state
from approvals.operations.previewing import (
    EffectImpossible,
    PreconditionFailed,
    Preview,
    preview_again,
)
from approvals.operations.revising import revise
from approvals.operations.settling import announce
from approvals.operations.verifying import WorldChanged
from approvals.parameters import objections_to
from approvals.policy import says_something
from console.actors import Actor
from console.canonical import FILE_LIMITS, Json, Unreadable, canonical_bytes, check
from console.errors import Forbidden, Invalid
from console.ledger.operations.appending import append
from snapshots.queries import Head

REASON_AT_MOST = 500


class EditInvalid(Invalid):
    """The proposal cannot be edited like this."""

    code = "edit_invalid"


class EditsNotAllowed(Forbidden):
    """The policy of this proposal does not let reviewers edit it; request changes instead."""

    code = "edits_not_allowed"


def edit(
    *,
    actor: Actor,
    proposal_id: UUID,
    seen: Seen,
    params: dict[str, Any],
    reason: str,
    now: datetime,
) -> int:
    """Make a new revision with the editor's parameters and return its number.

    The editor joins its lineage, so that somebody else has to approve it; what was approved stays
    with the wording it was given to.
    Locks: the State, then the proposal.
    Raises: AlreadySettled, NotPending, Busy (409), RevisionChanged, WorldChanged,
    PreconditionFailed (412), NotEligible, EditsNotAllowed, DeniedByPolicy (403),
    EditInvalid (422), NotFound (404).
    """
    why = _usable_reason(reason)
    with transaction.atomic():
        head, proposal, current = find_with_state(actor, proposal_id)
        refuse_unless_pending(proposal, now)
        if (seen.revision, seen.digest) != (current.number, current.digest):
            raise RevisionChanged(shown=seen.revision, current=current.number)
        refuse_unless_eligible(actor, proposal, current, now)
        _refuse_unless_editable(proposal, current)
        shown = _shown(proposal, current, head, params)
        revise(
            proposal,
            current,
            shown,
            actor=actor,
            why=f"Edited by {actor.name}: {why}"[:200],
            now=now,
            params=params,
            lineage=actor.lineage,
        )
        body: dict[str, Json] = {
            "revision": proposal.revision,
            "digest": shown.digest,
            "reason": why,
        }
        append(actor, "proposal.edited", f"proposal:{proposal.id}", body)
        announce(proposal.id, proposal.workspace_id)
    return proposal.revision


def _usable_reason(reason: str) -> str:
    if not says_something(reason):
        raise EditInvalid("Say why you change it, for whoever approves it.", field="reason")
    if len(reason) > REASON_AT_MOST or "\x00" in reason:
        sentence = f"A reason has at most {REASON_AT_MOST} characters, none of them NUL."
        raise EditInvalid(sentence, field="reason")
    return reason.strip()


def _refuse_unless_editable(proposal: Proposal, current: Revision) -> None:
    if not queries.terms_of(proposal, current).edits:
        raise EditsNotAllowed
    if proposal.action_type.effect == STATED:
        # Its effect does not follow from the parameters, so other ones would only misdescribe it.
        sentence = "This action names its changes itself; only its proposer words it anew."
        raise EditInvalid(sentence, field="params")


def _shown(proposal: Proposal, current: Revision, head: Head, params: dict[str, Any]) -> Preview:
    if (head.number, head.epoch) != (current.base_number, current.base_epoch):
        raise WorldChanged
    try:
        check(params, FILE_LIMITS)
    except Unreadable as error:
        raise EditInvalid(error.sentence, field="params") from error
    # As canonical bytes, because to Python 1 and true are the same.
    if canonical_bytes(params) == canonical_bytes(current.params):
        raise EditInvalid("Nothing was changed.", field="params")
    if found := objections_to(params, proposal.action_type.params_schema):
        listed: list[Json] = [{"field": f"params.{name}", "message": text} for name, text in found]
        raise EditInvalid(found[0][1], field="params", errors=listed)
    try:
        return preview_again(proposal, current, head, params=params)
    except PreconditionFailed:
        raise
    except EffectImpossible as error:
        raise EditInvalid(error.sentence, field="params") from error
