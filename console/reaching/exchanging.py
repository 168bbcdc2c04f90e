"""How does one request go over a connection, and what may its answer cost us?

The request is written here in one piece, over a connection that is already made, and only the
answer is left to `http.client`: a library that also connects, repeats and follows could not say
whether a first byte may have left. Until `sendall` is called, none has.
"""

import http.client
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from console.reaching.connecting import Wire

ANSWER_BYTES = 65_536
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class NotWritten(Exception):
    """Nothing was sent, for certain: the message says why."""


class NoAnswer(Exception):
    """The request may have arrived, and there is no whole answer to it."""

    def __init__(self, sentence: str, status: int | None = None) -> None:
        """Keep the sentence, and the status where the answer began with one."""
        self.sentence, self.status = sentence, status
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: `target` is path and query, `headers` without those of the connection."""

    method: str
    target: str
    authority: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer: `is_whole` says whether all of its body was read."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_whole: bool = True


def exchange(wire: Wire, request: Request, *, at_most: int = ANSWER_BYTES) -> Answered:
    """Send a request and read the beginning of its answer. Raises: NotWritten, NoAnswer."""
    head = _head(request)
    if not wire.is_quiet():
        raise NotWritten("The line was closed, or the time over, before anything was sent.")
    answer = http.client.HTTPResponse(cast(socket.socket, wire), method=request.method)
    try:
        wire.sendall(head + request.body)
        answer.begin()
        body = answer.read(at_most + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoAnswer(_about(error), _status(answer)) from None
    # A body that stops short of its length is no error to the library.
    if answer.length and len(body) <= at_most:
        raise NoAnswer("The connection ended within the answer.", answer.status)
    headers = {name.lower(): value for name, value in answer.getheaders()}
    return Answered(answer.status, headers, body[:at_most], is_whole=len(body) <= at_most)


def _head(request: Request) -> bytes:
    sent = {"Host": request.authority, "Connection": "close", **request.headers}
    if request.body or request.method in _WITH_BODY:
        sent["Content-Length"] = str(len(request.body))
    lines = [f"{request.method} {request.target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in sent.items()]
    if strange := [line for line in lines if not _is_line(line)]:
        raise NotWritten(f"{strange[0].partition(':')[0]!a} cannot be written in a header.")
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii")


def _status(answer: http.client.HTTPResponse) -> int | None:
    # The library writes a word there until it has read the line.
    status: object = answer.status
    return status if isinstance(status, int) else None


def _is_line(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _about(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "No answer in time."
    if isinstance(error, http.client.IncompleteRead):
        return "The connection ended within the answer."
    return f"The connection failed: {type(error).__name__}."
