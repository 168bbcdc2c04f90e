"""Pages of runs that a guard has paused: why, and what a person says to it."""

from datetime import UTC, datetime
from typing import cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from agents.guards import Number
from agents.operations.answering import Choice, answer_pause
from agents.showing import pauses
from agents.showing.addresses import listed_at, socket_for
from console.errors import Conflict, Invalid, Refused
from console.pages import WorkspaceRequest, workspace_view

_SAID = {
    "continue": "The run goes on.",
    "raise": "The run goes on with a higher limit.",
    "terminate": "The run was ended.",
}
_LONGEST = 20


@require_GET
@workspace_view("see")
def pause_list(request: WorkspaceRequest) -> HttpResponse:
    """Show which runs wait because of a guard, or what was said to those that did."""
    tab, cursor = request.GET.get("tab", ""), request.GET.get("cursor", "")
    shown = pauses.pause_list(request.workspace, request.actor, tab=tab, cursor=cursor)
    at = listed_at("agents:pauses", request.workspace.slug, tab=tab, cursor=cursor)
    context = {
        **shown,
        "tabs": pauses.tabs(request.workspace, tab),
        "socket": socket_for(at()),
    }
    return render(request, "agents/pauses.html", context)


@require_GET
@workspace_view("see")
def pause(request: WorkspaceRequest, pause_id: UUID) -> HttpResponse:
    """Show why one run is paused, and ask what is to become of it."""
    return _page(request, pause_id)


@require_POST
@workspace_view("see")
def pause_answer(request: WorkspaceRequest, pause_id: UUID) -> HttpResponse:
    """Let the run go on, go on with a higher limit, or end."""
    # Whoever does not see it learns nothing from asking.
    pauses.pause(request.workspace, request.actor, pause_id)
    try:
        choice = _choice(request.POST.get("choice", ""))
        answer_pause(
            actor=request.actor,
            pause_id=pause_id,
            choice=choice,
            raised=_number(request.POST.get("raised", "")) if choice == "raise" else None,
            reason=request.POST.get("reason", ""),
            now=datetime.now(UTC),
        )
    except (Conflict, Invalid) as refused:
        return _page(request, pause_id, refused)
    messages.info(request, _SAID[choice])
    if request.htmx:
        there = reverse("agents:pause", args=[request.workspace.slug, pause_id])
        return HttpResponse(status=204, headers={"HX-Redirect": there})
    return redirect("agents:pause", request.workspace.slug, pause_id)


def _page(
    request: WorkspaceRequest, pause_id: UUID, refused: Refused | None = None
) -> HttpResponse:
    shown = pauses.pause(request.workspace, request.actor, pause_id)
    at = listed_at("agents:pause", request.workspace.slug, pause_id)
    context = {**shown, "refused": refused, "typed": request.POST, "socket": socket_for(at())}
    template = "agents/_pause_answer.html" if request.htmx and refused else "agents/pause.html"
    return render(request, template, context, status=refused.status if refused else 200)


def _choice(written: str) -> Choice:
    if written not in _SAID:
        raise Invalid("Say what is to become of the run.", field="choice")
    return cast("Choice", written)


def _number(written: str) -> Number:
    try:
        found = float(written[:_LONGEST].replace(",", "."))
    except ValueError as error:
        raise Invalid("The higher limit is a number.", field="raised") from error
    return int(found) if found.is_integer() else found
