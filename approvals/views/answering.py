"""How does the page of a proposal answer: as a whole, or with what an act has changed of it?"""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from approvals.queries import canaries
from approvals.queries.around import neighbours
from approvals.showing.deciding import Typed, decision
from approvals.showing.proposal import proposal
from approvals.showing.reading import Reader, reader
from approvals.showing.talking import saying
from console.errors import Refused
from console.pages import WorkspaceRequest


def found(request: WorkspaceRequest, proposal_id: UUID) -> Reader:
    """Return who asks, before what they ask for. Raises: NotFound (404)."""
    person = UUID(request.actor.id)
    shown = canaries.detail(request.workspace.id, person, proposal_id)
    return reader(shown, request.actor)


def page(
    request: WorkspaceRequest,
    who: Reader,
    decided: dict[str, Any],
    *,
    looked_at: int = 0,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    """Show the whole page; `looked_at` is the revision that they saw on an earlier visit."""
    seen, row = _seen(decided), who.found.proposal
    before, after = neighbours(who.found)
    address = f"/ws/w/{request.workspace.slug}/proposals/{row.id}/"
    context = {
        **proposal(who, seen=seen, looked_at=looked_at),
        **decided,
        **saying(who),
        "actor": request.actor,
        "previous_id": before,
        "next_id": after,
        "socket": f"{address}?seen={seen}&since={looked_at}",
    }
    return render(request, "approvals/proposal_detail.html", context, status=status)


def reply(
    request: WorkspaceRequest, who: Reader, decided: dict[str, Any], status: int = HTTPStatus.OK
) -> HttpResponse:
    """Answer HTMX with the place of decision, and the facts above it as they are now."""
    context = {
        "actor": request.actor,
        **proposal(who, seen=_seen(decided), looked_at=_seen(decided)),
        **decided,
        **saying(who),
    }
    return render(request, "approvals/_reply.html", context, status=status)


def refusal(
    request: WorkspaceRequest, proposal_id: UUID, typed: Typed | None, refused: Refused
) -> HttpResponse:
    """Show the place of decision again, with what was refused and what was typed."""
    who = found(request, proposal_id)
    decided = decision(who, typed=typed, refused=refused)
    if request.htmx:
        return reply(request, who, decided, refused.status)
    return page(request, who, decided, status=refused.status)


def acted(
    request: WorkspaceRequest, proposal_id: UUID, fragment: str, sentence: str
) -> HttpResponse:
    """Answer an act beside the decision: HTMX gets a fragment, everybody else the page."""
    if not request.htmx:
        messages.success(request, sentence)
        return to_detail(request, proposal_id)
    who = found(request, proposal_id)
    decided = decision(who)
    context = {
        "actor": request.actor,
        **proposal(who, seen=_seen(decided), looked_at=_seen(decided)),
        **decided,
        **saying(who),
    }
    return render(request, fragment, context)


def to_detail(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    """Send them to the page of the proposal."""
    address = reverse("approvals:proposal_detail", args=[request.workspace.slug, proposal_id])
    if request.htmx:
        return HttpResponse(status=HTTPStatus.NO_CONTENT, headers={"HX-Redirect": address})
    return redirect(address)


def _seen(decided: dict[str, Any]) -> int:
    revision: int = decided["typed"].revision
    return 0 if decided["mode"] == "settled" else revision
