"""How is an HTTP request kept, so that a reader sees what was ordered and no secret?

As it goes over the line, from its first line to its body, without the headers that prove who we
are and those of the connection.
"""

from approvals.connectors.protocol import CannotBuild
from console.reaching.exchanging import Request

_END = b"\r\n\r\n"


def packed(request: Request) -> bytes:
    """Write a request down. Raises: CannotBuild."""
    lines = [f"{request.method} {request.target} HTTP/1.1", f"host: {request.authority}"]
    lines += [f"{name.lower()}: {value}" for name, value in sorted(request.headers.items())]
    if strange := [line for line in lines if not (line.isascii() and line.isprintable())]:
        raise CannotBuild(f"{strange[0].partition(':')[0]!a} cannot be written in a header.")
    return "\r\n".join(lines).encode() + _END + request.body


def opened(kept: bytes) -> Request:
    """Read a request that was written down."""
    head, _, body = kept.partition(_END)
    first, *rest = head.decode("ascii").split("\r\n")
    method, target, _ = first.split(" ")
    headers = dict(line.split(": ", 1) for line in rest)
    return Request(method, target, headers.pop("host"), headers, body)
