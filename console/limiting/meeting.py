"""What does a request cost whom? Asked at the door, once it is known who came.

A token, an address and a workspace each have their own bucket, so neither one busy program nor many
tokens of one workspace leave nothing for the others.
"""

import functools
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from console.actors import Actor
from console.limiting.operations.charging import charge, insist
from console.rates import Charge, Left

READING = {"GET", "HEAD", "OPTIONS"}
View = Callable[..., HttpResponseBase]


def meet_caller(request: HttpRequest, actor: Actor) -> None:
    """Charge a call of the API to its caller, their address and their workspace.

    Raises: RateLimited (429).
    """
    cost = 1.0 if request.method in READING else settings.RATE_WRITE_COST
    _meet(
        request,
        _charge("token", actor.ref, cost),
        _charge("address", address_of(request), cost),
        _charge("workspace", str(actor.workspace_id), cost),
    )


def meet_stranger(request: HttpRequest, limit: str = "address") -> None:
    """Charge a request of nobody we know to the address it came from. Raises: RateLimited (429)."""
    _meet(request, _charge(limit, address_of(request), 1.0))


def meet_download(request: HttpRequest, actor: Actor) -> None:
    """Charge a download to whoever asked for it. Raises: RateLimited (429)."""
    _meet(request, _charge("downloads", actor.ref, 1.0))


def metered(view: View) -> View:
    """Charge what a view sends to whoever asked for it."""

    @functools.wraps(view)
    def enter(request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        meet_download(request, request.actor)
        return view(request, *args, **kwargs)

    return enter


def address_of(request: HttpRequest) -> str:
    """Return where a request came from; the server has asked the proxy (console/budgets.py)."""
    return request.META.get("REMOTE_ADDR") or "unknown"


def allowance_of(request: HttpRequest) -> list[Left]:
    """Return what was left of each limit that this request was charged to."""
    left: list[Left] = getattr(request, "allowance", [])
    return left


def _charge(limit: str, whose: str, cost: float) -> Charge | None:
    rate = settings.RATES[limit]
    return Charge(limit, f"{limit} {whose}", rate, cost) if rate else None


def _meet(request: HttpRequest, *charges: Charge | None) -> None:
    left = charge([each for each in charges if each])
    # Kept for the answer's headers, which say it also where the request is refused.
    request.allowance = left  # type: ignore[attr-defined]
    insist(left)
