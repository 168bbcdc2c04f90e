"""The page on which a reviewer edits what they decide on, and so becomes an author of it."""

from datetime import UTC, datetime
from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from approvals import forms
from approvals.operations.deciding import Seen
from approvals.operations.editing import edit
from approvals.showing.editing import editing
from approvals.showing.reading import Reader
from approvals.views.answering import found, to_detail
from approvals.views.proposals import revision_of
from console.errors import Conflict, Invalid
from console.pages import WorkspaceRequest, workspace_view

_PAGE = "approvals/proposal_edit.html"
_PREFIX = "param-"


@require_http_methods(["GET", "POST"])
@workspace_view("decide")
def proposal_edit(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    """Show the parameters as inputs; a POST makes them the next revision."""
    who = found(request, proposal_id)
    if request.method == "GET":
        return render(request, _PAGE, editing(who))
    return _edited(request, who)


def _edited(request: WorkspaceRequest, who: Reader) -> HttpResponse:
    row, form = who.found.proposal, request.POST
    typed = {name.removeprefix(_PREFIX): form[name] for name in form if name.startswith(_PREFIX)}
    schema = row.action_type.params_schema
    reading = forms.read(schema, who.found.revision.params, typed)
    why = form.get("why", "")
    if reading.errors:
        context = editing(who, typed={**typed, "why": why}, errors=reading.errors)
        return render(request, _PAGE, context, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        edit(
            actor=request.actor,
            proposal_id=row.id,
            seen=Seen(revision_of(form.get("revision", "")), form.get("digest", "")),
            params=reading.params,
            reason=why,
            now=datetime.now(UTC),
        )
    except (Conflict, Invalid) as refused:
        context = editing(who, typed={**typed, "why": why}, refused=refused)
        return render(request, _PAGE, context, status=refused.status)
    messages.success(request, "Your edit is the newest revision; somebody else has to approve it.")
    return to_detail(request, row.id)
