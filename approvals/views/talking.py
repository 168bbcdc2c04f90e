"""Pages' acts of talking about a proposal: a question, an answer, a comment."""

from datetime import UTC, datetime
from uuid import UUID

from django.http import HttpResponse
from django.views.decorators.http import require_POST

from approvals.operations import asking
from approvals.operations.commenting import comment
from approvals.views.answering import acted
from console.pages import WorkspaceRequest, workspace_view

_SAID = "approvals/_reply_said.html"
_STOOD = "approvals/_reply_asked.html"


@require_POST
@workspace_view("see")
def proposal_comment(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    """Say something."""
    text = request.POST.get("text", "")
    comment(actor=request.actor, proposal_id=proposal_id, text=text, now=datetime.now(UTC))
    return acted(request, proposal_id, _SAID, "Your comment is there.")


@require_POST
@workspace_view("decide")
def proposal_ask(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    """Ask the proposer something; the clock stands still."""
    question = request.POST.get("question", "")
    asking.ask(
        actor=request.actor, proposal_id=proposal_id, question=question, now=datetime.now(UTC)
    )
    return acted(request, proposal_id, _STOOD, "Your question was asked; the clock stands still.")


@require_POST
@workspace_view("see")
def proposal_answer(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    """Answer the open question."""
    text = request.POST.get("text", "")
    asking.answer(actor=request.actor, proposal_id=proposal_id, text=text, now=datetime.now(UTC))
    return acted(request, proposal_id, _STOOD, "Your answer is evidence now; the clock goes on.")


@require_POST
@workspace_view("decide")
def proposal_take_back(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    """Take the open question back; the clock goes on."""
    asking.take_back(actor=request.actor, proposal_id=proposal_id, now=datetime.now(UTC))
    return acted(request, proposal_id, _STOOD, "The question was taken back; the clock goes on.")
