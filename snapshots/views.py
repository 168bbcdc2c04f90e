"""Pages of States: which there are, what changed, who did it, and what stood there."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from console.pages import WorkspaceRequest, workspace_view
from snapshots.showing import states
from snapshots.showing.addresses import listed_at, socket_for

_LONGEST_NUMBER = 9


@require_GET
@workspace_view("see")
def state_list(request: WorkspaceRequest) -> HttpResponse:
    """Show the workspace's States by key."""
    prefix, after = request.GET.get("q", ""), request.GET.get("after", "")
    shown = states.state_list(request.workspace, prefix=prefix, after=after)
    at = listed_at("snapshots:state_list", request.workspace.slug, q=prefix, after=after)
    return render(request, "snapshots/state_list.html", {**shown, "socket": socket_for(at())})


@require_GET
@workspace_view("see")
def state_detail(request: WorkspaceRequest, state_id: UUID) -> HttpResponse:
    """Show what changed in a State and who did it, newest first."""
    cursor = request.GET.get("cursor", "")
    shown = states.history(request.workspace, state_id, cursor=cursor)
    at = listed_at("snapshots:state_detail", request.workspace.slug, state_id, cursor=cursor)
    return render(request, "snapshots/state_detail.html", {**shown, "socket": socket_for(at())})


@require_GET
@workspace_view("see")
def state_compare(request: WorkspaceRequest, state_id: UUID) -> HttpResponse:
    """Show what differs between two snapshots of a State."""
    old, new = request.GET.get("a", ""), request.GET.get("b", "")
    shown = states.compared(request.workspace, state_id, old=old, new=new, start=_start(request))
    return render(request, "snapshots/state_compare.html", shown)


@require_GET
@workspace_view("see")
def snapshot_detail(request: WorkspaceRequest, state_id: UUID, number: int) -> HttpResponse:
    """Show what a State held at a snapshot, or the part of it at a path."""
    at = request.GET.get("at", "")
    shown = states.content(request.workspace, state_id, number, at=at, start=_start(request))
    return render(request, _content_template(request, shown), shown)


def _content_template(request: WorkspaceRequest, shown: dict[str, Any]) -> str:
    if not request.htmx:
        return "snapshots/snapshot_detail.html"
    return "snapshots/_children.html" if shown["start"] else "snapshots/_node.html"


@require_GET
@workspace_view("see")
def snapshot_file(request: WorkspaceRequest, state_id: UUID, number: int) -> HttpResponse:
    """Send a snapshot's content as the bytes that its digest names."""
    name, content = states.exported(request.workspace, state_id, number)
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
    }
    return HttpResponse(content, content_type="application/json", headers=headers)


def _start(request: WorkspaceRequest) -> int:
    asked = request.GET.get("start", "")
    usable = asked.isascii() and asked.isdecimal() and len(asked) <= _LONGEST_NUMBER
    return int(asked) if usable else 0
