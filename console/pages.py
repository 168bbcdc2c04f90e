"""How does a request become a page, a fragment or a refusal?

Views get a request that already knows its workspace and its actor; whoever does not belong
there gets the same 404 as for an id that does not exist.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django_htmx.middleware import HtmxDetails

from console import tenancy
from console.access import queries
from console.access.models import Workspace
from console.access.rights import Right, allows
from console.actors import Actor
from console.errors import Forbidden, Refused

# Every other refusal means that the world is not as the reader saw it.
OWN_PAGE = {400, 403, 404, 500}


class WorkspaceRequest(HttpRequest):
    """A request inside a workspace."""

    workspace: Workspace
    actor: Actor
    htmx: HtmxDetails


View = Callable[..., HttpResponseBase]


def workspace_view(right: Right) -> Callable[[View], View]:
    """Let a view be entered only by members who hold `right`."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def enter(request: HttpRequest, workspace: str, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _to_sign_in(request)
            found = queries.person_in(request.user, workspace)
            if found is None:
                raise Http404
            known = cast(WorkspaceRequest, request)
            known.workspace, known.actor = found
            tenancy.enter(known.workspace.id)
            if not allows(known.actor.roles, right):
                raise Forbidden
            return view(known, **kwargs)

        return enter

    return decorate


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    if cast(WorkspaceRequest, request).htmx:
        return HttpResponse(status=204, headers={"HX-Redirect": "/sign-in/"})
    return redirect_to_login(request.get_full_path())


class RefusalMiddleware:
    """Turn a refusal that a view let through into a page, or a card for HTMX."""

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        """Keep the next layer."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass the request on."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer refusals; leave everything unforeseen to be loud."""
        return refusal(request, error) if isinstance(error, Refused) else None


def refusal(request: HttpRequest, refused: Refused) -> HttpResponse:
    """Show what happened, what did not, and what to do next."""
    context = {"refused": refused, "details": refused.details}
    if cast(WorkspaceRequest, request).htmx:
        return render(request, "_error_card.html", context, status=refused.status)
    template = f"{refused.status}.html" if refused.status in OWN_PAGE else "409.html"
    answer = render(request, template, context, status=refused.status)
    if "retry_after" in refused.details:
        answer["Retry-After"] = str(refused.details["retry_after"])
    return answer


NAV = [
    ("Queue", "approvals:queue", "q"),
    ("Runs", "agents:run_list", "r"),
    ("Jobs", "agents:job_list", "j"),
    ("Agents", "agents:board", "a"),
    ("States", "snapshots:state_list", "s"),
    ("Outside", "approvals:outside", "o"),
    ("Drift", "agents:drift", "d"),
    ("Policies", "approvals:policies", "p"),
    ("People", "approvals:authority", "e"),
    ("Ledger", "ledger:entries", "l"),
    ("Tokens", "access:tokens", "t"),
]


@dataclass(frozen=True, slots=True)
class Banner:
    """What every page of a workspace says first: an icon's name, a sentence, where to read on."""

    icon: str
    says: str
    at: datetime
    url: str
    label: str


_banners: list[Callable[[Workspace], Banner | None]] = []


def announce(look: Callable[[Workspace], Banner | None]) -> None:
    """Let every page ask whether there is something to say; a room does this when it is loaded."""
    if look not in _banners:
        _banners.append(look)


_counts: dict[str, Callable[[Workspace, Actor], int]] = {}


def count_beside(name: str, look: Callable[[Workspace, Actor], int]) -> None:
    """Let the entry of the navigation with this address say how many wait there for its reader."""
    _counts[name] = look


def _counted(name: str, workspace: Workspace, actor: Actor | None) -> Callable[[], int]:
    # Asked only where the entry is shown: a fragment has none.
    look = _counts.get(name)
    return (lambda: look(workspace, actor)) if look and actor else int


def _announced(workspace: Workspace) -> list[Banner]:
    return [banner for look in _banners if (banner := look(workspace))]


def furniture(request: HttpRequest) -> dict[str, Any]:
    """Return what every page's frame shows: navigation, person, workspaces."""

    person = getattr(request, "user", None)
    if person is None or not person.is_authenticated:
        return {}
    workspace = getattr(request, "workspace", None)
    frame: dict[str, Any] = {"person": person, "workspace": workspace}
    frame["workspaces"] = queries.workspaces_of(person.id)
    if workspace is not None:
        # Asked only by a whole page: a fragment has no place for it.
        frame["banners"] = functools.partial(_announced, workspace)
        actor = getattr(request, "actor", None)
        frame["may_administer"] = actor is not None and allows(actor.roles, "administer")
        frame["may_send_events"] = actor is not None and allows(actor.roles, "webhooks")
        frame["nav"] = [
            {
                "label": label,
                "url": (url := reverse(name, args=[workspace.slug])),
                "key": key,
                "current": request.path.startswith(url),
                "count": _counted(name, workspace, actor),
            }
            for label, name, key in NAV
        ]
    return frame
