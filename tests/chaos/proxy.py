"""A wire that can be cut: a TCP proxy between two of our processes, with faults on demand.

What it does to a connection is decided by the first bytes that go through it, so a fault can be
kept for requests that are instructions.
"""

import asyncio
import contextlib
import re
import struct
import threading
from collections import Counter, deque
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

CHUNK = 65_536
_REF = re.compile(rb'"ref":\s*"([^"]+)"')
_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
# Does a request that comes later than this belong to a connection that was thought dead?
_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Hit:
    """A fault for one instruction: `cut` after the whole request or `after` so many of its bytes.

    Others are `reset` before any byte, `delay` by `seconds`, `drop` (it arrives, no answer comes
    back), and `duplicate` (it arrives twice).
    """

    kind: str
    after: int | None = None
    seconds: float = 0.0


@dataclass
class Wire:
    """One proxy, run by a thread of its own."""

    upstream: tuple[str, int] | Path
    counts: Counter[str] = field(default_factory=Counter)
    # The payments whose requests were cut off, with how many of their bytes had gone through.
    cuts: list[tuple[str, str]] = field(default_factory=list)
    _hits: deque[Hit] = field(default_factory=deque)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _frozen: set[str] = field(default_factory=set)

    def start(self) -> int:
        """Listen, and return on which port."""
        self._loop = asyncio.new_event_loop()
        self._may_flow = asyncio.Event()
        self._may_flow.set()
        threading.Thread(target=self._loop.run_forever, name="wire", daemon=True).start()
        return self._call(self._listen())

    def arm(self, hit: Hit) -> None:
        """Keep a fault for the next instruction."""
        self._hits.append(hit)

    @property
    def armed(self) -> int:
        """Return how many faults still wait for an instruction."""
        return len(self._hits)

    def disarm(self) -> None:
        """Let everything through from now on."""
        self._hits.clear()

    def freeze(self) -> None:
        """Let nothing through and say so to nobody: both sides stay connected."""
        self._loop.call_soon_threadsafe(self._may_flow.clear)
        self.counts["freeze"] += 1

    def thaw(self) -> None:
        """Let everything flow again."""
        self._loop.call_soon_threadsafe(self._may_flow.set)

    def sever(self) -> None:
        """Reset every connection."""
        self.counts["sever"] += 1
        self._loop.call_soon_threadsafe(self._reset_all)

    def _reset_all(self) -> None:
        for writer in [*self._open]:
            _reset(writer)

    def _call(self, work: Coroutine[Any, Any, int]) -> int:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> int:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=256)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            await self._lead(reader, writer)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            self.counts["broken"] += 1
        finally:
            self._open.discard(writer)
            with contextlib.suppress(OSError):
                writer.close()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await self._connect()
        self._open.add(back)
        try:
            first = await reader.read(CHUNK)
            hit = self._hits.popleft() if first.startswith(b"POST") and self._hits else None
            if hit is not None:
                first = await _whole(first, reader)
                if await self._strike(hit, first, there, back):
                    _reset(writer)
                    _reset(back)
                    return
            back.write(first)
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        finally:
            self._open.discard(back)
            with contextlib.suppress(OSError):
                back.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        await self._may_flow.wait()
        if isinstance(self.upstream, Path):
            return await asyncio.open_unix_connection(str(self.upstream))
        return await asyncio.open_connection(*self.upstream)

    async def _strike(
        self, hit: Hit, request: bytes, there: asyncio.StreamReader, back: asyncio.StreamWriter
    ) -> bool:
        """Do one fault; say whether the connection is to end here."""
        self.counts[hit.kind] += 1
        if hit.kind == "delay":
            await asyncio.sleep(hit.seconds)
        elif hit.kind == "duplicate" and b"/keyed/" in request[:100]:
            # Only where the provider promises to take one for the other.
            await self._say_elsewhere(request)
        elif hit.kind in {"cut", "drop"}:
            await self._swallow(hit, request, there, back)
        return hit.kind in {"cut", "reset", "drop"}

    async def _swallow(
        self, hit: Hit, request: bytes, there: asyncio.StreamReader, back: asyncio.StreamWriter
    ) -> None:
        """Pass on so many bytes; of an instruction that arrived whole, keep the answer."""
        sent = request if hit.after is None else request[: min(hit.after, len(request) - 1)]
        found = _REF.search(request)
        part = "all" if sent == request else "part"
        self.cuts.append((found[1].decode() if found else "", part))
        back.write(sent)
        await back.drain()
        if sent == request:
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(there.read(CHUNK), 1.0)
        if hit.kind == "drop":
            await asyncio.sleep(hit.seconds)

    async def _say_elsewhere(self, request: bytes) -> None:
        there, back = await self._connect()
        back.write(request)
        with contextlib.suppress(OSError, TimeoutError):
            await asyncio.wait_for(there.read(CHUNK), _PATIENCE)
        back.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(CHUNK):
            await self._may_flow.wait()
            sink.write(chunk)
            await sink.drain()
        with contextlib.suppress(OSError):
            sink.write_eof()


async def _whole(first: bytes, reader: asyncio.StreamReader) -> bytes:
    """Return the request to its last byte."""
    while b"\r\n\r\n" not in first:
        chunk = await reader.read(CHUNK)
        if not chunk:
            return first
        first += chunk
    head, _, body = first.partition(b"\r\n\r\n")
    found = _LENGTH.search(head)
    missing = int(found[1]) - len(body) if found else 0
    return first + (await reader.readexactly(missing) if missing > 0 else b"")


def _reset(writer: asyncio.StreamWriter) -> None:
    """Hang up without a good-bye."""
    if (raw := writer.get_extra_info("socket")) is not None:
        with contextlib.suppress(OSError):
            raw.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
