"""Take a proposal out of one's own queue for a while."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from approvals.models import Snooze
from approvals.operations.barring import refuse_unless_open
from approvals.operations.finding import find_alone
from console.actors import Actor
from console.errors import Forbidden, Invalid
from console.live import ring


class SnoozeInvalid(Invalid):
    """A proposal can be put off until its deadline at most, and only into the future."""

    code = "snooze_invalid"


def snooze(*, actor: Actor, proposal_id: UUID, until: datetime | None, now: datetime) -> None:
    """Keep a proposal out of this person's queue until then, or with no time bring it back.

    Everybody else sees it as before, and a new revision brings it back by itself.
    Locks: the proposal. Raises: AlreadySettled (409), SnoozeInvalid (422), NotFound (404).
    """
    if actor.kind != "person":
        raise Forbidden("Only people have a queue.")
    with transaction.atomic():
        proposal, _ = find_alone(actor, proposal_id)
        mine = Snooze.objects.filter(proposal=proposal, person=UUID(actor.id))
        if until is None:
            mine.delete()
        else:
            refuse_unless_open(proposal)
            if not now < until <= proposal.due_at:
                raise SnoozeInvalid(field="until", at_most=proposal.due_at.isoformat())
            Snooze.objects.update_or_create(
                proposal=proposal,
                person_id=UUID(actor.id),
                defaults={"until": until, "workspace_id": proposal.workspace_id},
            )
        ring("queue", proposal.workspace_id)
