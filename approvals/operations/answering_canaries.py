"""Take what somebody decided on a canary, and tell them at once whether they found it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from approvals import policy, queries
from approvals.models import Canary
from approvals.operations.deciding import Act, AlreadySettled, Incomplete
from approvals.queries import canaries
from console.actors import Actor, system
from console.ledger.operations.appending import append
from console.live import ring


@dataclass(frozen=True, slots=True)
class Answered:
    """Whether the wrong value was found, which it was, and where it came from."""

    is_found: bool
    what: str
    path: str


def answer_canary(*, actor: Actor, canary_id: UUID, act: Act, now: datetime) -> Answered:
    """Keep a person's choice on their canary; an approval has missed it. Nothing is carried out.

    Asks for what the real action would have asked for. The ledger says that one was answered, not
    by whom or how: that is for the reviewer alone.
    Locks: the canary. Raises: NotFound (404), AlreadySettled (409), Incomplete (422).
    """
    with transaction.atomic():
        found = canaries.canary(actor.workspace_id, UUID(actor.id), canary_id)
        row = Canary.objects.select_for_update().get(id=found.id)
        if row.answered_at is not None:
            raise AlreadySettled("You have answered this one. Nothing was changed.")
        _refuse_unless_complete(row, act)
        row.choice, row.reason = act.choice, act.reason.strip()
        row.attention, row.answered_at = dict(act.attention), now
        row.save(update_fields=["choice", "reason", "attention", "answered_at"])
        append(system("attention", actor.workspace_id), "canary.answered", "canaries", {})
        ring("queue", actor.workspace_id)
    return answered(row)


def answered(row: Canary) -> Answered:
    """Say how an answered canary was answered."""
    return Answered(row.choice != "approve", row.what, row.path)


def _refuse_unless_complete(row: Canary, act: Act) -> None:
    shown = canaries.detail_of(row)
    failed = [check["name"] for check in shown.revision.checks if not check["passed"]]
    unticked = [name for name in failed if name not in act.ticked]
    terms = queries.terms_of(shown.proposal, shown.revision)
    if missing := policy.missing_from(terms, act.choice, act.reason, unticked):
        raise Incomplete(missing, field="reason")
