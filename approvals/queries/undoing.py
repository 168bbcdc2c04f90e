"""What would undo an effect that went out, as its action type declares it?"""

from datetime import datetime
from uuid import UUID

from approvals import undoing
from approvals.models import ActionType, Compensation, Execution, Revision
from approvals.undoing import CannotUndo, Effected, Undoing
from console.canonical import Json


def effect_of(
    workspace_id: UUID, proposal_id: UUID, number: int, *, execution_id: UUID | None = None
) -> Execution | None:
    """Return the execution of a proposal that is named, or that wrote a snapshot, or nothing."""
    rows = Execution.objects.filter(workspace=workspace_id, proposal=proposal_id)
    rows = rows.filter(id=execution_id) if execution_id else rows.filter(snapshot_number=number)
    return rows.select_related("proposal__action_type").first()


def undoing_of(execution: Execution, now: datetime) -> Undoing | None:
    """Return what would be proposed to undo an effect, or why nothing can be.

    Nothing at all where its action type declares nothing.
    """
    wording = Revision.objects.get(proposal=execution.proposal_id, number=execution.revision)
    effect = Effected(
        params=wording.params,
        reference=execution.reference,
        execution=execution.id.hex,
        at=execution.executed_at or execution.created_at,
    )
    try:
        return undoing.undoing_of(execution.proposal.action_type.compensation, effect, now)
    except CannotUndo as why:
        return Undoing(text=f"What undoes it cannot be worded: {why}"[:300])


def undoing_as_planned(execution: Execution, now: datetime) -> dict[str, Json]:
    """Return what a plan says about undoing an effect.

    Shape: nothing where nothing is declared; `label` names the action that would be proposed,
    `until` when that has to be done, `text` why it cannot be undone.
    """
    owed = Compensation.objects.filter(execution=execution).first()
    if owed is not None and execution.status != "succeeded":
        words = execution.status.replace("_", " ")
        return {"label": "", "until": "", "text": f"Undoing it was begun before: {words}."}
    found = undoing_of(execution, now)
    if found is None:
        return {}
    rows = ActionType.objects.filter(
        workspace=execution.workspace_id, name=found.action_type or None
    )
    label = rows.values_list("label", flat=True).first()
    if found.is_possible and label is None:
        return {"label": "", "until": "", "text": "The action that undoes it is not known here."}
    until = found.due_at.isoformat() if found.is_possible and found.due_at else ""
    return {"label": label or "", "until": until, "text": found.text}
