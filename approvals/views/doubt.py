"""The page of one effect that left the house, and the acts of saying what became of it."""

from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from approvals.operations import quarantining, resolving
from approvals.operations.asking_again import ask_now
from approvals.operations.compensating import compensate_again
from approvals.queries.outside import outside
from approvals.showing.carrying import label
from approvals.showing.doubt import Typed, acting, execution
from console.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from console.pages import WorkspaceRequest, workspace_view

_DIGITS_AT_MOST = 4


@require_GET
@workspace_view("see")
def outside_detail(request: WorkspaceRequest, execution_id: UUID) -> HttpResponse:
    """Show what is known of one execution, and what can be done about it."""
    return _page(request, execution_id)


@require_POST
@workspace_view("see")
def outside_resolve(request: WorkspaceRequest, execution_id: UUID) -> HttpResponse:
    """Record what this person says became of it."""
    typed = _typed(request.POST)

    def say() -> str:
        status = resolving.resolve(
            actor=request.actor,
            execution_id=execution_id,
            attempt_number=_number(request.POST.get("attempt", "")),
            verdict=typed.verdict,
            reference=typed.reference,
            evidence=typed.evidence,
            now=datetime.now(UTC),
        )
        return f"Your word is recorded. It is {label(status).lower()} now."

    return _acted(request, execution_id, say, typed)


@require_POST
@workspace_view("see")
def outside_take_over(request: WorkspaceRequest, execution_id: UUID) -> HttpResponse:
    """Let the others know that this person sees to it."""

    def take() -> str:
        resolving.take_over(actor=request.actor, execution_id=execution_id, now=datetime.now(UTC))
        return "You see to it. The others are told so here."

    return _acted(request, execution_id, take)


@require_POST
@workspace_view("see")
def outside_ask(request: WorkspaceRequest, execution_id: UUID) -> HttpResponse:
    """Have its provider asked now."""

    def ask() -> str:
        ask_now(actor=request.actor, execution_id=execution_id, now=datetime.now(UTC))
        return "The provider is asked. What it says appears here by itself."

    return _acted(request, execution_id, ask)


@require_POST
@workspace_view("see")
def outside_try_again(request: WorkspaceRequest, execution_id: UUID) -> HttpResponse:
    """Let the sender begin anew what was set aside."""
    typed = _typed(request.POST)

    def again() -> str:
        quarantining.try_again(
            actor=request.actor,
            execution_id=execution_id,
            reason=typed.reason,
            now=datetime.now(UTC),
        )
        return "It is tried again."

    return _acted(request, execution_id, again, typed)


@require_POST
@workspace_view("see")
def outside_drop(request: WorkspaceRequest, execution_id: UUID) -> HttpResponse:
    """Let what was set aside not be carried out."""
    typed = _typed(request.POST)

    def drop() -> str:
        quarantining.drop(
            actor=request.actor,
            execution_id=execution_id,
            reason=typed.reason,
            now=datetime.now(UTC),
        )
        return "It is not carried out. Nothing of it left the house."

    return _acted(request, execution_id, drop, typed)


@require_POST
@workspace_view("see")
def outside_undo_again(request: WorkspaceRequest, execution_id: UUID) -> HttpResponse:
    """Put before people once more what undoes it outside."""
    typed = _typed(request.POST)

    def undo() -> str:
        compensate_again(
            actor=request.actor,
            execution_id=execution_id,
            reason=typed.reason,
            now=datetime.now(UTC),
        )
        return "What undoes it is proposed again. Others decide on it."

    return _acted(request, execution_id, undo, typed)


def _acted(
    request: WorkspaceRequest,
    execution_id: UUID,
    act: Callable[[], str],
    typed: Typed | None = None,
) -> HttpResponse:
    """Do it and show the page anew; a refusal stands on it, beside what was typed."""
    try:
        sentence = act()
    except NotFound:
        raise
    except (Conflict, Invalid, Forbidden) as refused:
        return _page(request, execution_id, typed, refused)
    messages.success(request, sentence)
    answer = redirect("approvals:outside_detail", request.workspace.slug, execution_id)
    answer.status_code = HTTPStatus.SEE_OTHER
    return answer


def _page(
    request: WorkspaceRequest,
    execution_id: UUID,
    typed: Typed | None = None,
    refused: Refused | None = None,
) -> HttpResponse:
    found, now = outside(request.workspace.id, execution_id), datetime.now(UTC)
    shown = execution(found, request.actor, now)
    context = {
        **shown,
        **acting(found, request.actor, now, typed=typed, refused=refused),
        "socket": f"/ws/w/{request.workspace.slug}/outside/{execution_id}/?seen={shown['seen']}",
    }
    status = refused.status if refused else HTTPStatus.OK
    return render(request, "approvals/outside_detail.html", context, status=status)


def _typed(form: QueryDict) -> Typed:
    return Typed(**{name: form.get(name, "") for name in Typed.__slots__})


def _number(text: str) -> int:
    """Read the number of an attempt from a form. Raises: Invalid (422)."""
    if not (text.isascii() and text.isdecimal()) or len(text) > _DIGITS_AT_MOST:
        raise Invalid("An attempt is a whole number.", field="attempt")
    return int(text)
