"""The ledger's page: who did what, and does the chain hold?"""

from datetime import UTC, datetime
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from console.ledger import queries
from console.ledger.showing import ledger
from console.pages import WorkspaceRequest, workspace_view


@require_GET
@workspace_view("see")
def entries(request: WorkspaceRequest) -> HttpResponse:
    """Show the entries, newest first; of one subject if asked, and checked if asked."""
    verdict = queries.verify(request.workspace.id) if "verify" in request.GET else None
    if request.htmx and verdict:
        return render(request, "ledger/_verdict.html", {"verdict": verdict})
    subject, cursor = request.GET.get("subject", "").strip(), request.GET.get("cursor", "")
    context = ledger(request.workspace, request.actor, subject=subject, cursor=cursor)
    sealed = queries.newest(request.workspace.id, datetime.now(UTC))
    # Entries never change: only the first page has anything to hear.
    socket = "" if cursor else _socket(request.workspace.slug, subject)
    shown = {**context, "verdict": verdict, "socket": socket, "checkpoint": sealed}
    return render(request, "ledger/entries.html", shown)


def _socket(slug: str, subject: str) -> str:
    address = f"/ws/w/{slug}/ledger/"
    return f"{address}?{urlencode({'subject': subject})}" if subject else address
