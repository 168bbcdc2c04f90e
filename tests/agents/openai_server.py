"""A server that speaks the chat completions protocol of OpenAI, and misbehaves when it is told to.

It answers in the order of its script; the last answer is given again and again.
"""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-right-and-secret"
MODEL = "small-one"
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered once, and how it goes wrong.

    `pieces` are the parts of a stream; `calls` are (id, name, arguments as text). `breaks_after`
    closes the connection after so many pieces; `stays_silent_after` says nothing more then.
    """

    pieces: Sequence[str] = ()
    calls: Sequence[tuple[str, str, str]] = ()
    finish: str | None = "stop"
    usage: dict[str, int] | None = field(default_factory=lambda: dict(USAGE))
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    code: str = ""
    breaks_after: int | None = None
    stays_silent_after: int | None = None
    raw: str = ""


@dataclass(slots=True)
class Server:
    """The server that is running: what it was asked, and how to go on."""

    url: str
    script: list[Answer]
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)
    is_silent: threading.Event = field(default_factory=threading.Event)

    def next(self) -> Answer:
        """Take the next answer; the last one stays."""
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


@contextmanager
def serving(*script: Answer) -> Iterator[Server]:
    """Serve on a free port of this machine until the block ends."""
    listening = _Listening(("127.0.0.1", 0), _Handler)
    port = listening.server_address[1]
    listening.state = Server(f"http://127.0.0.1:{port}/v1", list(script))
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield listening.state
    finally:
        listening.state.go_on.set()
        listening.shutdown()
        listening.server_close()
        thread.join()


class _Listening(ThreadingHTTPServer):
    daemon_threads = True
    state: Server

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: whoever asked has gone, which some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listening

    def do_POST(self) -> None:
        state = self.server.state
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        state.asked.append(asked)
        key = self.headers["Authorization"].removeprefix("Bearer ")
        state.keys.append(key)
        answer = state.next()
        if key != KEY:
            self._refuse(Answer(status=401, code="invalid_api_key"), f"Incorrect key: {key}")
        elif answer.raw:
            self._send(200, answer.raw.encode(), {})
        elif answer.status != 200:
            self._refuse(answer, f"Something with {key} in it")
        elif asked.get("stream"):
            self._stream(answer)
        else:
            self._whole(answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""

    def _refuse(self, answer: Answer, sentence: str) -> None:
        body = {"error": {"message": sentence, "type": "some_error", "code": answer.code or None}}
        self._send(answer.status, json.dumps(body).encode(), answer.headers)

    def _whole(self, answer: Answer) -> None:
        message = {
            "role": "assistant",
            "content": "".join(answer.pieces) or None,
            "tool_calls": [_call(call) for call in answer.calls] or None,
        }
        choice = {"index": 0, "message": message, "finish_reason": answer.finish}
        body = {
            "id": "chat-1",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": MODEL,
            "choices": [choice],
            "usage": answer.usage,
        }
        if answer.stays_silent_after is not None:
            self._be_silent()
        self._send(200, json.dumps(body).encode(), {})

    def _stream(self, answer: Answer) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number, piece in enumerate(answer.pieces):
            if number == answer.breaks_after:
                self.close_connection = True
                return
            if number == answer.stays_silent_after:
                self._be_silent()
            self._event({"content": piece})
        for number, call in enumerate(answer.calls):
            # As servers do: the name first, then the arguments in two parts.
            call_id, name, arguments = call
            half = len(arguments) // 2
            start = {**_call((call_id, name, "")), "index": number}
            self._event({"tool_calls": [start]})
            for part in (arguments[:half], arguments[half:]):
                more = {"index": number, "function": {"arguments": part}}
                self._event({"tool_calls": [more]})
        if answer.finish:
            self._event({}, finish=answer.finish)
        if answer.usage:
            self._chunk({**_chunk(), "choices": [], "usage": answer.usage})
        self._write(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _be_silent(self) -> None:
        self.server.state.is_silent.set()
        self.server.state.go_on.wait(30)

    def _event(self, delta: dict[str, Any], finish: str | None = None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        self._chunk({**_chunk(), "choices": [choice]})

    def _chunk(self, chunk: dict[str, Any]) -> None:
        self._write(b"data: " + json.dumps(chunk).encode() + b"\n\n")

    def _write(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _call(call: tuple[str, str, str]) -> dict[str, Any]:
    call_id, name, arguments = call
    return {
        "id": call_id,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def _chunk() -> dict[str, Any]:
    return {
        "id": "chat-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": MODEL,
    }
