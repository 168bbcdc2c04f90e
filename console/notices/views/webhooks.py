"""Where else are events sent, and did they arrive?"""

from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from console.notices import showing
from console.notices.forms import EventsForm, WebhookForm
from console.notices.operations import hooking
from console.notices.operations.hooking import WebhookUnusable
from console.notices.operations.redelivering import redeliver as send_again
from console.notices.operations.redelivering import send_test
from console.pages import WorkspaceRequest, workspace_view


@require_GET
@workspace_view("webhooks")
def webhooks(request: WorkspaceRequest) -> HttpResponse:
    """Show the workspace's webhooks, and the form for a new one."""
    return _list(request, WebhookForm())


@sensitive_post_parameters()
@never_cache
@require_POST
@workspace_view("webhooks")
def webhook_add(request: WorkspaceRequest) -> HttpResponse:
    """Add a webhook; its secret stands on this reply and nowhere else."""
    form = WebhookForm(request.POST)
    if not form.is_valid():
        return _list(request, form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    wanted = form.cleaned_data
    try:
        made, secret = hooking.add(
            actor=request.actor, url=wanted["url"], events=wanted["events"], now=datetime.now(UTC)
        )
    except WebhookUnusable as refused:
        form.add_error(str(refused.details["field"]), refused.sentence)
        return _list(request, form, status=refused.status)
    return _list(request, WebhookForm(), made=made, secret=secret)


@require_GET
@workspace_view("webhooks")
def webhook(request: WorkspaceRequest, webhook_id: UUID) -> HttpResponse:
    """Show one webhook and what was sent to it."""
    return _detail(request, webhook_id)


@require_POST
@workspace_view("webhooks")
def webhook_change(request: WorkspaceRequest, webhook_id: UUID) -> HttpResponse:
    """Let a webhook hear other events."""
    form = EventsForm(request.POST)
    if not form.is_valid():
        return _detail(request, webhook_id, form=form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    hooking.change(
        actor=request.actor,
        webhook_id=webhook_id,
        events=form.cleaned_data["events"],
        now=datetime.now(UTC),
    )
    return _back(request, webhook_id, "The webhook hears what you chose.")


@never_cache
@require_POST
@workspace_view("webhooks")
def webhook_rotate(request: WorkspaceRequest, webhook_id: UUID) -> HttpResponse:
    """Give a webhook a new secret; it stands on this reply and nowhere else."""
    _, secret = hooking.rotate(actor=request.actor, webhook_id=webhook_id, now=datetime.now(UTC))
    return _detail(request, webhook_id, secret=secret)


@require_POST
@workspace_view("webhooks")
def webhook_disable(request: WorkspaceRequest, webhook_id: UUID) -> HttpResponse:
    """Switch a webhook off."""
    return _done(request, webhook_id, hooking.disable, "The webhook is off and hears nothing.")


@require_POST
@workspace_view("webhooks")
def webhook_enable(request: WorkspaceRequest, webhook_id: UUID) -> HttpResponse:
    """Switch a webhook on again."""
    return _done(request, webhook_id, hooking.enable, "The webhook is on again.")


@require_POST
@workspace_view("webhooks")
def webhook_remove(request: WorkspaceRequest, webhook_id: UUID) -> HttpResponse:
    """Take a webhook away."""
    hooking.remove(actor=request.actor, webhook_id=webhook_id, now=datetime.now(UTC))
    messages.success(request, "The webhook is removed, and its secret is forgotten.")
    return redirect("notices:webhooks", request.workspace.slug)


@require_POST
@workspace_view("webhooks")
def webhook_test(request: WorkspaceRequest, webhook_id: UUID) -> HttpResponse:
    """Send a test event."""
    return _done(request, webhook_id, send_test, "A test event is on its way.")


@require_POST
@workspace_view("webhooks")
def redeliver(request: WorkspaceRequest, webhook_id: UUID, delivery_id: UUID) -> HttpResponse:
    """Send a delivery again."""
    send_again(
        actor=request.actor,
        webhook_id=webhook_id,
        delivery_id=delivery_id,
        now=datetime.now(UTC),
    )
    return _back(request, webhook_id, "It is sent again, under the same webhook-id.")


def _done(
    request: WorkspaceRequest, webhook_id: UUID, act: Callable[..., object], says: str
) -> HttpResponse:
    act(actor=request.actor, webhook_id=webhook_id, now=datetime.now(UTC))
    return _back(request, webhook_id, says)


def _back(request: WorkspaceRequest, webhook_id: UUID, says: str) -> HttpResponse:
    messages.success(request, says)
    return redirect("notices:webhook", request.workspace.slug, webhook_id)


def _list(
    request: WorkspaceRequest, form: WebhookForm, *, status: int = HTTPStatus.OK, **made: Any
) -> HttpResponse:
    cursor = request.GET.get("cursor", "")
    context = {"form": form, **showing.webhooks(request.workspace.id, cursor=cursor), **made}
    return render(request, "notices/webhooks.html", context, status=status)


def _detail(
    request: WorkspaceRequest,
    webhook_id: UUID,
    *,
    form: EventsForm | None = None,
    secret: str = "",
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    cursor, now = request.GET.get("cursor", ""), datetime.now(UTC)
    shown = showing.webhook(request.workspace.id, webhook_id, cursor=cursor, now=now)
    form = form or EventsForm(initial={"events": shown["webhook"]["events"]})
    context = {**shown, "form": form, "secret": secret}
    return render(request, "notices/webhook.html", context, status=status)
