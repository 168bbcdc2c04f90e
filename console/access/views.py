"""Coming home and going, tokens of programs, and what is said when something goes wrong."""

import sys
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LogoutView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from console.access import queries
from console.access.forms import TokenForm
from console.access.models import User
from console.access.operations.keying import TokenUnusable, make_token, revoke_token
from console.access.rights import SCOPES, allows
from console.errors import Forbidden, NotFound, Refused
from console.live import ring
from console.pages import WorkspaceRequest, refusal, workspace_view
from console.paging import page
from console.problems import AWAY, unavailable
from console.tracing import request_id


class SessionGone(Forbidden):
    """This page is older than your session; load it again, so that it is sure that you asked."""

    code = "csrf"


class Unreadable(Refused):
    """This request could not be read."""

    status = 400
    code = "bad_request"


class SignOutView(LogoutView):
    """Let a person out; only by POST. What they left open hears of it at once."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """End the session, then ring at every page that its person has open."""
        person = request.user.pk
        answer = super().post(request, *args, **kwargs)
        ring("person", person)
        return answer


@require_GET
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Go to the first workspace's queue, or say that there is none."""
    workspaces = queries.workspaces_of(cast("User", request.user).id)
    if workspaces:
        return redirect("approvals:queue", workspaces[0].slug)
    return render(request, "access/nowhere.html")


@require_GET
@workspace_view("see")
def tokens(request: WorkspaceRequest) -> HttpResponse:
    """Show the workspace's tokens, and the form for a new one to whoever may make one."""
    return _tokens(request, TokenForm())


@sensitive_post_parameters()
@never_cache
@require_POST
@workspace_view("tokens")
def token_make(request: WorkspaceRequest) -> HttpResponse:
    """Make a token; its secret stands on this reply and nowhere else."""
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _tokens(request, form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        token, secret = make_token(
            actor=request.actor,
            name=form.cleaned_data["name"],
            scopes=form.cleaned_data["scopes"],
            lifetime=form.lifetime,
            now=datetime.now(UTC),
        )
    except TokenUnusable as refused:
        form.add_error(str(refused.details["field"]), refused.sentence)
        return _tokens(request, form, status=refused.status)
    return _tokens(request, TokenForm(), made=token, secret=secret)


@require_POST
@workspace_view("tokens")
def token_revoke(request: WorkspaceRequest, token_id: UUID) -> HttpResponse:
    """End a token at once."""
    revoke_token(actor=request.actor, token_id=token_id, now=datetime.now(UTC))
    messages.success(request, "The token is revoked. Whoever still holds it gets 401 from now on.")
    return redirect("access:tokens", request.workspace.slug)


def _tokens(
    request: WorkspaceRequest, form: TokenForm, *, status: int = HTTPStatus.OK, **made: Any
) -> HttpResponse:
    cursor = request.GET.get("cursor", "")
    found = page(queries.tokens(request.workspace.id), by="created_at", cursor=cursor)
    context = {
        "form": form,
        "tokens": found.rows,
        "cursor": cursor,
        "next_cursor": found.next_cursor,
        "now": datetime.now(UTC),
        "may_make": allows(request.actor.roles, "tokens"),
        "scopes": SCOPES,
        "address": request.build_absolute_uri("/api/v1/jobs"),
        **made,
    }
    return render(request, "access/tokens.html", context, status=status)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer what could not be read; its headers may be forged, so nothing of it is used."""
    body = render_to_string("400.html", {"refused": Unreadable()})
    return HttpResponse(body, status=HTTPStatus.BAD_REQUEST)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer what this person may not do."""
    return refusal(request, Forbidden())


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer for an address with nothing behind it, or behind it for others."""
    return refusal(request, NotFound())


def failed(request: HttpRequest) -> HttpResponse:
    """Answer when we failed; rendered without the database, which may be what failed."""
    # Sessions are saved outside of the layer that knows what an absent database means.
    if isinstance(sys.exc_info()[1], AWAY):
        return unavailable(request)
    body = render_to_string("500.html", {"request_id": request_id()})
    return HttpResponse(body, status=HTTPStatus.INTERNAL_SERVER_ERROR)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a request that did not come from a page of ours, or from one that is too old."""
    return refusal(request, SessionGone())
