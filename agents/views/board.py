"""Pages of agents: how they are, and what lets them stand still, end or go on."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agents.operations import halting
from agents.operations.halting import HALT_REASON_AT_MOST, NotTyped
from agents.operations.pausing import ReasonUnusable, pause, resume
from agents.operations.stopping import stop
from agents.queries import board as queries
from agents.showing import board
from agents.showing.addresses import listed_at, socket_for
from console.pages import WorkspaceRequest, workspace_view


@require_GET
@workspace_view("see")
def agent_list(request: WorkspaceRequest) -> HttpResponse:
    """Show how the agents are: is any of them stuck, drifting or doing harm now?"""
    asked = {name: request.GET.get(name, "") for name in ("which", "q", "cursor")}
    shown = board.agent_list(
        request.workspace,
        request.actor,
        which=asked["which"],
        named=asked["q"],
        cursor=asked["cursor"],
    )
    at = listed_at("agents:board", request.workspace.slug, **asked)
    context = {
        **shown,
        "filters": board.filters(request.workspace, asked["which"]),
        "socket": socket_for(at()),
    }
    return render(request, "agents/board.html", context)


@require_GET
@workspace_view("see")
def agent_detail(request: WorkspaceRequest, agent_id: UUID) -> HttpResponse:
    """Show one agent: how it stands, its runs and memories, and what was done to it."""
    cursor = request.GET.get("cursor", "")
    shown = board.agent_detail(request.workspace, request.actor, agent_id, cursor=cursor)
    at = listed_at("agents:agent_detail", request.workspace.slug, agent_id, cursor=cursor)
    return render(request, "agents/agent_detail.html", {**shown, "socket": socket_for(at())})


@require_POST
@workspace_view("operate")
def agent_pause(request: WorkspaceRequest, agent_id: UUID) -> HttpResponse:
    """Let an agent stand still."""
    return _act(request, agent_id, pause, "{} is paused. Its runs stand still.")


@require_POST
@workspace_view("operate")
def agent_resume(request: WorkspaceRequest, agent_id: UUID) -> HttpResponse:
    """Let an agent go on."""
    return _act(request, agent_id, resume, "{} goes on.")


@require_POST
@workspace_view("operate")
def agent_stop(request: WorkspaceRequest, agent_id: UUID) -> HttpResponse:
    """End what an agent takes part in."""
    return _act(request, agent_id, stop, "{} is stopped. Its runs have ended.")


def _act(
    request: WorkspaceRequest, agent_id: UUID, verb: Callable[..., bool], said: str
) -> HttpResponse:
    name = queries.agent(request.workspace.id, agent_id).name
    reason = request.POST.get("reason", "")
    done = verb(actor=request.actor, name=name, reason=reason, now=datetime.now(UTC))
    told = said.format(name) if done else f"{name} was so already. Nothing was changed."
    if request.htmx:
        return render(request, "agents/_toast.html", {"said": told})
    messages.info(request, told)
    return redirect("agents:agent_detail", request.workspace.slug, agent_id)


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view("see")
def halt(request: WorkspaceRequest) -> HttpResponse:
    """Show what stopping all agents does; asked for with a reason and the typed name, do it."""
    if request.method != "POST":
        return _halt_page(request)
    reason, typed = request.POST.get("reason", ""), request.POST.get("typed", "")
    try:
        done = halting.halt(actor=request.actor, reason=reason, typed=typed, now=datetime.now(UTC))
    except (ReasonUnusable, NotTyped) as refused:
        return _halt_page(request, refused)
    said = "All agents are stopped." if done else "All agents were stopped already."
    messages.info(request, said)
    return redirect("agents:halt", request.workspace.slug)


def _halt_page(
    request: WorkspaceRequest, refused: ReasonUnusable | NotTyped | None = None
) -> HttpResponse:
    context = {
        "halt": queries.standing_halt(request.workspace.id),
        "refused": refused,
        "reason": request.POST.get("reason", ""),
        "reason_at_most": HALT_REASON_AT_MOST,
    }
    return render(request, "agents/halt.html", context, status=refused.status if refused else 200)


@require_POST
@workspace_view("administer")
def lift(request: WorkspaceRequest) -> HttpResponse:
    """Let all agents work again."""
    reason = request.POST.get("reason", "")
    done = halting.lift(actor=request.actor, reason=reason, now=datetime.now(UTC))
    said = "The agents work again." if done else "Nothing was stopped. Nothing was changed."
    messages.info(request, said)
    return redirect("agents:board", request.workspace.slug)
