"""Pages of retention: what the sweeps did, what the next one would do, and doing it now."""

from datetime import UTC, datetime
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from agents.operations.retaining import press
from agents.showing import retention as showing
from console.pages import WorkspaceRequest, workspace_view


@require_GET
@workspace_view("see")
def retention(request: WorkspaceRequest) -> HttpResponse:
    """Show what sweeps did in the workspace, and what the next one would do to each State."""
    after = request.GET.get("after", "")
    shown = showing.overview(request.workspace, after=after, now=datetime.now(UTC))
    return render(request, "agents/retention.html", shown)


@require_GET
@workspace_view("see")
def retention_state(request: WorkspaceRequest, state_id: UUID) -> HttpResponse:
    """Show what stays of one State and why, and what would go."""
    shown = showing.of_state(request.workspace, request.actor, state_id, now=datetime.now(UTC))
    return render(request, "agents/retention_state.html", shown)


@require_POST
@workspace_view("administer")
def retention_run(request: WorkspaceRequest, state_id: UUID) -> HttpResponse:
    """Sweep one State now, and say what was let go."""
    done, is_more = press(actor=request.actor, state_id=state_id, now=datetime.now(UTC))
    messages.info(request, showing.said(done, is_more=is_more))
    return redirect("agents:retention_state", request.workspace.slug, state_id)
