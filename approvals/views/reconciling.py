"""Pages of comparing what we hold with what the providers list."""

from datetime import UTC, datetime
from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from approvals.operations.reconciling import ask_for_reconciliation, close_discrepancy
from approvals.showing.reconciling import Asked, comparing
from approvals.showing.reconciling import reconciliation as compared
from console.errors import Conflict, Invalid, Refused
from console.pages import WorkspaceRequest, workspace_view


@require_GET
@workspace_view("see")
def reconciliation(request: WorkspaceRequest) -> HttpResponse:
    """Show what differs, and the comparisons that were made."""
    return _page(request)


@require_POST
@workspace_view("connect")
def compare(request: WorkspaceRequest) -> HttpResponse:
    """Have what went through one connector compared; the page shows it by itself."""
    name = request.POST.get("connector", "")
    try:
        ask_for_reconciliation(actor=request.actor, name=name, now=datetime.now(UTC))
    except Conflict as refused:
        return _page(request, refused)
    messages.success(request, "It is compared in a moment; what comes of it appears by itself.")
    return _back(request)


@require_POST
@workspace_view("see")
def discrepancy_close(request: WorkspaceRequest, discrepancy_id: UUID) -> HttpResponse:
    """Note what somebody found out about a difference, and close it."""
    note = request.POST.get("note", "")
    try:
        close_discrepancy(
            actor=request.actor, discrepancy_id=discrepancy_id, note=note, now=datetime.now(UTC)
        )
    except (Conflict, Invalid) as refused:
        if request.htmx:
            raise
        return _page(request, refused)
    if request.htmx:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    messages.success(request, "The difference is closed, with your note.")
    return _back(request)


def _page(request: WorkspaceRequest, refused: Refused | None = None) -> HttpResponse:
    asked = Asked.of(request.GET.dict())
    context = {
        **compared(request.workspace, request.actor, asked),
        **comparing(request.workspace, refused),
        "socket": f"/ws/w/{request.workspace.slug}/outside/reconciliation/?{asked.query()}",
    }
    status = refused.status if refused else HTTPStatus.OK
    return render(request, "approvals/reconciliation.html", context, status=status)


def _back(request: WorkspaceRequest) -> HttpResponse:
    answer = redirect("approvals:reconciliation", request.workspace.slug)
    answer.status_code = HTTPStatus.SEE_OTHER
    return answer
