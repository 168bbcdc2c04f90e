"""How does a web process take requests and sockets in, and answers out, within its budgets?

Daphne's server, with two doors of our own and one rule for the way out: who produces an answer
waits until its reader has taken most of what was sent before.
"""

import asyncio
import time
from typing import Any

# First, because it brings the reactor that everything from Twisted then uses.
from daphne.server import Server as Daphne

# isort: split
from daphne import server as daphne
from daphne.http_protocol import HTTPFactory

from console import tallies
from console.budgets import Budgets, Guests, visitor
from console.serving.requests import Channel, Request
from console.serving.sockets import Socket, SocketFactory

# A pause grows from the first to the last while a reader takes its time.
SHORTEST_PAUSE, LONGEST_PAUSE = 0.001, 0.1
SLOWEST_SOCKET_SECONDS = 30.0
PINGS_EVERY = 20
PONGS_WITHIN = 20
HANDSHAKE_SECONDS = 5
# Longer than a request may wait for a connection of the pool: one that is killed while it waits
# never gives it back.
CLOSING_SECONDS = 60


class RequestFactory(HTTPFactory):  # type: ignore[misc]
    """Makes connections."""

    protocol = Channel

    def buildProtocol(self, addr: Any) -> Channel:  # noqa: N802
        """Return the connection of one peer."""
        channel: Channel = super().buildProtocol(addr)
        channel.requestFactory = Request
        return channel


class Server(Daphne):  # type: ignore[misc]
    """Daphne within budgets."""

    def __init__(self, application: Any, endpoints: list[str], budgets: Budgets) -> None:
        """Prepare to listen; `run` does it and returns when the process was told to stop."""
        self.budgets = budgets
        self.guests, self.open_sockets = Guests(), Guests()
        super().__init__(
            application,
            endpoints,
            websocket_timeout=-1,
            websocket_handshake_timeout=HANDSHAKE_SECONDS,
            websocket_connect_timeout=HANDSHAKE_SECONDS,
            websocket_max_message_size=budgets.message_bytes,
            websocket_max_frame_size=budgets.message_bytes,
            application_close_timeout=CLOSING_SECONDS,
            ping_interval=PINGS_EVERY,
            ping_timeout=PONGS_WITHIN,
            verbosity=0,
            server_name="",
        )

    def run(self) -> None:
        """Serve until told to stop."""
        # Daphne makes its factories by these names, and offers no other way to bring our own.
        daphne.HTTPFactory, daphne.WebSocketFactory = RequestFactory, SocketFactory
        super().run()

    def visitor(self, transport: Any, forwarded: list[str]) -> str:
        """Return the address of whoever is behind a connection."""
        peer = getattr(transport.getPeer(), "host", "")
        return visitor(peer, forwarded, self.budgets.trusted)

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """Hand a request or a socket to Django, with the address of who really asks."""
        given = [v.decode("latin-1") for k, v in scope["headers"] if k == b"x-forwarded-for"]
        peer, port = scope["client"] or ("", 0)
        seen = visitor(peer, given, self.budgets.trusted)
        scope["client"] = [seen, port if seen == peer else 0] if seen else None
        return super().create_application(protocol, scope)

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """Send a piece of an answer, and return when there is room for the next."""
        await super().handle_reply(protocol, message)
        if not self._is_here(protocol):
            # Whoever goes on talking to nobody must not keep the others from being heard.
            await asyncio.sleep(SHORTEST_PAUSE)
        elif message["type"] == "websocket.send":
            await self._drain(protocol, 0, self.budgets.socket_stalled_seconds)
        elif message["type"] == "http.response.body" and message.get("more_body"):
            budget = self.budgets.waiting_bytes
            await self._drain(protocol, budget, self.budgets.download_stalled_seconds)

    async def _drain(self, protocol: Any, budget: int, patience: float) -> None:
        transport, pause = _transport_of(protocol), SHORTEST_PAUSE
        began = moved = time.monotonic()
        least = waiting = _waiting(transport)
        while waiting > budget and self._is_here(protocol):
            await asyncio.sleep(pause)
            pause, now = min(pause * 2, LONGEST_PAUSE), time.monotonic()
            waiting = _waiting(transport)
            if waiting < least:
                least, moved = waiting, now
            too_long = isinstance(protocol, Socket) and now - began > SLOWEST_SOCKET_SECONDS
            if now - moved > patience or too_long:
                _let_go(protocol, transport)
                return

    def _is_here(self, protocol: Any) -> bool:
        return "disconnected" not in self.connections.get(protocol, {"disconnected": 0})

    def kill_all_applications(self) -> Any:
        """Send every open page away with a word that makes it come back; then end what runs."""
        for protocol, details in list(self.connections.items()):
            if isinstance(protocol, Socket):
                protocol.leave()
            if "application_instance" not in details:
                # Daphne asks each for its application, also those that have none any more.
                del self.connections[protocol]
        return super().kill_all_applications()


def _transport_of(protocol: Any) -> Any:
    return getattr(protocol, "transport", None) or getattr(protocol.channel, "transport", None)


def _waiting(transport: Any) -> int:
    """Return how many bytes the kernel has not taken yet."""
    if transport is None or transport.disconnected:
        return 0
    held = len(transport.dataBuffer) - transport.offset + transport._tempDataLen  # noqa: SLF001
    return int(held)


def _let_go(protocol: Any, transport: Any) -> None:
    if isinstance(protocol, Socket):
        protocol.drop("stopped_reading")
    else:
        tallies.DOWNLOADS_STALLED.inc()
        transport.abortConnection()


def endpoints(*, descriptor: int | None, host: str, port: int, unix: str) -> list[str]:
    """Return where to listen in Twisted's words."""
    if descriptor is not None:
        return [f"fd:fileno={descriptor}"]
    if unix:
        return [f"unix:{unix}:mode=660"]
    interface = host.strip("[]").replace(":", r"\:")
    return [f"tcp:port={port}:interface={interface}:backlog=128"]
