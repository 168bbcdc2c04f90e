"""What am I told, and how?"""

from datetime import UTC, datetime
from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from console.notices import queries, showing
from console.notices.forms import PreferenceForm
from console.notices.operations import choosing
from console.pages import WorkspaceRequest, workspace_view


@require_GET
@workspace_view("see")
def preferences(request: WorkspaceRequest) -> HttpResponse:
    """Show what the person chose, and what they were told lately."""
    choice = queries.choice_of(request.workspace.id, UUID(request.actor.id))
    return _page(request, PreferenceForm.of(choice))


@require_POST
@workspace_view("see")
def choose(request: WorkspaceRequest) -> HttpResponse:
    """Keep what the person chose."""
    form = PreferenceForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    choosing.choose(
        actor=request.actor,
        chosen=form.chosen,
        digest_hour=form.cleaned_data["digest_hour"],
        zone=form.cleaned_data["zone"],
        now=datetime.now(UTC),
    )
    messages.success(request, "Your choice is kept, for this workspace.")
    return redirect("notices:preferences", request.workspace.slug)


def _page(
    request: WorkspaceRequest, form: PreferenceForm, *, status: int = HTTPStatus.OK
) -> HttpResponse:
    context = {"form": form, **showing.preferences(request.actor)}
    return render(request, "notices/preferences.html", context, status=status)
