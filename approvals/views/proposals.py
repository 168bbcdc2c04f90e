"""Pages of proposals: the queue, one proposal, and the act of deciding."""

import json
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from approvals import queries
from approvals.operations.deciding import Incomplete, decide
from approvals.operations.rebasing import rebase
from approvals.operations.recalling import recall
from approvals.policy import Choice
from approvals.queries import Detail
from approvals.showing import waiting
from approvals.showing.deciding import Typed, decision
from approvals.showing.proposal import proposal
from console.errors import Conflict, Invalid, Refused
from console.pages import WorkspaceRequest, workspace_view

_DRAFT = "draft"
_DIGITS_AT_MOST = 9


@require_GET
@workspace_view("see")
def queue(request: WorkspaceRequest) -> HttpResponse:
    """Show what must be decided next."""
    cursor = request.GET.get("cursor", "")
    context = waiting.queue(request.actor, cursor)
    address = f"/ws/w/{request.workspace.slug}/queue/"
    socket = f"{address}?cursor={cursor}" if cursor else address
    return render(request, "approvals/queue.html", {**context, "socket": socket})


@require_GET
@workspace_view("see")
def settled(request: WorkspaceRequest) -> HttpResponse:
    """Show what was settled, newest first."""
    context = waiting.settled(request.workspace.id, request.GET.get("cursor", ""))
    return render(request, "approvals/settled.html", context)


@require_GET
@workspace_view("see")
def proposal_detail(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    """Show what exactly would happen, and the place to decide on it."""
    found = queries.detail(request.workspace.id, proposal_id)
    typed = _shown(found, reason=_kept_draft(request, proposal_id))
    return _page(request, found, decision(found, request.actor, typed=typed))


@require_GET
@workspace_view("see")
def proposal_raw(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    """Show the sealed bytes that decisions are bound to, as JSON."""
    asked = request.GET.get("revision", "")
    number = _revision(asked) if asked else None
    revision = queries.sealed(request.workspace.id, proposal_id, number)
    context = {
        "proposal_id": proposal_id,
        "revision": revision,
        "sealed": json.loads(bytes(revision.sealed)),
        "params": revision.params,
    }
    return render(request, "approvals/proposal_raw.html", context)


@require_POST
@workspace_view("decide")
def proposal_decide(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    """Record a decision on exactly the wording that the form was shown for."""
    typed = _typed(request.POST)
    try:
        _refuse_unstorable(typed.reason, *typed.ticked)
        decide(
            proposal_id=proposal_id,
            revision=typed.revision,
            digest=typed.digest,
            actor=request.actor,
            choice=_choice(typed),
            reason=typed.reason,
            ticked=list(typed.ticked),
            now=datetime.now(UTC),
        )
    except (Conflict, Invalid) as refused:
        return _refused(request, proposal_id, typed, refused)
    return _done(request, proposal_id, "Your decision is recorded.")


@require_POST
@workspace_view("decide")
def proposal_recall(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    """Take an approval back while it is held."""
    reason = request.POST.get("reason", "")
    try:
        _refuse_unstorable(reason)
        recall(actor=request.actor, proposal_id=proposal_id, reason=reason, now=datetime.now(UTC))
    except (Conflict, Invalid) as refused:
        return _refused(request, proposal_id, None, refused)
    return _to_detail(request, proposal_id)


@require_POST
@workspace_view("decide")
def proposal_rebase(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    """Load the new diff: preview on the newest snapshot, and show that; what was typed is kept."""
    rebase(actor=request.actor, proposal_id=proposal_id, now=datetime.now(UTC))
    if reason := request.POST.get("reason", ""):
        request.session[_DRAFT] = [str(proposal_id), reason]
    return _to_detail(request, proposal_id)


def _typed(form: QueryDict) -> Typed:
    return Typed(
        revision=_revision(form.get("revision", "")),
        digest=form.get("digest", ""),
        choice=form.get("choice", ""),
        reason=form.get("reason", ""),
        ticked=tuple(form.getlist("ticked")),
    )


def _revision(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > _DIGITS_AT_MOST:
        raise Invalid("A revision is a whole number.", field="revision")
    return int(text)


def _refuse_unstorable(*texts: str) -> None:
    if any("\0" in text for text in texts):
        raise Incomplete("A text here cannot hold the character NUL.", field="reason")


def _choice(typed: Typed) -> Choice:
    if typed.choice not in {"approve", "reject"}:
        raise Incomplete("Choose to approve or to reject.", field="choice")
    return cast("Choice", typed.choice)


def _shown(found: Detail, *, reason: str) -> Typed:
    return Typed(found.revision.number, found.revision.digest, reason=reason)


def _kept_draft(request: WorkspaceRequest, proposal_id: UUID) -> str:
    kept_for, reason = request.session.get(_DRAFT, ("", ""))
    if kept_for != str(proposal_id):
        return ""
    del request.session[_DRAFT]
    return str(reason)


def _page(
    request: WorkspaceRequest, found: Detail, decided: dict[str, Any], status: int = HTTPStatus.OK
) -> HttpResponse:
    seen = _seen(decided)
    address = f"/ws/w/{request.workspace.slug}/proposals/{found.proposal.id}/"
    context = {
        **proposal(found, request.actor, seen=seen),
        **decided,
        "socket": f"{address}?seen={seen}",
    }
    return render(request, "approvals/proposal_detail.html", context, status=status)


def _reply(
    request: WorkspaceRequest, found: Detail, decided: dict[str, Any], status: int
) -> HttpResponse:
    """Answer HTMX with the place of decision, and the facts above it as they are now."""
    facts = proposal(found, request.actor, seen=_seen(decided))
    context = {"actor": request.actor, **facts, **decided}
    return render(request, "approvals/_reply.html", context, status=status)


def _seen(decided: dict[str, Any]) -> int:
    revision: int = decided["typed"].revision
    return 0 if decided["mode"] == "settled" else revision


def _refused(
    request: WorkspaceRequest, proposal_id: UUID, typed: Typed | None, refused: Refused
) -> HttpResponse:
    found = queries.detail(request.workspace.id, proposal_id)
    decided = decision(found, request.actor, typed=typed, refused=refused)
    answer = _reply if request.htmx else _page
    return answer(request, found, decided, refused.status)


def _done(request: WorkspaceRequest, proposal_id: UUID, sentence: str) -> HttpResponse:
    if not request.htmx:
        messages.success(request, sentence)
        return _to_detail(request, proposal_id)
    found = queries.detail(request.workspace.id, proposal_id)
    decided = {**decision(found, request.actor), "has_just_decided": True}
    return _reply(request, found, decided, HTTPStatus.OK)


def _to_detail(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    address = reverse("approvals:proposal_detail", args=[request.workspace.slug, proposal_id])
    if request.htmx:
        return HttpResponse(status=HTTPStatus.NO_CONTENT, headers={"HX-Redirect": address})
    return redirect(address)
