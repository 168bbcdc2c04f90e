"""Pages of drift and of agents' memories: how far things have drifted, and what a sweep takes."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from agents import memory as rules
from agents.drifting import NAMES, Limits
from agents.operations.limiting import LimitInvalid, limit
from agents.operations.measuring import measure_these
from agents.operations.sweeping import sweep
from agents.queries import drift as queries
from agents.showing import drift, memory
from agents.showing.addresses import listed_at, socket_for
from console.pages import WorkspaceRequest, workspace_view

_HUNDRED = 100


class LimitForm(forms.Form):
    """From where on drift is too much; what is left empty has no limit."""

    stale_share = forms.FloatField(
        required=False, min_value=0, max_value=100, label=f"{NAMES['stale_share']}, percent"
    )
    contradicting_share = forms.FloatField(
        required=False, min_value=0, max_value=100, label=f"{NAMES['contradicting_share']}, percent"
    )
    differing = forms.IntegerField(required=False, min_value=0, label=NAMES["differing"])
    growth = forms.FloatField(required=False, min_value=0, label=f"{NAMES['growth']}, bytes")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Let labels end without a colon, and browsers take fractions."""
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        for name in ("stale_share", "contradicting_share", "growth"):
            self.fields[name].widget.attrs["step"] = "any"

    @classmethod
    def showing(cls, limits: Limits) -> "LimitForm":
        """Return the form filled with limits, shares as people say them."""
        return cls(
            initial={
                "stale_share": _times_hundred(limits.stale_share),
                "contradicting_share": _times_hundred(limits.contradicting_share),
                "differing": _plain(limits.differing),
                "growth": _plain(limits.growth),
            }
        )

    @property
    def limits(self) -> Limits:
        """Return what was typed."""
        typed = self.cleaned_data
        shares = (typed["stale_share"], typed["contradicting_share"])
        stale, contradicting = (None if each is None else each / _HUNDRED for each in shares)
        return Limits(stale, contradicting, typed["differing"], typed["growth"])


@require_GET
@workspace_view("see")
def drift_list(request: WorkspaceRequest) -> HttpResponse:
    """Show every State's newest measurement."""
    tab, after = request.GET.get("tab", ""), request.GET.get("after", "")
    shown = drift.board(request.workspace, request.actor, tab=tab, after=after)
    at = listed_at("agents:drift", request.workspace.slug, tab=tab, after=after)
    return render(request, "agents/drift.html", {**shown, "socket": socket_for(at())})


@require_POST
@workspace_view("operate")
def drift_measure(request: WorkspaceRequest) -> HttpResponse:
    """Measure the States of a page of the list."""
    tab, after = request.POST.get("tab", ""), request.POST.get("after", "")
    shown = drift.board(request.workspace, request.actor, tab=tab, after=after)
    states = [line.state.id for line in shown["rows"]]
    done = measure_these(actor=request.actor, states=states, now=datetime.now(UTC))
    messages.info(request, done.told())
    at = listed_at("agents:drift", request.workspace.slug, tab=tab, after=after)
    return redirect(at())


@require_GET
@workspace_view("see")
def drift_state(request: WorkspaceRequest, state_id: UUID) -> HttpResponse:
    """Show one State's series and its limits."""
    limits = queries.limits(request.workspace.id, state_id)
    return _series_page(request, state_id, LimitForm.showing(limits))


@require_POST
@workspace_view("operate")
def drift_state_measure(request: WorkspaceRequest, state_id: UUID) -> HttpResponse:
    """Measure one State."""
    done = measure_these(actor=request.actor, states=[state_id], now=datetime.now(UTC))
    messages.info(request, done.told())
    return redirect("agents:drift_state", request.workspace.slug, state_id)


@require_POST
@workspace_view("administer")
def drift_limits(request: WorkspaceRequest, state_id: UUID) -> HttpResponse:
    """Set the limits of one State, or let it have those of everybody again."""
    form = LimitForm(request.POST)
    is_reset = "reset" in request.POST
    if not is_reset and not form.is_valid():
        return _series_page(request, state_id, form, status=422)
    limits = None if is_reset else form.limits
    try:
        limit(actor=request.actor, state_id=state_id, limits=limits, now=datetime.now(UTC))
    except LimitInvalid as refused:
        form.add_error(str(refused.details["field"]), refused.sentence)
        return _series_page(request, state_id, form, status=422)
    said = "The State has the limits of everybody again." if is_reset else "The limits are set."
    messages.info(request, f"{said} They count from the next measurement on.")
    return redirect("agents:drift_state", request.workspace.slug, state_id)


@require_GET
@workspace_view("see")
def memory_detail(request: WorkspaceRequest, state_id: UUID) -> HttpResponse:
    """Show what an agent keeps in mind, and what a sweep would take."""
    tab, after = request.GET.get("tab", ""), request.GET.get("after", "")
    now = datetime.now(UTC)
    shown = memory.memory(request.workspace, request.actor, state_id, asked=(tab, after), now=now)
    at = listed_at("agents:memory", request.workspace.slug, state_id, tab=tab, after=after)
    return render(request, "agents/memory.html", {**shown, "socket": socket_for(at())})


@require_POST
@workspace_view("operate")
def memory_sweep(request: WorkspaceRequest, state_id: UUID) -> HttpResponse:
    """Sweep a memory now, and say what was taken."""
    done = sweep(actor=request.actor, state_id=state_id, now=datetime.now(UTC))
    if done.snapshot is None:
        messages.info(request, "There was nothing to take any more.")
    else:
        said = rules.told(done.verdicts)
        messages.info(
            request, f"Swept {said}. The snapshot before, {done.snapshot - 1}, has them all."
        )
    return redirect("agents:memory", request.workspace.slug, state_id)


def _series_page(
    request: WorkspaceRequest, state_id: UUID, form: LimitForm, status: int = 200
) -> HttpResponse:
    cursor = request.GET.get("cursor", "")
    shown = drift.of_state(request.workspace, request.actor, state_id, cursor=cursor)
    at = listed_at("agents:drift_state", request.workspace.slug, state_id, cursor=cursor)
    context: dict[str, Any] = {**shown, "form": form, "socket": socket_for(at())}
    return render(request, "agents/drift_state.html", context, status=status)


def _times_hundred(share: float | None) -> str | None:
    return None if share is None else _plain(round(share * _HUNDRED, 6))


def _plain(number: float | None) -> str | None:
    return None if number is None else f"{number:.15g}"
