"""Which canary waits for somebody, what does its page say, and how were they answered?"""

from datetime import datetime
from typing import cast
from uuid import UUID

from django.db.models import Exists, OuterRef

from approvals.canaries import Mutation
from approvals.lifecycle import DONE, PENDING
from approvals.models import Canary, Decision, Execution, Proposal, Revision
from approvals.policy import REASONED, Terms
from approvals.queries import Detail
from approvals.queries import detail as proposal_detail
from console.canonical import Json, digest
from console.errors import NotFound

# Among so many of the newest actions of a level that is looked at one is chosen.
CHOSEN_AMONG = 200


def waiting_for(workspace_id: UUID, person_id: UUID, now: datetime) -> Canary | None:
    """Return the canary that a person has not answered yet, if one is planted."""
    rows = Canary.objects.filter(workspace=workspace_id, person=person_id, answered_at=None)
    return rows.filter(ends_at__gt=now).first()


def canary(workspace_id: UUID, person_id: UUID, canary_id: UUID) -> Canary:
    """Return somebody's own canary; it is nobody else's to see. Raises: NotFound (404)."""
    row = mine(workspace_id, person_id, canary_id)
    if row is None:
        raise NotFound
    return row


def detail(workspace_id: UUID, person_id: UUID, shown_id: UUID) -> Detail:
    """Return what a page shows under an id: a proposal, or this person's canary.

    Raises: NotFound (404).
    """
    try:
        return proposal_detail(workspace_id, shown_id)
    except NotFound:
        return detail_of(canary(workspace_id, person_id, shown_id))


def mine(workspace_id: UUID, person_id: UUID, shown_id: UUID) -> Canary | None:
    """Return this person's canary with this id, or nothing where it is something else."""
    return Canary.objects.filter(workspace=workspace_id, person=person_id, id=shown_id).first()


def sources(workspace_id: UUID, person_id: UUID) -> list[UUID]:
    """Return proposals that were carried out and that this person neither decided on nor made."""
    decided = Decision.objects.filter(proposal=OuterRef("pk"), person=person_id)
    done = Execution.objects.filter(proposal=OuterRef("pk"), status__in=DONE)
    rows = Proposal.objects.filter(workspace=workspace_id, status="approved", level__gte=REASONED)
    rows = rows.filter(Exists(done)).exclude(lineage__contains=[f"person:{person_id}"])
    rows = rows.exclude(Exists(decided)).exclude(action_type__name__startswith="approvals.")
    newest = rows.order_by("-created_at", "-id").values_list("id", flat=True)[:CHOSEN_AMONG]
    used = Canary.objects.filter(workspace=workspace_id, person=person_id)
    seen = {str(shown["proposal"]) for shown in used.values_list("shown", flat=True)}
    return [proposal_id for proposal_id in newest if str(proposal_id) not in seen]


def source(workspace_id: UUID, proposal_id: UUID) -> tuple[Proposal, Revision]:
    """Return a past proposal with the wording that was carried out. Raises: NotFound (404)."""
    rows = Proposal.objects.select_related("action_type", "state")
    proposal = rows.filter(workspace=workspace_id, id=proposal_id).first()
    if proposal is None:
        raise NotFound
    return proposal, Revision.objects.defer("sealed").get(
        proposal=proposal, number=proposal.revision
    )


def shown(proposal: Proposal, revision: Revision, altered: Mutation) -> dict[str, Json]:
    """Return what a canary keeps of the action that it was made from, with the altered value."""
    before, after = str(altered.before), str(altered.after)
    changes: list[Json] = [change.to_json() for change in altered.changes]
    return {
        "proposal": str(proposal.id),
        "revision": revision.number,
        "title": proposal.title.replace(before, after),
        "rationale": revision.rationale.replace(before, after),
        "params": _replaced(cast("Json", revision.params), altered.before, altered.after),
        "changes": changes,
    }


def _replaced(value: Json, before: Json, after: Json) -> Json:
    if type(value) is type(before) and value == before:
        return after
    if isinstance(value, dict):
        return {key: _replaced(item, before, after) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, before, after) for item in value]
    return value


def detail_of(row: Canary) -> Detail:
    """Return what a canary's page shows: the past action as if it had just been proposed.

    The rows in it are copies in memory under the canary's own id; no row of theirs has it.
    """
    proposal, revision = source(row.workspace_id, UUID(row.shown["proposal"]))
    evidence = list(proposal.evidence.order_by("number"))
    _begin_anew(proposal, row)
    revision.proposal, revision.number = proposal, 1
    revision.changes, revision.params = row.shown["changes"], row.shown["params"]
    revision.rationale, revision.created_at = row.shown["rationale"], row.planted_at
    revision.digest = digest(row.shown)
    return Detail(
        proposal=proposal,
        revision=revision,
        terms=Terms.from_json(revision.terms),
        evidence=evidence,
        decisions=[],
        execution=None,
    )


def _begin_anew(proposal: Proposal, row: Canary) -> None:
    proposal.id, proposal.title = row.id, row.shown["title"]
    proposal.status, proposal.revision = PENDING, 1
    proposal.created_at, proposal.due_at, proposal.rank = row.planted_at, row.ends_at, row.rank
    proposal.settled_at, proposal.settled_by, proposal.settled_reason = None, "", ""
    proposal.escalated_at = proposal.assignee = proposal.claimed_by = proposal.claimed_until = None
    # The record has gone on since; to its reader it stands where it stood.
    proposal.state.number = proposal.base_number
