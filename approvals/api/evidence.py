"""The evidence pack of a proposal over HTTP, for programs and for people."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from ninja import Router

from approvals.showing.dossier import packed
from console.access.bearer import Bearer, ClientRequest
from console.access.people import People
from console.endpoints import PROBLEMS

router = Router()


@router.get(
    "/{proposal_id}/evidence-pack",
    auth=[Bearer("proposals:read"), People("see", only=False)],
    response={200: dict[str, Any], **PROBLEMS},
)
def evidence_pack(request: ClientRequest, proposal_id: UUID) -> HttpResponse:
    """Return everything about a proposal with its digests, as canonical JSON.

    Refused while a proposal of level 3 is open: its reviewers are blind to each other.
    """
    now = datetime.now(UTC)
    body = packed(actor=request.actor, proposal_id=proposal_id, form="json", now=now)
    return HttpResponse(body, content_type="application/json")
