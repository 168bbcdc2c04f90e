"""The test bank: a provider in a process of its own, with a ledger of its own, that misbehaves.

`python -m tests.chaos.bank FOLDER PORT SEED`. Three doors, one per retry class: `/keyed` takes the
same Idempotency-Key for the same payment, `/queryable` and `/blind` enter every request that they
get; the first two can be asked. FOLDER/control.json says how often which mode comes, and how long
its seconds are. Only what stands in FOLDER/bank.sqlite has happened.
"""

import argparse
import contextlib
import hashlib
import json
import random
import sqlite3
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET
from typing import Any
from urllib.parse import parse_qs, urlsplit

MODES = (
    "ok",
    "slow",
    "refuse",
    "execute_then_hang",
    "hang_then_execute",
    "execute_then_500",
    "reset_mid_body",
    "duplicate_callback",
    "late_callback",
)
DOORS = ("keyed", "queryable", "blind")
TOKEN = "the-bank-knows-this"
_SCHEMA = """
    CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY, door TEXT, key TEXT, ref TEXT,
        digest TEXT, body TEXT, mode TEXT, at REAL);
    CREATE INDEX IF NOT EXISTS by_key ON entry (door, key);
    CREATE TABLE IF NOT EXISTS request (id INTEGER PRIMARY KEY, door TEXT, key TEXT, ref TEXT,
        mode TEXT, began REAL, ended REAL);
"""


class Ledger:
    """What the bank has done, and what it was asked to do."""

    def __init__(self, folder: Path) -> None:
        """Open the ledger, made if it is new."""
        self._lock = threading.Lock()
        self._database = sqlite3.connect(
            folder / "bank.sqlite", check_same_thread=False, isolation_level=None
        )
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.executescript(_SCHEMA)

    def began(self, door: str, key: str, ref: str, mode: str) -> int:
        """Note a request before anything is done about it."""
        sql = "INSERT INTO request (door, key, ref, mode, began) VALUES (?, ?, ?, ?, ?)"
        return self._write(sql, (door, key, ref, mode, time.time()))

    def ended(self, request: int) -> None:
        """Note that nothing more will come of a request."""
        self._write("UPDATE request SET ended = ? WHERE id = ?", (time.time(), request))

    def enter(self, door: str, key: str, body: bytes, mode: str) -> str:
        """Carry a payment out and return its reference."""
        values = (door, key, ref_of(body), digest(body), body.decode(), mode, time.time())
        columns = "door, key, ref, digest, body, mode, at"
        sql = f"INSERT INTO entry ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
        return f"B-{self._write(sql, values)}"

    def known(self, door: str, key: str) -> tuple[str, str] | None:
        """Return reference and digest of the body that a key was used for first."""
        sql = "SELECT id, digest FROM entry WHERE door = ? AND key = ? ORDER BY id LIMIT 1"
        for number, found in self._read(sql, (door, key)):
            return f"B-{number}", found
        return None

    def statement(self, door: str, since: float, until: float) -> Iterator[dict[str, Any]]:
        """Return what was carried out in a time; a callback sent twice shows as a line twice."""
        sql = "SELECT id, key, at, mode FROM entry WHERE door = ? AND at >= ? AND at < ?"
        for number, key, at, mode in self._read(f"{sql} ORDER BY id", (door, since, until)):
            line = {"key": key, "reference": f"B-{number}", "at": _iso(at)}
            yield line
            if mode == "duplicate_callback":
                yield line

    def _write(self, sql: str, values: tuple[Any, ...]) -> int:
        with self._lock:
            return self._database.execute(sql, values).lastrowid or 0

    def _read(self, sql: str, values: tuple[Any, ...]) -> list[Any]:
        with self._lock:
            return self._database.execute(sql, values).fetchall()


class Moods:
    """Which mode the next request meets: by chance, with the weights of the control file."""

    def __init__(self, control: Path, seed: int) -> None:
        """Begin with the seed."""
        self._control, self._random = control, random.Random(seed)

    def next(self) -> tuple[str, dict[str, float]]:
        """Return a mode, and how many seconds its waits take."""
        asked: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):
            asked = json.loads(self._control.read_text())
        weights = asked.get("weights") or {"ok": 1}
        mode = self._random.choices([*weights], [*weights.values()])[0]
        return mode, {"hang": 3.0, "late": 3.0, "slow": 0.3, **asked.get("seconds", {})}


class Bank(ThreadingHTTPServer):
    """The server, its ledger and its moods."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, folder: Path, port: int, seed: int) -> None:
        """Listen on loopback."""
        self.ledger = Ledger(folder)
        self.moods = Moods(folder / "control.json", seed)
        self.under_way: set[tuple[str, str]] = set()
        self.entering = threading.Lock()
        super().__init__(("127.0.0.1", port), Teller)


class Teller(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Bank

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""

    def handle(self) -> None:
        """Serve; whoever hangs up is nobody's failure."""
        with contextlib.suppress(OSError):
            super().handle()

    def do_GET(self) -> None:
        """Answer an inquiry, a statement, or that we are open."""
        asked = urlsplit(self.path)
        parts = asked.path.strip("/").split("/")
        if asked.path == "/health":
            return self._say(200, {"status": "open"})
        if self._is_stranger() or parts[0] == "blind":
            return self._say(401 if self._is_stranger() else 404, {"error": "no"})
        if len(parts) == 3:
            return self._tell(parts[0], parts[2])
        wanted = parse_qs(asked.query)
        since, until = (_moment(wanted.get(name, ["0"])[0]) for name in ("since", "until"))
        lines = self.server.ledger.statement(parts[0], since, until or time.time() + 1)
        return self._say(200, {"payments": [*lines]})

    def do_POST(self) -> None:
        """Take a payment, and be in some mood about it."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        door = self.path.strip("/").partition("/")[0]
        key = self.headers.get("Idempotency-Key", "") or _member(body, "key")
        if self._is_stranger() or door not in DOORS:
            return self._say(401, {"error": "no"})
        if door == "keyed" and (known := self.server.ledger.known(door, key)):
            return self._again(known, body)
        mode, seconds = self.server.moods.next()
        with self._alone(door, key) as is_first:
            if not is_first:
                return self._say(409, {"error": "this key is being worked on"})
            request = self.server.ledger.began(door, key, ref_of(body), mode)
            try:
                getattr(self, f"_{mode}")(door, key, body, mode, seconds)
            finally:
                self.server.ledger.ended(request)

    @contextlib.contextmanager
    def _alone(self, door: str, key: str) -> Iterator[bool]:
        mine = (door, key)
        with self.server.entering:
            is_first = door != "keyed" or mine not in self.server.under_way
            self.server.under_way.add(mine)
        try:
            yield is_first
        finally:
            if is_first:
                self.server.under_way.discard(mine)

    def _again(self, known: tuple[str, str], body: bytes) -> None:
        if digest(body) != known[1]:
            return self._say(422, {"error": "this key was used for another payment"})
        return self._say(200, {"reference": known[0]})

    def _ok(self, door: str, key: str, body: bytes, mode: str, _s: dict[str, float]) -> None:
        self._say(201, {"reference": self.server.ledger.enter(door, key, body, mode)})

    def _slow(self, door: str, key: str, body: bytes, mode: str, s: dict[str, float]) -> None:
        time.sleep(s["slow"])
        self._ok(door, key, body, mode, s)

    def _refuse(self, *_: Any) -> None:
        self._say(422, {"error": "we do not pay this"})

    def _execute_then_hang(
        self, door: str, key: str, body: bytes, mode: str, s: dict[str, float]
    ) -> None:
        reference = self.server.ledger.enter(door, key, body, mode)
        time.sleep(s["hang"])
        self._say(201, {"reference": reference})

    def _hang_then_execute(
        self, door: str, key: str, body: bytes, mode: str, s: dict[str, float]
    ) -> None:
        time.sleep(s["hang"])
        self._ok(door, key, body, mode, s)

    def _execute_then_500(self, door: str, key: str, body: bytes, mode: str, _s: Any) -> None:
        self.server.ledger.enter(door, key, body, mode)
        self._say(500, {"error": "something went wrong"})

    def _reset_mid_body(self, door: str, key: str, body: bytes, mode: str, _s: Any) -> None:
        reference = self.server.ledger.enter(door, key, body, mode)
        answer = json.dumps({"reference": reference, "padding": "x" * 400}).encode()
        head = f"HTTP/1.1 201 Created\r\nContent-Length: {len(answer)}\r\n\r\n".encode()
        self.wfile.write(head + answer[:20])
        self.wfile.flush()
        self.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def _duplicate_callback(
        self, door: str, key: str, body: bytes, mode: str, s: dict[str, float]
    ) -> None:
        self._execute_then_500(door, key, body, mode, s)

    def _late_callback(
        self, door: str, key: str, body: bytes, mode: str, s: dict[str, float]
    ) -> None:
        self._say(504, {"error": "ask later"})
        self.wfile.flush()
        time.sleep(s["late"])
        self.server.ledger.enter(door, key, body, mode)

    def _tell(self, door: str, key: str) -> None:
        known = self.server.ledger.known(door, key)
        if known is None:
            return self._say(404, {"error": "we know nothing of this"})
        return self._say(200, {"status": "executed", "reference": known[0]})

    def _is_stranger(self) -> bool:
        return self.headers.get("Authorization") != f"Bearer {TOKEN}"

    def _say(self, status: int, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that the bank has done."""

    door: str
    key: str
    ref: str
    digest: str
    mode: str
    at: float


class Books:
    """The bank's ledger as an auditor reads it, from outside."""

    def __init__(self, folder: Path) -> None:
        """Remember where it lies."""
        self._path = folder / "bank.sqlite"

    def entries(self) -> list[Entry]:
        """Return everything that the bank has done, oldest first."""
        sql = "SELECT door, key, ref, digest, mode, at FROM entry ORDER BY id"
        return [Entry(*row) for row in self._read(sql)]

    def of(self, ref: str) -> list[Entry]:
        """Return what the bank did about one payment."""
        sql = "SELECT door, key, ref, digest, mode, at FROM entry WHERE ref = ? ORDER BY id"
        return [Entry(*row) for row in self._read(sql, ref)]

    def is_under_way(self, ref: str) -> bool:
        """Say whether something may still come of a request for this payment."""
        return bool(self._read("SELECT 1 FROM request WHERE ref = ? AND ended IS NULL", ref))

    def modes(self) -> dict[str, int]:
        """Return how often the bank was in which mood."""
        return dict(self._read("SELECT mode, count(*) FROM request GROUP BY mode ORDER BY mode"))

    def _read(self, sql: str, *values: str) -> list[Any]:
        with contextlib.closing(sqlite3.connect(self._path, timeout=10)) as database:
            return database.execute(sql, values).fetchall()


def digest(body: bytes) -> str:
    """Return what makes two bodies the same."""
    return hashlib.sha256(body).hexdigest()


def ref_of(body: bytes) -> str:
    """Return the payment's own reference, by which an entry finds its proposal."""
    return _member(body, "ref")


def _member(body: bytes, name: str) -> str:
    with contextlib.suppress(ValueError, AttributeError):
        return str(json.loads(body).get(name, ""))
    return ""


def _moment(text: str) -> float:
    with contextlib.suppress(ValueError):
        return float(text)
    return datetime.fromisoformat(text).timestamp()


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.bank")
    parser.add_argument("folder", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("seed", type=int)
    asked = parser.parse_args()
    Bank(asked.folder, asked.port, asked.seed).serve_forever()


if __name__ == "__main__":
    main()
