"""Pages of workflows: who works in them, with what, and what speaks against their roles."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from agents import packs
from agents.showing import workflows as showing
from console.pages import WorkspaceRequest, workspace_view


@require_GET
@workspace_view("see")
def workflow_list(request: WorkspaceRequest) -> HttpResponse:
    """Show the workflows of the installation, and the packs that could not be loaded."""
    return render(request, "agents/workflow_list.html", showing.workflow_list(packs.failures()))


@require_GET
@workspace_view("see")
def workflow_detail(request: WorkspaceRequest, name: str) -> HttpResponse:
    """Show one workflow: its roles with all that they declare, and what speaks against them."""
    shown = showing.workflow_detail(request.workspace, name)
    return render(request, "agents/workflow_detail.html", shown)
