"""The page's act of having something carried out before enough people agreed."""

from datetime import UTC, datetime
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from approvals.operations.breaking_glass import break_glass
from approvals.operations.deciding import Seen
from approvals.views.answering import found, refusal, to_detail
from approvals.views.proposals import revision_of
from approvals.views.signing import BREAKING_GLASS, stepped_up
from console.errors import Conflict, Invalid
from console.pages import WorkspaceRequest, workspace_view


@sensitive_post_parameters("password", "code")
@require_POST
@workspace_view("break_glass")
def proposal_break_glass(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    """Have exactly the wording that was shown carried out now, on one admin's word."""
    seen = Seen(revision_of(request.POST.get("revision", "")), request.POST.get("digest", ""))
    asked = found(request, proposal_id).found.proposal
    try:
        break_glass(
            actor=request.actor,
            proposal_id=proposal_id,
            seen=seen,
            reason=request.POST.get("reason", ""),
            step_up=stepped_up(request, asked, seen, BREAKING_GLASS),
            now=datetime.now(UTC),
        )
    except (Conflict, Invalid) as refused:
        return refusal(request, proposal_id, None, refused)
    messages.warning(request, "The glass is broken. Two others owe a review of it.")
    return to_detail(request, proposal_id)
