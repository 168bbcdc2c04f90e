"""Pages' acts of saying who does it: claim, assign, put aside."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.http import HttpResponse
from django.views.decorators.http import require_POST

from approvals.operations import claiming
from approvals.operations.assigning import assign
from approvals.operations.snoozing import snooze
from approvals.views.answering import acted
from console.errors import Invalid
from console.pages import WorkspaceRequest, workspace_view

_FRAGMENT = "approvals/_proposal.html"
_DIGITS_AT_MOST = 7


@require_POST
@workspace_view("decide")
def proposal_claim(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    """Tell the others that this person is looking at it."""
    claiming.claim(actor=request.actor, proposal_id=proposal_id, now=datetime.now(UTC))
    return acted(request, proposal_id, _FRAGMENT, "You have claimed it.")


@require_POST
@workspace_view("decide")
def proposal_release(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    """Let go of a claim."""
    claiming.release(actor=request.actor, proposal_id=proposal_id, now=datetime.now(UTC))
    return acted(request, proposal_id, _FRAGMENT, "The claim is over.")


@require_POST
@workspace_view("decide")
def proposal_assign(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    """Say whose turn it is meant to be; nobody's without a person."""
    person = _person(request.POST.get("person", ""))
    assign(actor=request.actor, proposal_id=proposal_id, person_id=person, now=datetime.now(UTC))
    return acted(request, proposal_id, _FRAGMENT, "It is assigned." if person else "It is all's.")


@require_POST
@workspace_view("decide")
def proposal_snooze(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    """Put it out of this person's queue for a while; for no time brings it back."""
    now, span = datetime.now(UTC), _span(request.POST.get("seconds", ""))
    until = now + span if span else None
    snooze(actor=request.actor, proposal_id=proposal_id, until=until, now=now)
    return acted(
        request, proposal_id, _FRAGMENT, "It is out of your queue." if until else "It is back."
    )


def _person(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError as error:
        raise Invalid("A person is named by an id.", field="person") from error


def _span(text: str) -> timedelta:
    if not (text.isascii() and text.isdecimal()) or len(text) > _DIGITS_AT_MOST:
        raise Invalid("A time is a whole number of seconds.", field="seconds")
    return timedelta(seconds=int(text))
