"""The page on which people see how attentively they decide, and managers how everybody does."""

from datetime import UTC, datetime

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from approvals.showing import attention as shown
from console.pages import WorkspaceRequest, workspace_view


@require_GET
@workspace_view("see")
def attention(request: WorkspaceRequest) -> HttpResponse:
    """Show a person's own figures, and those of everybody together to who may see them."""
    context = shown.attention(request.actor, datetime.now(UTC))
    return render(request, "approvals/attention.html", context)
