"""Pages of what leaves the house: the lists, the ways out, and whether anything may leave."""

from datetime import UTC, datetime
from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from approvals.operations.stopping import resume_sending, stop_sending
from approvals.operations.testing_connectors import ask_for_test
from approvals.queries.outside import connector
from approvals.showing import connectors as ways
from approvals.showing.outside import Asked, switch
from approvals.showing.outside import outside as left
from console.errors import Conflict, Invalid
from console.pages import WorkspaceRequest, workspace_view


@require_GET
@workspace_view("see")
def outside(request: WorkspaceRequest) -> HttpResponse:
    """Show what left the house: what is in doubt first."""
    asked = Asked.of(request.GET.dict())
    context = {
        **left(request.workspace, request.actor, asked),
        "socket": f"/ws/w/{request.workspace.slug}/outside/?{asked.query()}",
    }
    return render(request, "approvals/outside.html", context)


@require_http_methods(["GET", "POST"])
@workspace_view("see")
def sending_stop(request: WorkspaceRequest) -> HttpResponse:
    """Show whether effects may leave; a POST lets none of them leave any more."""
    if request.method == "GET":
        context = switch(request.workspace, request.actor)
        return render(request, "approvals/sending_stop.html", context)
    reason, typed = request.POST.get("reason", ""), request.POST.get("typed", "")
    try:
        stop_sending(actor=request.actor, reason=reason, typed=typed, now=datetime.now(UTC))
    except (Conflict, Invalid) as refused:
        return _switch(request, reason, refused)
    messages.warning(request, "Nothing leaves the house any more.")
    return _to(request, "approvals:outside")


@require_POST
@workspace_view("connect")
def sending_resume(request: WorkspaceRequest) -> HttpResponse:
    """Let effects leave the house again."""
    reason = request.POST.get("reason", "")
    try:
        resume_sending(actor=request.actor, reason=reason, now=datetime.now(UTC))
    except (Conflict, Invalid) as refused:
        return _switch(request, reason, refused)
    messages.success(request, "Effects leave the house again.")
    return _to(request, "approvals:outside")


@require_GET
@workspace_view("see")
def connectors(request: WorkspaceRequest) -> HttpResponse:
    """Show the ways out, and how each is."""
    cursor = request.GET.get("cursor", "")
    context = {
        **ways.connectors(request.workspace, request.actor, cursor),
        "socket": f"/ws/w/{request.workspace.slug}/outside/connectors/?cursor={cursor}",
    }
    return render(request, "approvals/connectors.html", context)


@require_POST
@workspace_view("connect")
def connector_test(request: WorkspaceRequest, connector_id: UUID) -> HttpResponse:
    """Have a provider reached without an order; the page shows what came of it by itself."""
    name = connector(request.workspace.id, connector_id).name
    ask_for_test(actor=request.actor, name=name, now=datetime.now(UTC))
    if not request.htmx:
        return _to(request, "approvals:connectors")
    context = {
        "workspace": request.workspace,
        **ways.connectors(request.workspace, request.actor),
    }
    return render(request, "approvals/_connectors.html", context)


def _switch(request: WorkspaceRequest, reason: str, refused: Conflict | Invalid) -> HttpResponse:
    context = switch(request.workspace, request.actor, reason=reason, refused=refused)
    return render(request, "approvals/sending_stop.html", context, status=refused.status)


def _to(request: WorkspaceRequest, name: str) -> HttpResponse:
    answer = redirect(name, request.workspace.slug)
    answer.status_code = HTTPStatus.SEE_OTHER
    return answer
