"""Tell people of what happened to a proposal, by the ways that they chose."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.urls import reverse

from approvals.models import Decision, Proposal, Revision
from approvals.policy import AUTO
from approvals.queries.eligible import eligible
from approvals.queries.reviewers import question
from console.access.queries import people_with_role
from console.notices.operations.noticing import notify
from console.notices.queries import told

DUE_SOON = "proposal.due_soon"
# Told an hour before the deadline, but not in the first three quarters of a short life.
SOON, SOON_PART = timedelta(hours=1), 4


def tell_made(proposal: Proposal, current: Revision, *, is_stuck: bool) -> None:
    """Tell whoever may decide that something waits, and admins if nobody is left who may.

    What a policy denied is settled already; what one approves alone will be in a moment.
    """
    now = proposal.created_at
    if proposal.status == "denied":
        tell_settled(proposal, now=now)
    if proposal.status != "pending" or proposal.level == AUTO:
        return
    tell(proposal, "proposal.made", _deciders(proposal, current, now), now=now)
    if is_stuck:
        tell(proposal, "proposal.nobody_may_decide", _admins(proposal), now=now)


def tell_settled(proposal: Proposal, *, now: datetime) -> None:
    """Tell whoever submitted it what became of it."""
    tell(proposal, "proposal.settled", _submitter(proposal), now=now)


def tell_sent_back(proposal: Proposal, *, now: datetime) -> None:
    """Tell whoever submitted it that people want it otherwise."""
    tell(proposal, "changes.requested", _submitter(proposal), now=now)


def tell_escalated(proposal: Proposal, current: Revision, *, now: datetime) -> None:
    """Tell whoever may decide after an escalation."""
    tell(proposal, "proposal.escalated", _deciders(proposal, current, now), now=now)


def tell_failed(proposal: Proposal, *, now: datetime) -> None:
    """Tell whoever submitted it, and admins, that what was approved was not carried out."""
    tell(proposal, "execution.failed", [*_submitter(proposal), *_admins(proposal)], now=now)


def tell_due_soon(*, now: datetime, at_most: int = 200) -> int:
    """Tell who has not decided yet of each proposal that is due soon, once; return how many."""
    rows = Proposal.objects.filter(status="pending", due_at__gt=now, due_at__lte=now + SOON)
    due = [row for row in rows.order_by("due_at")[:at_most] if _is_soon(row, now)]
    known = told(DUE_SOON, {(row.workspace_id, f"proposal:{row.id}") for row in due})
    new = [row for row in due if (f"proposal:{row.id}", _deadline(row)) not in known]
    for proposal in new:
        _tell_due_soon(proposal, now)
    return len(new)


def _is_soon(proposal: Proposal, now: datetime) -> bool:
    return proposal.due_at - now <= (proposal.due_at - proposal.created_at) / SOON_PART


def _deadline(proposal: Proposal) -> str:
    return f"due {proposal.due_at.isoformat()}"


def _tell_due_soon(proposal: Proposal, now: datetime) -> None:
    current = Revision.objects.get(proposal=proposal, number=proposal.revision)
    spoken = Decision.objects.filter(proposal=proposal, revision=proposal.revision)
    done = set(spoken.values_list("person_id", flat=True))
    people = [one for one in _deciders(proposal, current, now) if one not in done]
    with transaction.atomic():
        tell(proposal, DUE_SOON, people, now=now, occasion=_deadline(proposal))


def tell(
    proposal: Proposal, event: str, people: Iterable[UUID], *, now: datetime, occasion: str = ""
) -> None:
    """Write who is told; part of the caller's transaction, before its line in the ledger.

    The same `occasion`, where one is named, is told once.
    """
    address = reverse("approvals:proposal_detail", args=[proposal.workspace.slug, proposal.id])
    notify(
        workspace_id=proposal.workspace_id,
        event=event,
        subject_ref=f"proposal:{proposal.id}",
        title=proposal.title,
        path=address,
        people=sorted(set(people)),
        now=now,
        data={
            "level": proposal.level,
            "revision": proposal.revision,
            "status": proposal.status,
            "due_at": proposal.due_at.isoformat(),
        },
        occasion=occasion,
    )


def people_behind(proposal: Proposal) -> list[UUID]:
    """Return the people who had a part in making it: they know what it is about."""
    kinds = (ref.partition(":") for ref in proposal.lineage)
    return [UUID(name) for kind, _, name in kinds if kind == "person"]


def _deciders(proposal: Proposal, current: Revision, now: datetime) -> list[UUID]:
    asked = question(proposal, current, now)
    return [one.person for one in eligible(proposal.workspace_id, asked)]


def _admins(proposal: Proposal) -> list[UUID]:
    return [person.id for person, _ in people_with_role(proposal.workspace_id, ["admin"])]


def _submitter(proposal: Proposal) -> list[UUID]:
    """Return the person who proposed it, or who answers for the agent or program that did."""
    made_by = proposal.proposer
    ref = made_by["behind"] or f"{made_by['kind']}:{made_by['id']}"
    kind, _, name = ref.partition(":")
    return [UUID(name)] if kind == "person" else []
