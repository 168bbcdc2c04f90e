"""Pages of who may approve how much, and of who stands in for whom."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from approvals.operations.authorising import allow_up_to, take_back
from approvals.operations.delegating import delegate, end_delegation
from approvals.showing import people
from approvals.views.people_forms import AwayForm, LimitForm
from console.access.rights import allows
from console.errors import Invalid
from console.pages import WorkspaceRequest, workspace_view

# What an operation calls a value, where its input is called otherwise.
_INPUTS = {"expires_at": "last_day", "ends_at": "last_day"}


@require_GET
@workspace_view("see")
def authority(request: WorkspaceRequest) -> HttpResponse:
    """Show who may approve how much."""
    return _authority(request, _limit_form(request))


@require_POST
@workspace_view("authority")
def authority_grant(request: WorkspaceRequest) -> HttpResponse:
    """Let somebody approve up to an amount."""
    form = _limit_form(request, request.POST)
    if not form.is_valid():
        return _authority(request, form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    said = form.cleaned_data
    try:
        allow_up_to(
            actor=request.actor,
            person_id=said["person"],
            action_types=form.patterns,
            amount=said["amount"],
            currency=said["currency"],
            expires_at=form.expires_at,
            note=said["note"],
            now=datetime.now(UTC),
        )
    except Invalid as refused:
        _blame(form, refused)
        return _authority(request, form, status=refused.status)
    messages.success(request, "The limit is set. From now on it is all that they may approve.")
    return redirect("approvals:authority", request.workspace.slug)


@require_POST
@workspace_view("authority")
def authority_take_back(request: WorkspaceRequest, limit_id: UUID) -> HttpResponse:
    """End a limit at once."""
    take_back(actor=request.actor, limit_id=limit_id, now=datetime.now(UTC))
    messages.success(request, "The limit is taken back. Without any other, the role is enough.")
    return redirect("approvals:authority", request.workspace.slug)


@require_http_methods(["GET", "POST"])
@workspace_view("see")
def away(request: WorkspaceRequest) -> HttpResponse:
    """Show who stands in for whom; a POST names somebody."""
    if request.method == "GET":
        return _away(request, _away_form(request))
    form = _away_form(request, request.POST)
    if not form.is_valid():
        return _away(request, form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        delegate(
            actor=request.actor,
            person_id=form.cleaned_data["person"],
            delegate_id=form.cleaned_data["delegate"],
            begins_at=form.begins_at,
            ends_at=form.ends_at,
            reason=form.cleaned_data["reason"],
            now=datetime.now(UTC),
        )
    except Invalid as refused:
        _blame(form, refused)
        return _away(request, form, status=refused.status)
    messages.success(request, "It is noted who stands in, and on which days.")
    return redirect("approvals:away", request.workspace.slug)


@require_POST
@workspace_view("see")
def away_end(request: WorkspaceRequest, delegation_id: UUID) -> HttpResponse:
    """End a delegation at once."""
    end_delegation(actor=request.actor, delegation_id=delegation_id, now=datetime.now(UTC))
    messages.success(request, "It has ended. What was decided by it and waits counts no more.")
    return redirect("approvals:away", request.workspace.slug)


def _limit_form(request: WorkspaceRequest, typed: Any = None) -> LimitForm:
    others = [pair for pair in people.deciders(request.workspace.id) if not _is_own(request, pair)]
    return LimitForm(others, typed)


def _away_form(request: WorkspaceRequest, typed: Any = None) -> AwayForm:
    """Offer an admin everybody who decides; anybody else only speaks for themselves."""
    everybody = people.deciders(request.workspace.id)
    is_admin = allows(request.actor.roles, "authority")
    who = everybody if is_admin else [pair for pair in everybody if _is_own(request, pair)]
    others = [pair for pair in everybody if not _is_own(request, pair)]
    today = datetime.now(UTC).date()
    return AwayForm(who, others, typed, initial={"person": request.actor.id, "first_day": today})


def _is_own(request: WorkspaceRequest, pair: tuple[UUID, str]) -> bool:
    return str(pair[0]) == request.actor.id


def _blame(form: forms.Form, refused: Invalid) -> None:
    named = str(refused.details.get("field", ""))
    field = _INPUTS.get(named, named)
    form.add_error(field if field in form.fields else None, refused.sentence)


def _authority(
    request: WorkspaceRequest, form: LimitForm, status: int = HTTPStatus.OK
) -> HttpResponse:
    context = people.authority(request.actor, request.GET.get("cursor", ""))
    return render(request, "approvals/authority.html", {**context, "form": form}, status=status)


def _away(request: WorkspaceRequest, form: AwayForm, status: int = HTTPStatus.OK) -> HttpResponse:
    context = people.away(request.actor, request.GET.get("cursor", ""))
    return render(request, "approvals/away.html", {**context, "form": form}, status=status)
