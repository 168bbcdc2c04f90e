"""Pages of restorations: plan to bring a State back or start agents anew, confirm, watch."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agents.operations import planning
from agents.operations.restoring import confirm
from agents.queries import restorations as queries
from agents.restoring import Wanted
from agents.showing import restorations, targets
from agents.showing.addresses import number, socket_for
from agents.showing.restorations import Typed
from agents.showing.targets import Subject
from console.errors import Conflict, Invalid, Refused
from console.pages import WorkspaceRequest, workspace_view

if TYPE_CHECKING:
    from agents.models import Restoration


class NothingChosen(Invalid):
    """Choose at least one place to bring back, or discard the plan."""

    code = "nothing_chosen"


@require_GET
@workspace_view("see")
def restoration_list(request: WorkspaceRequest) -> HttpResponse:
    """Show what was restored and planned, newest first."""
    cursor = request.GET.get("cursor", "")
    context = restorations.listed(request.workspace, now=datetime.now(UTC), cursor=cursor)
    return render(request, "agents/restoration_list.html", context)


@require_GET
@workspace_view("see")
def restoration(request: WorkspaceRequest, restoration_id: UUID) -> HttpResponse:
    """Show what a restoration would do, the place to confirm it, and how far it has got."""
    return _page(request, restoration_id)


@require_POST
@workspace_view("restore")
def restoration_confirm(request: WorkspaceRequest, restoration_id: UUID) -> HttpResponse:
    """Confirm exactly the plan that was shown."""
    typed = Typed(request.POST.get("reason", ""), request.POST.get("typed", ""))
    try:
        confirm(
            actor=request.actor,
            restoration_id=restoration_id,
            reason=typed.reason,
            typed=typed.word,
            now=datetime.now(UTC),
        )
    except (Conflict, Invalid) as refused:
        return _not_confirmed(request, restoration_id, typed, refused)
    return _to(request, restoration_id)


@require_POST
@workspace_view("restore")
def restoration_discard(request: WorkspaceRequest, restoration_id: UUID) -> HttpResponse:
    """Put a plan away."""
    planning.discard(actor=request.actor, restoration_id=restoration_id, now=datetime.now(UTC))
    messages.info(request, "The plan was put away. Nothing was changed.")
    return _to(request, restoration_id)


@require_POST
@workspace_view("restore")
def restoration_again(request: WorkspaceRequest, restoration_id: UUID) -> HttpResponse:
    """Plan the same for the world as it is now."""
    now = datetime.now(UTC)
    try:
        made = planning.replan(actor=request.actor, restoration_id=restoration_id, now=now)
    except (Conflict, Invalid) as refused:
        return _page(request, restoration_id, refused=refused)
    return _to(request, made)


@require_POST
@workspace_view("restore")
def restoration_replan(request: WorkspaceRequest, restoration_id: UUID) -> HttpResponse:
    """Plan with the places and the newer snapshots that were ticked."""
    row = queries.detail(request.workspace.id, restoration_id)
    try:
        wanted = _chosen(request, row)
        made = planning.plan(actor=request.actor, wanted=wanted, now=datetime.now(UTC))
    except (Conflict, Invalid) as refused:
        return _page(request, restoration_id, refused=refused)
    return _to(request, made)


@require_http_methods(["GET", "POST"])
@workspace_view("restore")
def rollback_new(request: WorkspaceRequest, state_id: UUID) -> HttpResponse:
    """Choose to which snapshot a State goes back, and plan it."""
    refused: Refused | None = None
    if request.method == "POST":
        asked = request.POST
        try:
            wanted = targets.rollback_wanted(
                state_id,
                to=asked.get("to", ""),
                other=asked.get("other", ""),
                below="below" in asked,
                paths=asked.get("paths", ""),
            )
            return _planned(request, wanted)
        except (Conflict, Invalid) as error:
            refused = error
    to = request.POST.get("to") or request.GET.get("to", "")
    shown = targets.rollback(request.workspace, state_id, to=to, refused=refused)
    context = {**shown, "typed": request.POST}
    return render(request, "agents/rollback_new.html", context, status=_status(refused))


@require_http_methods(["GET", "POST"])
@workspace_view("restore")
def reinitialise_new(
    request: WorkspaceRequest,
    name: str = "",
    state_id: UUID | None = None,
    run_id: UUID | None = None,
) -> HttpResponse:
    """Choose from where an agent, all agents of a record, or a run start anew, and plan it."""
    asked = request.POST or request.GET
    subject = Subject(name, state_id or _state_asked(asked.get("state", "")), run_id)
    shown = targets.reinitialise(request.workspace, subject)
    refused: Refused | None = None
    if request.method == "POST":
        source, to = asked.get("source", ""), asked.get("to", "")
        try:
            wanted = targets.reinitialise_wanted(subject, source=source, to=to)
            return _planned(request, wanted)
        except (Conflict, Invalid) as error:
            refused = error
    context = {**shown, "refused": refused, "typed": asked}
    return render(request, "agents/reinitialise_new.html", context, status=_status(refused))


def _planned(request: WorkspaceRequest, wanted: Wanted) -> HttpResponse:
    return _to(request, planning.plan(actor=request.actor, wanted=wanted, now=datetime.now(UTC)))


def _chosen(request: WorkspaceRequest, row: "Restoration") -> Wanted:
    asked = request.POST
    offered = number(asked.get("offered", "")) or 0
    places = [line.strip() for line in asked.get("places", "").splitlines() if line.strip()]
    paths = asked.getlist("paths") if offered else places
    if offered and not paths:
        raise NothingChosen
    keep = targets.ticked(asked.getlist("keep"))
    return restorations.chosen(row, keep=keep, paths=paths, offered=offered)


def _state_asked(word: str) -> UUID | None:
    try:
        return UUID(word) if word else None
    except ValueError as error:
        raise Invalid("A State is named by its id.", field="state") from error


def _page(
    request: WorkspaceRequest,
    restoration_id: UUID,
    *,
    typed: Typed | None = None,
    refused: Refused | None = None,
) -> HttpResponse:
    now = datetime.now(UTC)
    shown = restorations.restoration(
        request.workspace, request.actor, restoration_id, now=now, typed=typed, refused=refused
    )
    context = {
        **shown,
        **restorations.plan(request.workspace, request.actor, shown["restoration"]),
        "socket": socket_for(_address(request, restoration_id)),
    }
    return render(request, "agents/restoration.html", context, status=_status(refused))


def _not_confirmed(
    request: WorkspaceRequest, restoration_id: UUID, typed: Typed, refused: Refused
) -> HttpResponse:
    row = queries.detail(request.workspace.id, restoration_id)
    if row.confirmer and row.confirmer["id"] == request.actor.id:
        # Pressed twice: the first has done it.
        return _to(request, restoration_id)
    if not request.htmx:
        return _page(request, restoration_id, typed=typed, refused=refused)
    now = datetime.now(UTC)
    shown = restorations.confirmation(row, request.actor, now=now, typed=typed, refused=refused)
    template = "agents/_restoration_confirm.html"
    return render(request, template, shown, status=refused.status)


def _status(refused: Refused | None) -> int:
    return refused.status if refused else HTTPStatus.OK


def _address(request: WorkspaceRequest, restoration_id: UUID) -> str:
    return reverse("agents:restoration", args=[request.workspace.slug, restoration_id])


def _to(request: WorkspaceRequest, restoration_id: UUID) -> HttpResponse:
    address = _address(request, restoration_id)
    if request.htmx:
        return HttpResponse(status=HTTPStatus.NO_CONTENT, headers={"HX-Redirect": address})
    return redirect(address)
