"""Say whose turn a proposal is meant to be; it keeps nobody else from deciding."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from approvals import queries
from approvals.models import Proposal, Revision
from approvals.operations.barring import refuse_unless_open
from approvals.operations.finding import find_alone
from approvals.operations.settling import announce
from approvals.operations.telling import tell
from console.access.queries import roles_of
from console.access.rights import allows
from console.actors import Actor
from console.errors import Forbidden, Invalid
from console.ledger.operations.appending import append


class NotAssignable(Invalid):
    """This person cannot be given the proposal: they may not decide on it."""

    code = "not_assignable"


def assign(*, actor: Actor, proposal_id: UUID, person_id: UUID | None, now: datetime) -> None:
    """Give a proposal to somebody, or with nobody back to all; by an admin, or for oneself.

    Whoever stands in for the assignee is told and finds it among their own, too.
    Locks: the proposal.
    Raises: AlreadySettled (409), Forbidden (403), NotAssignable (422), NotFound (404).
    """
    with transaction.atomic():
        proposal, current = find_alone(actor, proposal_id)
        _refuse_unless_allowed(actor, proposal, person_id)
        refuse_unless_open(proposal)
        if person_id is not None:
            _refuse_unless_assignable(proposal, current, person_id)
        if proposal.assignee_id == person_id:
            return
        proposal.assignee_id = person_id
        proposal.save(update_fields=["assignee"])
        if person_id is not None:
            people = {person_id, *_standing_in(proposal, person_id, now)} - {_person(actor)}
            tell(proposal, "proposal.assigned", people, now=now)
        body = {"person": str(person_id) if person_id else None, "at": now.isoformat()}
        append(actor, "proposal.assigned", f"proposal:{proposal.id}", {**body})
        announce(proposal.id, proposal.workspace_id)


def _standing_in(proposal: Proposal, person_id: UUID, now: datetime) -> list[UUID]:
    rows = queries.in_force(proposal.workspace_id, now).filter(person=person_id)
    return list(rows.values_list("delegate", flat=True))


def _person(actor: Actor) -> UUID | None:
    return UUID(actor.id) if actor.kind == "person" else None


def _refuse_unless_allowed(actor: Actor, proposal: Proposal, person_id: UUID | None) -> None:
    if allows(actor.roles, "administer"):
        return
    # Taking what is somebody else's, or giving it away, is for admins.
    mine = {str(proposal.assignee_id), str(person_id)} <= {actor.id, "None"}
    if actor.kind != "person" or not mine or not allows(actor.roles, "decide"):
        sentence = "You may take what nobody has, or give back what is yours; the rest is an admin."
        raise Forbidden(sentence)


def _refuse_unless_assignable(proposal: Proposal, current: Revision, person_id: UUID) -> None:
    roles = roles_of(proposal.workspace_id, [person_id]).get(person_id, frozenset())
    if not allows(roles, "decide"):
        raise NotAssignable(field="person")
    if f"person:{person_id}" in current.lineage:
        sentence = "This person took part in making the proposal, so somebody else has to decide."
        raise NotAssignable(sentence, field="person")
