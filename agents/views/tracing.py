"""Pages that look into a run: where values came from, what came of a step, two runs compared."""

from uuid import UUID

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from agents.showing import comparing, telling, tracing_back
from agents.showing.telling import FORMATS
from console.errors import NotFound
from console.pages import WorkspaceRequest, workspace_view


@require_GET
@workspace_view("see")
def run_step_origin(request: WorkspaceRequest, run_id: UUID, index: int) -> HttpResponse:
    """Show where a value of a step stood before."""
    side, path = request.GET.get("side", "input"), request.GET.get("path", "")
    shown = tracing_back.origin(request.workspace, run_id, index, side=side, path=path)
    return render(request, "agents/run_step_origin.html", shown)


@require_GET
@workspace_view("see")
def run_step_effects(request: WorkspaceRequest, run_id: UUID, index: int) -> HttpResponse:
    """Show what came of what a step brought."""
    shown = tracing_back.effects(request.workspace, run_id, index)
    return render(request, "agents/run_step_effects.html", shown)


@require_GET
@workspace_view("see")
def run_compare(request: WorkspaceRequest) -> HttpResponse:
    """Show two runs side by side, or the runs that one may be compared with."""
    one, other = _id(request.GET.get("a", "")), _id(request.GET.get("b", ""))
    if one is None:
        raise NotFound
    if other is None:
        return render(request, "agents/run_pick.html", comparing.picker(request.workspace, one))
    shown = comparing.compared(request.workspace, one, other)
    return render(request, "agents/run_compare.html", shown)


@require_GET
@workspace_view("see")
def run_trace(request: WorkspaceRequest, run_id: UUID) -> HttpResponse:
    """Give a whole run as a file."""
    form = request.GET.get("format", "json")
    found = next((each for each in FORMATS if each == form), None)
    if found is None:
        raise NotFound
    told = telling.document(request.workspace.id, run_id, found)
    answer = JsonResponse(told, safe=False)
    name = f"run-{run_id}.{'otlp.' if found == 'otlp' else ''}json"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _id(word: str) -> UUID | None:
    try:
        return UUID(word) if word else None
    except ValueError as error:
        raise NotFound from error
