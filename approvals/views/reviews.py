"""Pages of the reviews that are owed after something was carried out before people agreed."""

from datetime import UTC, datetime
from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from approvals.operations import reviewing
from approvals.showing import owing
from console.errors import Conflict, Invalid
from console.pages import WorkspaceRequest, workspace_view


@require_GET
@workspace_view("see")
def reviews(request: WorkspaceRequest) -> HttpResponse:
    """Show which looks are owed, the first due first, or which were taken."""
    cursor, taken = request.GET.get("cursor", ""), request.GET.get("taken") == "1"
    context = owing.reviews(request.actor, taken=taken, cursor=cursor)
    return render(request, "approvals/reviews.html", context)


@require_http_methods(["GET", "POST"])
@workspace_view("see")
def review(request: WorkspaceRequest, review_id: UUID) -> HttpResponse:
    """Show one look and what it is at; a POST takes it."""
    if request.method == "GET":
        return render(request, "approvals/review.html", owing.review(request.actor, review_id))
    verdict, text = request.POST.get("verdict", ""), request.POST.get("text", "")
    try:
        reviewing.review(
            actor=request.actor,
            review_id=review_id,
            verdict=verdict,
            text=text,
            now=datetime.now(UTC),
        )
    except (Conflict, Invalid) as refused:
        context = owing.review(
            request.actor, review_id, verdict=verdict, text=text, refused=refused
        )
        return render(request, "approvals/review.html", context, status=refused.status)
    messages.success(request, "Your review is recorded.")
    address = redirect("approvals:reviews", request.workspace.slug)
    address.status_code = HTTPStatus.SEE_OTHER
    return address
