"""The queue, what was settled, who looks at what, and deciding on several at once."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import cast
from uuid import UUID

from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from approvals import filtering
from approvals.filtering import FilterInvalid, Filters
from approvals.operations.bulk import Item, decide_many
from approvals.operations.claiming import claim, release
from approvals.operations.deciding import Act, Incomplete, Seen
from approvals.policy import REASON_CODES, Choice
from approvals.showing import waiting
from approvals.showing.beside import offered
from approvals.showing.together import together
from console.errors import Invalid
from console.pages import WorkspaceRequest, workspace_view

DIGEST_LENGTH = 64


@require_GET
@workspace_view("see")
def queue(request: WorkspaceRequest) -> HttpResponse:
    """Show what must be decided next; a filter that cannot be used is named, not guessed."""
    filters, refused = _filters(request)
    context = waiting.queue(request.actor, filters, waiting.Place(request.GET.get("cursor", "")))
    socket = "&".join(filter(None, [filters.address, context["place"].address]))
    context |= {
        **waiting.shelf(request.workspace.id, filters),
        "refused": refused,
        "codes": REASON_CODES,
        "socket": f"/ws/w/{request.workspace.slug}/queue/?{socket}",
    }
    status = refused.status if refused else HTTPStatus.OK
    return render(request, "approvals/queue.html", context, status=status)


@require_GET
@workspace_view("see")
def settled(request: WorkspaceRequest) -> HttpResponse:
    """Show what was settled, newest first."""
    context = waiting.settled(request.workspace.id, request.GET.get("cursor", ""))
    context |= {"views": waiting.views(), "beside": offered(request.actor)}
    return render(request, "approvals/settled.html", context)


@require_POST
@workspace_view("decide")
def queue_claim(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    """Tell the others who looks at it, and show the row again."""
    claim(actor=request.actor, proposal_id=proposal_id, now=datetime.now(UTC))
    return _row(request, proposal_id)


@require_POST
@workspace_view("decide")
def queue_release(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    """Let go of a claim, and show the row again."""
    release(actor=request.actor, proposal_id=proposal_id, now=datetime.now(UTC))
    return _row(request, proposal_id)


@require_POST
@workspace_view("decide")
def queue_decide(request: WorkspaceRequest) -> HttpResponse:
    """Say what deciding on several at once would do; at the second step, do it."""
    items, act = _picked(request.POST.getlist("item")), _act(request.POST)
    is_done = request.POST.get("step") == "decide"
    results = decide_many(
        actor=request.actor, items=items, act=act, dry_run=not is_done, now=datetime.now(UTC)
    )
    context = together(request.actor, items, act, results, is_done=is_done)
    return render(request, "approvals/queue_decide.html", context)


def _picked(written: list[str]) -> list[Item]:
    """Read what the boxes say: id, revision and digest of each."""
    items = {}
    for text in written:
        proposal_id, revision, digest = [*text.split("."), "", ""][:3]
        try:
            seen = Seen(int(revision), digest[:DIGEST_LENGTH])
            items[UUID(proposal_id)] = Item(UUID(proposal_id), seen)
        except ValueError as error:
            raise Invalid("A box of the queue says something strange.", field="item") from error
    return list(items.values())


def _act(form: QueryDict) -> Act:
    choice = form.get("choice", "")
    if choice not in {"approve", "reject"}:
        raise Incomplete("Several together are approved or rejected.", field="choice")
    reason = form.get("reason", "")
    return Act(cast("Choice", choice), reason=reason, reason_code=form.get("reason_code", ""))


def _filters(request: WorkspaceRequest) -> tuple[Filters, FilterInvalid | None]:
    try:
        return _open(filtering.read(request.GET.dict())), None
    except FilterInvalid as refused:
        return waiting.EVERYTHING, refused


def _open(filters: Filters) -> Filters:
    if not filters.is_open:
        sentence = "What was settled stands under Settled; here is what is open."
        raise FilterInvalid(sentence, field="status")
    return filters


def _row(request: WorkspaceRequest, proposal_id: UUID) -> HttpResponse:
    if not request.htmx:
        return redirect("approvals:queue", request.workspace.slug)
    card = waiting.row(request.actor, proposal_id)
    return render(request, "approvals/_queue_row.html", {"card": card})
