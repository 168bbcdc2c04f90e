"""Pages of runs and jobs: what was asked for, what it did, where it went wrong."""

from datetime import UTC, datetime
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from agents import queries
from agents.operations.cancelling import cancel
from agents.showing import filling, jobs, runs
from agents.showing.addresses import listed_at, number, socket_for
from agents.showing.words import SHOWN_AT_MOST, WHOLE, opening
from console.pages import WorkspaceRequest, workspace_view


@require_GET
@workspace_view("see")
def run_list(request: WorkspaceRequest) -> HttpResponse:
    """Show what has run and what runs, newest first."""
    status, cursor = request.GET.get("status", ""), request.GET.get("cursor", "")
    now = datetime.now(UTC)
    shown = runs.run_list(request.workspace, since=now, status=status, cursor=cursor)
    at = listed_at("agents:run_list", request.workspace.slug, status=status, cursor=cursor)
    context = {
        **shown,
        "filters": runs.filters(request.workspace, status),
        "socket": socket_for(at(since=now.isoformat())),
    }
    return render(request, "agents/run_list.html", context)


@require_GET
@workspace_view("see")
def run_detail(request: WorkspaceRequest, run_id: UUID) -> HttpResponse:
    """Show one run: what it did, step by step, and where it stands."""
    shown = runs.run(request.workspace, request.actor, run_id, first=None)
    at = listed_at("agents:run_detail", request.workspace.slug, run_id)
    context = {**shown, "socket": socket_for(at(first=str(shown["first"])))}
    return render(request, "agents/run_detail.html", context)


@require_GET
@workspace_view("see")
def run_earlier(request: WorkspaceRequest, run_id: UUID) -> HttpResponse:
    """Show the stretch of the trace that ends before a step."""
    before = number(request.GET.get("before", "")) or 0
    shown = runs.earlier(request.workspace, run_id, before=before)
    template = "agents/_earlier.html" if request.htmx else "agents/run_earlier.html"
    return render(request, template, shown)


@require_GET
@workspace_view("see")
def run_step(request: WorkspaceRequest, run_id: UUID, index: int) -> HttpResponse:
    """Show what one step was asked and what it answered."""
    step = queries.step(request.workspace.id, run_id, index)
    at_most = WHOLE if "whole" in request.GET else SHOWN_AT_MOST
    context = {
        "step": step,
        "asked": opening(step.input, at_most=at_most),
        "window": filling.window(step),
        "answered": None if step.output is None else opening(step.output, at_most=at_most),
    }
    template = "agents/_step_body.html" if request.htmx else "agents/run_step.html"
    return render(request, template, context)


@require_GET
@workspace_view("see")
def job_list(request: WorkspaceRequest) -> HttpResponse:
    """Show what was asked for, newest first."""
    cursor, now = request.GET.get("cursor", ""), datetime.now(UTC)
    shown = jobs.job_list(request.workspace, request.actor, since=now, cursor=cursor)
    at = listed_at("agents:job_list", request.workspace.slug, cursor=cursor)
    context = {**shown, "socket": socket_for(at(since=now.isoformat()))}
    return render(request, "agents/job_list.html", context)


@require_GET
@workspace_view("see")
def job_calls(request: WorkspaceRequest, job_id: UUID) -> HttpResponse:
    """Show what a program types to look at this job, or to submit one like it."""
    job = queries.job_with_input(request.workspace.id, job_id)
    context = jobs.calls(job, f"{request.scheme}://{request.get_host()}")
    template = "agents/_job_calls.html" if request.htmx else "agents/job_calls.html"
    return render(request, template, context)


@require_POST
@workspace_view("see")
def job_cancel(request: WorkspaceRequest, job_id: UUID) -> HttpResponse:
    """End a job, and say how it ended."""
    status = cancel(actor=request.actor, job_id=job_id, now=datetime.now(UTC))
    said = (
        "The job was cancelled. What it left open was withdrawn."
        if status == "terminated"
        else f"The job had ended before: {runs.status_label(status).lower()}. Nothing was changed."
    )
    if request.htmx:
        return render(request, "agents/_toast.html", {"said": said})
    messages.info(request, said)
    return redirect("agents:job_list", request.workspace.slug)
