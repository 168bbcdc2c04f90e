"""Which request is this? One id from the first line of a log to the last, and in the answer.

The outermost layer: it takes the id that a proxy gave, or makes one, counts the answer and writes
one line about it. Lines and spans name routes and ids, never what anybody sent.
"""

import logging
import re
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, cast
from uuid import uuid4

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from console import tallies
from console.spans import span

HEADER = "X-Request-ID"
USABLE = re.compile(r"[A-Za-z0-9._-]{8,64}")
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
# Asked every few seconds by machines; a line each would hide everything else.
UNTOLD = {"healthz", "readyz", "metrics"}
logger = logging.getLogger("console.requests")
_request_id: ContextVar[str] = ContextVar("request_id", default="")


def request_id() -> str:
    """Return the id of the request that this code works for, or nothing."""
    return _request_id.get()


class Traced:
    """Gives every request an id, and counts its answer."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        """Keep the next layer."""
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Pass the request on and complete the answer."""
        if self._is_async:
            return self._later(request)
        with span("request") as told:
            began = _begin(request)
            return _end(request, self.get_response(request), began, told)

    async def _later(self, request: HttpRequest) -> HttpResponseBase:
        with span("request") as told:
            began = _begin(request)
            return _end(request, await self.get_response(request), began, told)


def _begin(request: HttpRequest) -> float:
    given = request.headers.get(HEADER, "")
    _request_id.set(given if USABLE.fullmatch(given) else uuid4().hex)
    return time.perf_counter()


def _end(
    request: HttpRequest, answer: Any, began: float, told: dict[str, str | float]
) -> HttpResponseBase:
    answer.headers[HEADER] = request_id()
    taken = time.perf_counter() - began
    route = route_of(request)
    method = request.method if request.method in METHODS else "other"
    tallies.REQUESTS.labels(method, route, str(answer.status_code)).observe(taken)
    told |= {"method": method, "route": route, "status": answer.status_code, **who(request)}
    if route not in UNTOLD:
        logger.info("answered", extra={**told, "milliseconds": round(taken * 1000, 1)})
    told["request_id"] = request_id()
    return cast("HttpResponseBase", answer)


def route_of(request: HttpRequest) -> str:
    """Return the template of the address, in which nothing stands that anybody typed."""
    match = request.resolver_match
    return match.route if match else "none"


def who(request: HttpRequest) -> dict[str, str]:
    """Return the ids of the actor and the workspace, as far as they are known."""
    actor = getattr(request, "actor", None)
    return {"actor": actor.ref, "workspace": str(actor.workspace_id)} if actor else {}
