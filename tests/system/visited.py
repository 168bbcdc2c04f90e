"""A web process with our doors and a small application behind them: reads, streams, pushes."""

import os
import sys
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

from console.budgets import Budgets
from console.serving.server import Server, endpoints

MEGABYTE = b"x" * 1_000_000
FRAME = "x" * 10_000


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer by what the address asks for."""
    if scope["type"] == "websocket":
        await push(scope["path"], receive, send)
    elif scope["type"] == "http":
        await answer(scope, receive, send)


async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Say from where the request came and how long its body was, or stream 300 MB."""
    length, more = 0, True
    while more:
        message = await receive()
        length, more = length + len(message.get("body", b"")), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/stream":
        for _ in range(300):
            await send({"type": "http.response.body", "body": MEGABYTE, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    else:
        said = f"{length} from {scope['client'][0]}".encode()
        await send({"type": "http.response.body", "body": said})


async def push(path: str, receive: Any, send: Any) -> None:
    """Accept, and push as fast as somebody reads, or nothing."""
    await receive()
    await send({"type": "websocket.accept"})
    while path == "/flood":
        await send({"type": "websocket.send", "text": FRAME})
    while (await receive())["type"] != "websocket.disconnect":
        pass


if __name__ == "__main__":
    budgets = Budgets(
        header_seconds=1.5,
        body_seconds=2.0,
        connections_per_address=150,
        sockets_per_session=3,
        socket_seconds=float(sys.argv[2]),
    )
    where = endpoints(descriptor=int(sys.argv[1]), host="", port=0, unix="")
    Server(application, where, budgets).run()
