"""Note what became of undoing an effect outside: it was undone, or it was not.

Called where a compensating proposal ends, in that transaction, before its first line in the ledger.
"""

from datetime import datetime

from approvals import lifecycle, undoing
from approvals.effects import Measure
from approvals.models import Compensation, Execution, Proposal, Revision
from approvals.operations.alarming import tell_not_undone
from console.actors import Actor
from console.canonical import Json
from console.errors import Conflict
from console.ledger.operations.appending import append
from console.live import ring


class NotItsTurn(Conflict):
    """What was carried out after it has to be undone first; decide on that before this."""

    code = "not_its_turn"


class BeyondOriginal(Conflict):
    """This would undo more than the effect itself did, so it can only be rejected."""

    code = "beyond_original"


def refuse_unless_its_turn(proposal: Proposal, current: Revision) -> None:
    """Refuse to undo an effect before what came after it, or more of it than there was.

    Raises: NotItsTurn, BeyondOriginal (409).
    """
    owed = _owed(proposal)
    if owed is None:
        return
    waiting = Compensation.objects.filter(
        workspace=owed.workspace_id, cause=owed.cause, execution__status="compensating"
    )
    first = undoing.earlier_turn(owed.number, list(waiting.values_list("number", flat=True)))
    if first is not None:
        sentence = f"It is number {owed.number} of what is undone; number {first} comes before it."
        raise NotItsTurn(f"{sentence} Nothing was recorded.", turn=owed.number, waits_for=first)
    if undoing.is_too_much(original_measure(owed.execution), Measure.from_json(current.measure)):
        raise BeyondOriginal


def note_undone(proposal: Proposal, actor: Actor, now: datetime) -> None:
    """Mark the effect that a carried out proposal undoes as compensated; others stay as they are.

    Locks: that effect's execution.
    """
    _conclude(proposal, "compensated", {}, actor, now)


def note_not_undone(proposal: Proposal, why: str, actor: Actor, now: datetime) -> None:
    """Mark the effect that a proposal was to undo as not undone, and tell people.

    Locks: that effect's execution.
    """
    _conclude(proposal, "compensation_failed", {"reason": why}, actor, now)


def _conclude(
    proposal: Proposal, status: str, said: dict[str, Json], actor: Actor, now: datetime
) -> None:
    owed = _owed(proposal)
    if owed is None:
        return
    rows = Execution.objects.select_for_update(no_key=True, of=("self",))
    execution = rows.select_related("proposal__workspace").get(id=owed.execution_id)
    if not lifecycle.execution_may_move(execution.status, status):
        return
    execution.status = status
    execution.save(update_fields=["status"])
    owed.execution = execution
    if status == "compensation_failed":
        tell_not_undone(owed, now=now)
    body: dict[str, Json] = {
        "cause": owed.cause,
        "turn": owed.number,
        "by": f"proposal:{proposal.id}",
        **said,
    }
    append(actor, f"execution.{status}", f"proposal:{execution.proposal_id}", body)
    ring("outside", owed.workspace_id)
    ring("proposal", execution.proposal_id)


def original_measure(execution: Execution) -> Measure:
    """Return what an execution moved, as its approved wording says."""
    rows = Revision.objects.filter(proposal=execution.proposal_id)
    return Measure.from_json(rows.get(number=execution.revision).measure)


def _owed(proposal: Proposal) -> Compensation | None:
    rows = Compensation.objects.filter(workspace=proposal.workspace_id, proposal=proposal)
    return rows.select_related("execution").first()
