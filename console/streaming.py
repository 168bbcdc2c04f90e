"""How does a long answer leave piece by piece, whichever server asks for it?"""

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

# Small pieces go together: each one costs a change of threads.
BYTES_AT_ONCE = 65_536


def streamed(
    request: HttpRequest, pieces: Iterator[bytes], *, content_type: str, headers: dict[str, str]
) -> StreamingHttpResponse:
    """Answer with pieces that are made while they are sent; never are all of them in memory.

    An ASGI server would gather an ordinary iterator first, so it gets an asynchronous one.
    """
    is_asgi = isinstance(request, ASGIRequest)
    content = _from_thread(pieces) if is_asgi else pieces
    return StreamingHttpResponse(content, content_type=content_type, headers=headers)


async def _from_thread(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while chunk := await sync_to_async(_some)(pieces):
        yield chunk


def _some(pieces: Iterator[bytes]) -> bytes:
    chunk = bytearray()
    for piece in pieces:
        chunk += piece
        if len(chunk) >= BYTES_AT_ONCE:
            break
    return bytes(chunk)
