"""How is a request received before any of our memory is spent on it?

Headers and body have a deadline each, which no trickle of bytes moves. A body that says it is too
long is refused before it is read; one that does not say is counted while it comes.
"""

import json
from typing import Any

from daphne.http_protocol import WebRequest
from twisted.protocols.basic import LineReceiver
from twisted.web.http import HTTPChannel

from console import tallies
from console.budgets import Budgets, is_proxy

# How long a refused client may go on talking until it has read why.
LINGER_SECONDS = 2.0
HEADERS_AT_MOST = 100
REASONS = {
    408: (b"Request Timeout", "too_slow", "The request did not arrive in time."),
    413: (b"Content Too Large", "body_too_large", "The body is longer than this address reads."),
    429: (b"Too Many Requests", "rate_limited", "Too many connections are open from there."),
}


class Request(WebRequest):  # type: ignore[misc]
    """A request whose body is counted while it comes."""

    def __init__(self, channel: "Channel", queued: int = 0) -> None:
        """Leave forms to Django: nothing else reads what Twisted would make of them."""
        super().__init__(channel, queued, parsePOSTFormSubmission=False)
        self._received = 0

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802
        """Keep a piece of the body, or refuse all of it when it is too long."""
        self._received += len(data)
        if self._received > self.channel.budgets.body_bytes:
            self.channel.refuse(413)
        elif not self.channel.is_refused:
            super().handleContentChunk(data)


class Channel(HTTPChannel):  # type: ignore[misc]
    """One connection."""

    maxHeaders = HEADERS_AT_MOST  # noqa: N815
    abortTimeout = LINGER_SECONDS  # noqa: N815
    budgets: Budgets
    is_refused = False
    _is_between_requests = False

    def connectionMade(self) -> None:  # noqa: N802
        """Let the connection in, unless too many are open from there."""
        self.budgets = self.factory.server.budgets
        self.timeOut = self.budgets.header_seconds
        super().connectionMade()
        peer = getattr(self.transport.getPeer(), "host", "")
        if not is_proxy(peer, self.budgets.trusted):
            limits = {peer: self.budgets.connections_per_address}
            if not self.factory.server.guests.enter(self.transport, limits):
                tallies.CONNECTIONS_REFUSED.inc()
                self.refuse(429)

    def connectionLost(self, reason: Any) -> None:  # noqa: N802
        """Let the next one in."""
        self.factory.server.guests.leave(self.transport)
        super().connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """Take bytes in; unlike Twisted's own, they do not move the deadline."""
        if self.is_refused:
            return
        if self._is_between_requests:
            self._is_between_requests = False
            self.setTimeout(self.budgets.header_seconds)
        LineReceiver.dataReceived(self, data)

    def allHeadersReceived(self) -> None:  # noqa: N802
        """Refuse a body that says it is too long; give any other one its time."""
        if self.length is not None and self.length > self.budgets.body_bytes:
            # Without a place for it, nothing of the body could be kept.
            self.requests[-1].gotLength(0)
            self.refuse(413)
            return
        super().allHeadersReceived()
        self.setTimeout(self.budgets.body_seconds)

    def allContentReceived(self) -> None:  # noqa: N802
        """Hand the request over, unless it was refused meanwhile."""
        if not self.is_refused:
            super().allContentReceived()

    def requestDone(self, request: Any) -> None:  # noqa: N802
        """Wait for the next request."""
        self._savedTimeOut = self.budgets.idle_seconds
        self._is_between_requests = not self._dataBuffer
        super().requestDone(request)

    def timeoutConnection(self) -> None:  # noqa: N802
        """Say that the request came too slowly, to whoever had begun one; then close."""
        if self._is_between_requests or not self.requests:
            super().timeoutConnection()
        else:
            tallies.REQUESTS_TOO_SLOW.inc()
            self.refuse(408)

    def refuse(self, status: int) -> None:
        """Answer once, take in nothing more, and hang up as soon as the client has read it."""
        if self.is_refused:
            return
        self.is_refused = True
        self.setTimeout(None)
        self._networkProducer.unregisterProducer()
        self.transport.write(_refusal(status))
        self.transport.loseWriteConnection()
        self.callLater(LINGER_SECONDS, self.transport.abortConnection)


def _refusal(status: int) -> bytes:
    reason, code, sentence = REASONS[status]
    problem = {
        "type": f"urn:countersign:problem:{code}",
        "title": reason.decode(),
        "status": status,
        "code": code,
        "detail": sentence,
    }
    body = json.dumps(problem).encode()
    head = (
        b"HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\nContent-Length: %d\r\n"
        b"Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head % (status, reason, len(body)) + body
