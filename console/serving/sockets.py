"""How is a socket kept from costing more than it may?

At most one frame waits for a reader. Whoever does not read is let go, whoever says too much too,
and nobody stays for longer than half a day: each of them comes back and gets the page as it is.
"""

import socket as network
import time
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from typing import Any

from autobahn.websocket.types import ConnectionDeny
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from django.conf import settings

from console import tallies
from console.budgets import Allowance, Budgets

RESTART, POLICY = 1012, 1008
KERNEL_BYTES = 65_536


class Socket(WebSocketProtocol):  # type: ignore[misc]
    """One open socket."""

    budgets: Budgets

    def connectionMade(self) -> None:  # noqa: N802
        """Begin; the kernel, too, keeps little for a client that does not read."""
        self.budgets = self.factory.server_class.budgets
        self._may_say = Allowance(self.budgets.messages_per_second, self.budgets.messages_at_once)
        handle = self.transport.getHandle()
        handle.setsockopt(network.SOL_SOCKET, network.SO_SNDBUF, KERNEL_BYTES)
        super().connectionMade()

    def connectionLost(self, *reason: Any) -> None:  # noqa: N802
        """Make room for the next one."""
        server = self.factory.server_class
        server.guests.leave(self.transport)
        server.open_sockets.leave(self)
        tallies.SOCKETS_OPEN.set(len(server.open_sockets))
        super().connectionLost(*reason)

    def onConnect(self, request: Any) -> Any:  # noqa: N802
        """Accept the handshake, unless that person or address has too many sockets open.

        Raises: ConnectionDeny (429).
        """
        server = self.factory.server_class
        seen = server.visitor(self.transport, [request.headers.get("x-forwarded-for", "")])
        session = _session(request.headers.get("cookie", ""))
        names = {
            f"address {seen}": self.budgets.sockets_per_address,
            f"session {session}": self.budgets.sockets_per_session,
        }
        if not server.open_sockets.enter(self, names):
            tallies.SOCKETS_DROPPED.labels("too_many").inc()
            raise ConnectionDeny(429, "Too many sockets are open from there.")
        tallies.SOCKETS_OPEN.set(len(server.open_sockets))
        return super().onConnect(request)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: FBT001, N802, N803
        """Hand a message over, unless there are too many."""
        tallies.FRAMES.labels("in").inc()
        if self._may_say.take():
            super().onMessage(payload, isBinary)
        else:
            self.drop("too_many_messages", POLICY)

    def onPing(self, payload: bytes) -> None:  # noqa: N802
        """Answer a ping, unless there are too many."""
        if self._may_say.take():
            super().onPing(payload)
        else:
            self.drop("too_many_messages", POLICY)

    def onClose(self, *how: Any) -> None:  # noqa: N802
        """Say goodbye to the consumer, if there ever was one."""
        if self in self.factory.server_class.connections:
            super().onClose(*how)

    def sendMessage(self, payload: bytes, *args: Any, **kwargs: Any) -> None:  # noqa: N802
        """Send a frame; only what comes in is held to the small limit."""
        self.maxMessagePayloadSize = self.budgets.frame_bytes
        try:
            super().sendMessage(payload, *args, **kwargs)
        finally:
            self.maxMessagePayloadSize = self.budgets.message_bytes
        tallies.FRAMES.labels("out").inc()

    def check_timeouts(self) -> None:
        """Let go whoever has been here for half a day; the page opens its socket anew."""
        if self.duration() > self.budgets.socket_seconds:
            self.leave()
        else:
            super().check_timeouts()

    def leave(self) -> None:
        """Close in a way that makes the page come back."""
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code=RESTART)

    def drop(self, reason: str, code: int = 0) -> None:
        """End the connection at once, with a code where the client still reads."""
        tallies.SOCKETS_DROPPED.labels(reason).inc()
        if code and self.state == self.STATE_OPEN:
            self.sendCloseFrame(code=code)
            self.muted = True
        else:
            self.transport.abortConnection()


class SocketFactory(WebSocketFactory):  # type: ignore[misc]
    """Makes sockets."""

    protocol = Socket


def _session(cookies: str) -> str:
    """Return a digest of the session's cookie, or of a moment where there is none."""
    try:
        found = SimpleCookie(cookies).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        found = None
    return sha256(found.value.encode()).hexdigest() if found else f"none {time.monotonic_ns()}"
