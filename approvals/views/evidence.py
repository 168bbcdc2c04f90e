"""The evidence pack of a proposal, to take along: for machines as JSON, for people on paper."""

from datetime import UTC, datetime
from uuid import UUID

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from approvals.showing.dossier import Form, packed
from console.limiting.meeting import metered
from console.pages import WorkspaceRequest, workspace_view

# Whatever a browser does with the file, it does it without our pages and without a network.
ALONE = "default-src 'none'; sandbox"
KINDS: dict[Form, str] = {"json": "application/json", "pdf": "application/pdf"}


@require_GET
@workspace_view("see")
@metered
def evidence_json(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    """Hand out the pack as canonical JSON, which can be checked."""
    return _answer(request, proposal_id, "json")


@require_GET
@workspace_view("see")
@metered
def evidence_pdf(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    """Hand out the pack as a PDF."""
    return _answer(request, proposal_id, "pdf")


def _answer(request: WorkspaceRequest, proposal_id: UUID, form: Form) -> HttpResponse:
    body = packed(actor=request.actor, proposal_id=proposal_id, form=form, now=datetime.now(UTC))
    headers = {
        "Content-Disposition": f'attachment; filename="evidence-{proposal_id}.{form}"',
        "Content-Security-Policy": ALONE,
        "X-Content-Type-Options": "nosniff",
    }
    return HttpResponse(body, content_type=KINDS[form], headers=headers)
