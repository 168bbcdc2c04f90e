"""Pages of States: which there are, what changed, who did it, and what stood there."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from console.access.rights import allows
from console.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from console.limiting.meeting import metered
from console.pages import WorkspaceRequest, workspace_view
from console.streaming import streamed
from snapshots.operations import marking, reading
from snapshots.showing import bundle, history, outside, states
from snapshots.showing.addresses import listed_at, socket_for

_LONGEST_NUMBER = 9


@require_GET
@workspace_view("see")
def state_list(request: WorkspaceRequest) -> HttpResponse:
    """Show the workspace's States by key."""
    prefix, after = request.GET.get("q", ""), request.GET.get("after", "")
    shown = states.state_list(request.workspace, prefix=prefix, after=after)
    at = listed_at("snapshots:state_list", request.workspace.slug, q=prefix, after=after)
    return render(request, "snapshots/state_list.html", {**shown, "socket": socket_for(at())})


@require_GET
@workspace_view("see")
def state_detail(request: WorkspaceRequest, state_id: UUID) -> HttpResponse:
    """Show what changed in a State and who did it, newest first, or when one value changed."""
    asked = history.Asked.of(request.GET.dict())
    shown = history.history(request.workspace, request.actor, state_id, asked)
    at = listed_at("snapshots:state_detail", request.workspace.slug, state_id, **asked.words())
    context = {**shown, "socket": socket_for(at(cursor=asked.cursor))}
    return render(request, "snapshots/state_detail.html", context)


@require_GET
@workspace_view("see")
def state_compare(request: WorkspaceRequest, state_id: UUID) -> HttpResponse:
    """Show what differs between two snapshots of a State."""
    old, new = request.GET.get("a", ""), request.GET.get("b", "")
    shown = states.compared(request.workspace, state_id, old=old, new=new, start=_start(request))
    return render(request, "snapshots/state_compare.html", shown)


@require_GET
@workspace_view("see")
def snapshot_detail(request: WorkspaceRequest, state_id: UUID, number: int) -> HttpResponse:
    """Show what a State held at a snapshot, or the part of it at a path."""
    at = request.GET.get("at", "")
    start = _start(request)
    shown = states.content(request.workspace, request.actor, state_id, number, at=at, start=start)
    return render(request, _content_template(request, shown), shown)


def _content_template(request: WorkspaceRequest, shown: dict[str, Any]) -> str:
    if not request.htmx:
        return "snapshots/snapshot_detail.html"
    return "snapshots/_children.html" if shown["start"] else "snapshots/_node.html"


@require_GET
@workspace_view("see")
@metered
def snapshot_file(request: WorkspaceRequest, state_id: UUID, number: int) -> HttpResponse:
    """Send a snapshot's content as the bytes that its digest names."""
    name, content = states.exported(request.workspace, state_id, number)
    return HttpResponse(content, content_type="application/json", headers=_as_file(name))


def _as_file(name: str) -> dict[str, str]:
    return {
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
    }


@require_GET
@workspace_view("see")
@metered
def state_file(request: WorkspaceRequest, state_id: UUID) -> StreamingHttpResponse:
    """Send a whole State as a bundle, line by line."""
    name, lines = bundle.exported(request.workspace.id, state_id)
    return streamed(request, lines, content_type=bundle.MEDIA_TYPE, headers=_as_file(name))


@require_http_methods(["GET", "POST"])
@workspace_view("see")
def snapshot_marks(request: WorkspaceRequest, state_id: UUID, number: int) -> HttpResponse:
    """Show what hangs on a snapshot, or hang a name or a pin on it."""
    if request.method == "GET":
        return _marks(request, state_id, number)
    if not allows(request.actor.roles, "mark"):
        raise Forbidden
    put: dict[str, Any] = {**_act(request, state_id), "number": number}
    if request.POST.get("kind") == "pin":
        marking.pin(**put)
        return _marks(request, state_id, number, f"Snapshot {number} is pinned.")
    mark = marking.name(**put, called=request.POST.get("name", ""))
    return _marks(request, state_id, number, f"Snapshot {number} is called “{mark.name}” now.")


@require_POST
@workspace_view("mark")
def mark_remove(request: WorkspaceRequest, state_id: UUID, mark_id: UUID) -> HttpResponse:
    """Take a name or a pin off."""
    mark = marking.unmark(**_act(request, state_id), mark_id=mark_id)
    said = f"The name “{mark.name}” is taken off." if mark.name else "The pin is taken off."
    return _marks(request, state_id, mark.number, said)


@require_POST
@workspace_view("hold")
def hold_make(request: WorkspaceRequest, state_id: UUID) -> HttpResponse:
    """Put a legal hold on a snapshot, or on the whole State if no number is sent."""
    asked = request.POST.get("number", "")
    number = _digits(asked) or None
    if asked and number is None:
        raise NotFound("This State has no such snapshot.")
    marking.hold(**_act(request, state_id), number=number)
    held = f"Snapshot {number}" if number else "This State"
    return _marks(request, state_id, number, f"{held} is under a legal hold.")


@require_POST
@workspace_view("hold")
def hold_lift(request: WorkspaceRequest, state_id: UUID, mark_id: UUID) -> HttpResponse:
    """Lift a legal hold."""
    mark = marking.lift(**_act(request, state_id), mark_id=mark_id)
    return _marks(request, state_id, mark.number, "The legal hold is lifted.")


def _act(request: WorkspaceRequest, state_id: UUID) -> dict[str, Any]:
    return {
        "actor": request.actor,
        "state_id": state_id,
        "reason": request.POST.get("reason", ""),
        "now": datetime.now(UTC),
    }


def _marks(
    request: WorkspaceRequest, state_id: UUID, number: int | None, said: str = ""
) -> HttpResponse:
    """Show the marks of a snapshot afresh; without HTMX, go to the page that they stand on."""
    shown = (
        {} if number is None else states.marked(request.workspace, request.actor, state_id, number)
    )
    if request.htmx:
        return render(request, "snapshots/_marked.html", {**shown, "said": said})
    if said:
        messages.success(request, said)
    place = (request.workspace.slug, state_id)
    if number is None:
        return redirect("snapshots:state_detail", *place)
    return redirect("snapshots:snapshot_detail", *place, number)


def _start(request: WorkspaceRequest) -> int:
    return _digits(request.GET.get("start", ""))


def _digits(asked: str) -> int:
    usable = asked.isascii() and asked.isdecimal() and len(asked) <= _LONGEST_NUMBER
    return int(asked) if usable else 0


@require_GET
@workspace_view("see")
def state_outside(request: WorkspaceRequest, state_id: UUID) -> HttpResponse:
    """Show how a State differs from the outside record it mirrors."""
    return _outside(request, state_id)


@require_POST
@workspace_view("import")
def outside_read(request: WorkspaceRequest, state_id: UUID) -> HttpResponse:
    """Read the outside record from its source."""
    try:
        reading.read_again(actor=request.actor, state_id=state_id, now=datetime.now(UTC))
    except (Conflict, Invalid) as refused:
        return _outside(request, state_id, refused=refused)
    return _to_outside(request, state_id, "The outside record was read.")


@require_POST
@workspace_view("decide")
def outside_take_in(request: WorkspaceRequest, state_id: UUID) -> HttpResponse:
    """Make the State say what the reader saw that the outside record says."""
    reason = request.POST.get("reason", "")
    seen = reading.Seen(
        _digits(request.POST.get("number", "")), request.POST.get("digest", "").replace("\x00", "")
    )
    now = datetime.now(UTC)
    try:
        row = reading.take_in(
            actor=request.actor, state_id=state_id, seen=seen, reason=reason, now=now
        )
    except (Conflict, Invalid, reading.OwnReading) as refused:
        return _outside(request, state_id, refused=refused, reason=reason)
    return _to_outside(request, state_id, f"Taken in as snapshot {row.number}.")


@require_POST
@workspace_view("import")
def outside_mirror(request: WorkspaceRequest, state_id: UUID) -> HttpResponse:
    """Set which outside record a State mirrors."""
    mirrors = request.POST.get("mirrors", "").strip()
    now = datetime.now(UTC)
    try:
        reading.mirror(actor=request.actor, state_id=state_id, mirrors=mirrors, now=now)
    except (Conflict, Invalid) as refused:
        return _outside(request, state_id, refused=refused)
    return _to_outside(request, state_id, "What this State mirrors is set.")


def _outside(
    request: WorkspaceRequest, state_id: UUID, *, refused: Refused | None = None, reason: str = ""
) -> HttpResponse:
    host = f"{request.scheme}://{request.get_host()}"
    shown = outside.outside(
        request.workspace,
        request.actor,
        state_id,
        start=_start(request),
        reason=reason,
        refused=refused,
    )
    context = {**shown, "report_call": outside.report_call(state_id, host)}
    status = refused.status if refused else HTTPStatus.OK
    return render(request, "snapshots/state_outside.html", context, status=status)


def _to_outside(request: WorkspaceRequest, state_id: UUID, said: str) -> HttpResponse:
    messages.success(request, said)
    return redirect("snapshots:state_outside", request.workspace.slug, state_id)
