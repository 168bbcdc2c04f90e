"""May this page open a socket here? Only a page of this very console.

A browser sends its cookies to every port of a host, and a socket is not bound by the same-origin
policy; so scheme, host and port of the Origin header all have to be ours.
"""

from typing import Any
from urllib.parse import urlsplit

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import split_domain_port, validate_host

HTTP = {"ws": "http", "wss": "https"}


class SameOrigin:
    """Lets sockets through whose Origin is the address they are opened at, or a trusted one."""

    def __init__(self, application: Any) -> None:
        """Keep what is behind the door."""
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        """Pass the socket on, or deny it before it is accepted."""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        asked_at = headers.get(b"host", "")
        scheme = "https" if settings.HTTPS else HTTP.get(scope.get("scheme", "ws"), "http")
        if is_ours(headers.get(b"origin", ""), scheme, asked_at):
            return await self.application(scope, receive, send)
        denier: Any = WebsocketDenier()
        return await denier(scope, receive, send)


def is_ours(origin: str, scheme: str, asked_at: str) -> bool:
    """Say whether an Origin header names the address that the socket was opened at."""
    host, _ = split_domain_port(asked_at)
    if not validate_host(host, settings.ALLOWED_HOSTS):
        return False
    ours = {f"{scheme}://{asked_at}", *settings.CSRF_TRUSTED_ORIGINS}
    return _is_plain(origin) and origin in ours


def _is_plain(origin: str) -> bool:
    parts = urlsplit(origin)
    return bool(parts.scheme and parts.netloc) and "@" not in parts.netloc
